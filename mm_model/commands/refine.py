"""The command `refine`: a finished clip drawn again, as a learned subject or a person."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.store import named
from mm_model.store.layout import Layout, repository_root

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from mm_model.refine.plan import RefinedClip, RefinePlan
    from mm_model.settings import Params, Profile
    from mm_model.store.atomic import Document
    from mm_model.vcd.shelf import LearnedSubject
    from mm_model.vcd.showing import Show

    Redraw = Callable[[RefinePlan, np.ndarray], RefinedClip]

_UNKNOWN = "unknown"
"""The basis on which a finished clip shows whom it shows; the subject's own says nothing of it."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `refine` to the command line."""
    command = commands.add_parser("refine", help="redraw the face, or all, of a finished clip")
    command.add_argument("clip", type=named.path, help="the .mp4 to refine; it stays as it is")
    command.add_argument("--steps", default="face", help="face, tiled or face,tiled")
    command.add_argument("--prompt", required=True, help="what it shows, as <rex> man smiles")
    command.add_argument(
        "--subject", metavar="NAME", help="what learn-subject learned: its name, or its folder"
    )
    command.add_argument(
        "--weights",
        type=named.path,
        metavar="PATH",
        help="what redraws: a CogVideoX backbone, or Stable Diffusion 1.5; what the subject was "
        "learned on, or the tree's backbone, if absent",
    )
    command.add_argument(
        "--motion", type=named.path, metavar="PATH", help="a motion module for Stable Diffusion"
    )
    _add_photographs(command)
    command.add_argument(
        "--strength",
        type=float,
        help="0 to 1; if absent face 0.8 and tiled 0.2, on CogVideoX 0.6 and 0.25",
    )
    command.add_argument(
        "--crop",
        type=float,
        default=3.0,
        help="side of what is redrawn around the face over the face's; 3 if absent",
    )
    command.add_argument("--gamma", type=float, default=0.0, help="correlation of frames' noise")
    command.add_argument("--seed", type=int, default=0, help="of the noise")
    command.add_argument("-o", "--out", type=named.path, required=True, help="the .mp4 to write")
    command.add_argument("--force", action="store_true", help="replace a file that is there")
    command.set_defaults(act=_run)


def _add_photographs(command: argparse.ArgumentParser) -> None:
    """Options of redrawing as the person of photographs."""
    command.add_argument(
        "--ref",
        type=named.path,
        action="append",
        default=[],
        metavar="PATH",
        help="Magic Mirror redraws as the person of this photograph or folder; may be given again",
    )
    command.add_argument(
        "--consent", metavar="BASIS:EVIDENCE", help="of --ref: why its photographs may be used"
    )
    command.add_argument(
        "--adapter", help="of --ref: a release (champion if absent) or an adapter's folder"
    )
    command.add_argument(
        "--facepack", type=named.path, metavar="DIR", help="of --ref: another face pack"
    )


def _run(options: argparse.Namespace) -> None:
    from mm_model.commands.generate import wording
    from mm_model.serving.refusal import Refusal

    try:
        _refine(options)
    except Refusal as refusal:
        raise wording.of(refusal) from None


def _refine(options: argparse.Namespace) -> None:
    from mm_model.media.encode import write_mp4
    from mm_model.refine.plan import RefinePlan
    from mm_model.settings import load_params, load_profile

    plan = RefinePlan.of(options.steps, options.strength, options.crop)
    if not 0.0 <= options.gamma <= 1.0:
        raise UserError(f"--gamma is {options.gamma}: give a number from 0 to 1.")
    if options.out.suffix.lower() != ".mp4":
        raise UserError(f"{options.out} is no .mp4: name one.")
    if options.out.exists() and not options.force:
        raise UserError(
            f"{options.out} exists and stays as it is: name another -o, or add --force."
        )
    root = repository_root()
    params = load_params(root)
    profile = load_profile(root, params.profile)
    layout = Layout(root, params.profile)
    redraw = _redrawing(options, layout, params, profile)  # refuses before seconds of loading
    if plan.unchanged:
        _copied(options)
        return
    frames, rate = read_clip(options.clip, profile)
    made = redraw(plan, frames)
    for note in made.notes:
        print(note)
    if made.frames is frames:
        _copied(options)
        return
    write_mp4(options.out, made.frames, rate)
    high, wide = made.frames.shape[1:3]
    print(f"{options.out}: {len(frames)} frames of {wide}x{high} pixels")


def _copied(options: argparse.Namespace) -> None:
    """The file itself where nothing changed: encoding it again would change its pixels."""
    from mm_model.store.atomic import write_bytes

    write_bytes(options.out, options.clip.read_bytes())
    print(f"{options.out}: the clip itself, byte for byte")


def read_clip(path: Path, profile: Profile) -> tuple[np.ndarray, float]:
    """Frames and frames a second of a clip that a confined process could read first."""
    from mm_model.ingest import sandbox
    from mm_model.media.decode import read_frames
    from mm_model.media.failure import MediaError

    bounds = profile.ingest
    allowance = sandbox.Allowance(
        bounds.decode_seconds, bounds.decode_memory_mb, bounds.max_pixels, bounds.max_frames
    )
    try:
        with sandbox.opened(allowance) as examiner:
            facts = examiner.check(path)
        if facts["media"] != "clip":
            raise UserError(f"{path} is a picture: name a clip.")
        return read_frames(path), float(facts["fps"]) or 8.0
    except MediaError as error:
        raise UserError(f"{path} cannot be used ({error.message}): name another clip.") from None


def _redrawing(
    options: argparse.Namespace, layout: Layout, params: Params, profile: Profile
) -> Redraw:
    """What redraws frames, not loaded yet: a subject's tokens, a person's photographs, or the
    prompt alone.

    Raises:
        UserError: options do not fit each other, or something that they name is not there.
        Refusal: the filter of words, which `generate` asks too, as where somebody real is shown.
    """
    from mm_model.serving import policy

    policy.check_prompt(options.prompt, _UNKNOWN)
    _refuse_mixed(options)
    if options.ref:
        from mm_model.commands.generate import redraw

        order = redraw.PhotoOrder(
            tuple(options.ref),
            options.prompt,
            consent=options.consent,
            adapter=options.adapter,
            facepack=options.facepack,
            values={"seed": options.seed, "noise_prior_gamma": options.gamma},
        )
        return redraw.by_photographs(layout, order)
    subject, prompt = _heard(options, layout)
    show = _shown_with(options, layout.root, params.backbone, subject)
    asked = {"prompt": prompt, "seed": options.seed, "gamma": options.gamma}
    facepack = layout.root / params.facepack
    return lambda plan, frames: _redrawn((show, asked), profile, facepack, plan, frames)


def _redrawn(
    shown: tuple[Show, Document],
    profile: Profile,
    facepack: Path,
    plan: RefinePlan,
    frames: np.ndarray,
) -> RefinedClip:
    """By a subject's tokens, or by the prompt alone."""
    import torch

    from mm_model.refine.chosen import redrawer_of
    from mm_model.refine.finding import finder
    from mm_model.refine.plan import refined

    show, asked = shown
    torch.set_num_threads(profile.run.threads)
    find = finder(facepack, profile.faces, profile.run.threads)
    loaded = show.load(profile)
    take = loaded.take(asked["prompt"], {name: asked[name] for name in ("seed", "gamma")})
    tokens = show.subject.tokens if show.subject else None
    return refined(frames, plan, redrawer_of(loaded.animator, take, tokens), find)


def _refuse_mixed(options: argparse.Namespace) -> None:
    """Raises `UserError` where options of two ways to redraw meet."""
    if options.ref:
        others, way = ("subject", "weights", "motion"), "does not go with --ref: leave one out."
    else:
        others = ("adapter", "consent", "facepack")
        way = "goes with --ref: give photographs, or leave it out."
    for name in others:
        if getattr(options, name) is not None:
            raise UserError(f"--{name} {way}")


def _shown_with(
    options: argparse.Namespace, root: Path, backbone: str, subject: LearnedSubject | None
) -> Show:
    """The networks that redraw, not loaded yet: named, the subject's own, or the tree's backbone.

    Raises:
        UserError: a motion module is lacking, or is of no use, or the weights are not there.
    """
    from mm_model.vcd.showing import Show

    if options.weights is not None and not options.weights.exists():
        raise UserError(
            f"{options.weights} is not there: name a CogVideoX backbone or Stable Diffusion 1.5."
        )
    own = subject.weights if subject else Path(backbone)
    learned_on = root / own  # a tree's own backbone is named from its root
    return Show(subject, learned_on, options.weights or learned_on, options.motion)


def _heard(options: argparse.Namespace, layout: Layout) -> tuple[LearnedSubject | None, str]:
    """The subject, and the prompt with its placeholder in it."""
    from mm_model.vcd import shelf

    if options.subject is None:
        return None, options.prompt
    subject = shelf.read(shelf.found(layout, options.subject))
    return subject, subject.placed(options.prompt)
