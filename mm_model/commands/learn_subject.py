"""The command `learn-subject`: from a few photographs to the tokens of one subject."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.methods.kinds import KINDS
from mm_model.store import named
from mm_model.store.layout import Layout, repository_root

if TYPE_CHECKING:
    from mm_model.settings import Profile
    from mm_model.vcd.given import Covered
    from mm_model.vcd.masks import Segmenter

_SEGMENTERS = ("masks", "face", "matte", "grounded-sam", "none")
_CONSENT = "--consent BASIS:EVIDENCE"
_MASKS, _FACE, _MATTE, _GROUNDED, _ = _SEGMENTERS


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `learn-subject` to the command line."""
    command = commands.add_parser("learn-subject", help="learn tokens that stand for one subject")
    command.add_argument("name", help="what the subject is called in prompts, as in rex for <rex>")
    command.add_argument("photos", type=named.path, help="a folder of five to ten photographs")
    command.add_argument("--kind", choices=KINDS, required=True, help="what is shown")
    command.add_argument("--word", help="its class word, as in man, dog or cup; the kind if absent")
    command.add_argument(
        "--weights",
        type=named.path,
        metavar="DIR",
        help="a Stable Diffusion 1.5 checkpoint or a CogVideoX backbone in diffusers' layout; the "
        "backbone of params.yaml if absent",
    )
    command.add_argument(
        "--masks", type=named.path, metavar="DIR", help="masks of the photographs' names, .png"
    )
    command.add_argument(
        "--segment",
        choices=_SEGMENTERS,
        help="what finds the subject; if absent, --masks, else a person's face, else nothing",
    )
    command.add_argument(
        "--detector", type=named.path, metavar="DIR", help=f"Grounding DINO, for {_GROUNDED}"
    )
    command.add_argument("--sam", type=named.path, metavar="DIR", help=f"SAM, for {_GROUNDED}")
    command.add_argument(
        "--matte", type=named.path, metavar="FILE", help=f"a .tflite of persons, for {_MATTE}"
    )
    command.add_argument(
        "--consent", metavar="BASIS:EVIDENCE", help="why a person's photographs may be used"
    )
    command.add_argument("-o", "--out", type=named.path, help="the folder to write")
    command.add_argument("--force", action="store_true", help="replace a subject that is there")
    command.set_defaults(act=_learn_subject)


def _learn_subject(options: argparse.Namespace) -> None:
    from mm_model.progress import Steps
    from mm_model.run.stages import SUBJECT, listed
    from mm_model.settings import load_params, load_profile
    from mm_model.settings.listed import NAME as LIST
    from mm_model.tracking.tracker import Tracker
    from mm_model.vcd import photos
    from mm_model.vcd.keep import LearningOrder, Listeners, learn_and_keep
    from mm_model.vcd.tokens import placeholder_of

    root = repository_root()
    params = load_params(root)
    placeholder_of(options.name)
    if options.out is None and (stage := f"{SUBJECT}@{options.name}") in listed(root):
        raise UserError(
            f"{LIST} lists {options.name}, which 'python -m mm_model run {stage}' learns: give "
            "this one another name, or a folder with -o."
        )
    target = options.out or Layout(root, params.profile).subjects / options.name
    _refuse_taken(target, options.force)
    if not options.photos.is_dir():
        raise UserError(f"{options.photos} is no folder: name a folder of photographs.")
    profile = load_profile(root, params.profile)
    consent, covered = _consent(options, root)
    segmenter = _segmenter(options, root / params.facepack, profile)
    found = photos.read(options.photos, segmenter, covered)
    masks = segmenter.name
    del segmenter  # its networks may take a gigabyte that learning needs
    for line in found.notes(masks, "--masks DIR"):
        print(line)
    order = LearningOrder(
        options.name,
        options.kind,
        options.word or options.kind,
        weights=options.weights or root / params.backbone,
        called=str(options.weights.resolve() if options.weights else params.backbone),
        masks=masks,
        consent=consent,
    )
    tracker = Tracker(Layout(root, params.profile), f"subject@{order.name}")
    tags = {"subject": order.name, "kind": order.kind, "word": order.word, "masks": order.masks}
    with tracker.running(tags, profile.part("subject", "run")), Steps("learning") as steps:

        def learned(step: int, loss: float) -> None:
            tracker.log({"loss": loss}, step)

        told = Listeners(print, steps.told, learned)
        look = partial(_refuse_taken, target, options.force)  # again: another may have ended
        learn_and_keep(order, found, profile, target, told, look=look)
    print(f"{target} holds {options.name}: write <{options.name}> before its class word.")


def _refuse_taken(target: Path, force: bool) -> None:
    """Raises `UserError` where something lies at `target` that is not to be replaced: without
    `force` anything, with it all but a subject that was learned before."""
    from mm_model.vcd.keep import RECORD

    if not os.path.lexists(target):
        return
    if not force:
        raise UserError(f"{target} exists and stays as it is: name another -o, or add --force.")
    if target.is_symlink() or not (target / RECORD).is_file():
        raise UserError(
            f"{target} is no learned subject and stays as it is: --force replaces those alone, so "
            "name another -o."
        )


def _consent(options: argparse.Namespace, root: Path) -> tuple[str | None, Covered]:
    """The id of the statement, and which files it covers; of animals and objects none is asked."""
    from mm_model.serving import consent
    from mm_model.store import consents
    from mm_model.vcd import given

    said = None
    if options.consent is not None and options.kind == given.PERSON:
        stated = consent.parse(options.consent)
        said = consents.Statement(stated.id, stated.text)
    return given.consent_of(options.kind, options.photos, said, root, option=_CONSENT)


def _segmenter(options: argparse.Namespace, facepack: Path, profile: Profile) -> Segmenter:
    """What `--segment` names; without it what was given decides."""
    from mm_model.vcd import given

    chosen, supplied, kind = options.segment, options.masks, options.kind
    if chosen != _GROUNDED and (options.detector or options.sam):
        raise UserError(f"--detector and --sam are for --segment {_GROUNDED}: add it.")
    if supplied is not None and chosen not in (None, _MASKS):
        raise UserError(f"--masks and --segment {chosen} exclude each other: give one of them.")
    if chosen == _MASKS and supplied is None:
        raise UserError("--segment masks needs --masks DIR: name the folder of masks.")
    if (chosen == _MATTE) != (options.matte is not None):
        raise UserError("--segment matte and --matte FILE go together: give both.")
    if chosen in (_FACE, _MATTE) and kind != given.PERSON:
        raise UserError(
            f"--segment {chosen} is for persons: of an {kind} give --masks or {_GROUNDED}."
        )
    if chosen == _GROUNDED and (options.detector is None or options.sam is None):
        raise UserError(f"--segment {_GROUNDED} needs --detector DIR and --sam DIR: name both.")
    how = given.SubjectFinding(
        segment=chosen,
        word=options.word or kind,
        masks=supplied,
        matte=options.matte,
        detector=options.detector,
        sam=options.sam,
    )
    return given.finder_of(kind, how, facepack, profile)
