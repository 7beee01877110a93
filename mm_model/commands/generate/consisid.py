"""A clip of a person by ConsisID: one photograph, a sentence and a checkpoint.

Asked, told, recorded and made again as a clip of Magic Mirror is (`work`), under the same rules.
"""

import time
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.commands.generate import asked, ending, place, sidecar
from mm_model.commands.generate.ending import Say
from mm_model.commands.generate.held import HeldModel
from mm_model.commands.generate.model import FACEPACK_RULES
from mm_model.commands.generate.place import FinishedClip
from mm_model.commands.generate.sidecar import ConsisArguments, MadeKind, Sidecar
from mm_model.commands.generate.subject import NAMES, memory_said, refuse_numbers
from mm_model.errors import UserError
from mm_model.methods.kinds import CONSISID
from mm_model.progress import OnStep, Steps
from mm_model.serving import code, consent, fields, policy
from mm_model.settings import Profile, load_params, load_profile
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout

if TYPE_CHECKING:
    from mm_model.consisid.clips import ConsisAnimator
    from mm_model.consisid.faces import ConsisFaceReader
    from mm_model.serving.gate import AdmittedReference
    from mm_model.vcd.animate import Take


@dataclass(frozen=True)
class ConsisWish:
    """The command line's values; None where the checkpoint says it. prompts: one a shot. held: what
    orders of one command share.
    """

    references: tuple[Path, ...]
    prompts: tuple[str, ...] = ()
    _: KW_ONLY
    weights: Path | None
    consent: str | None = None
    facepack: Path | None = None
    values: Document = field(default_factory=dict)
    held: HeldModel = field(default_factory=HeldModel, compare=False)


def make(layout: Layout, wish: ConsisWish, target: Path | None, force: bool, say: Say) -> Path:
    """Make a clip and write it with its record; the path of the clip.

    Raises:
        UserError: a refusal as Magic Mirror's, a part is missing, or a file stands in the way.
    """
    values, kind, target = place.begun(layout, wish.values, target)
    with (
        ending.no_clip(f"--seed {values['seed']} makes the same one"),
        place.kept_free(place.of(target, wish.prompts), force),
    ):
        place.refuse_kind(target, kind)
        work = _work(layout, wish)
        stated = asked.consent_of(work.shown, wish.consent)
        made = _made(work, replace(wish, values=values), stated, say)
        return ending.kept(made, target, force, say)


def is_of(layout: Layout, wish: ConsisWish, said: Sidecar) -> bool:
    """Whether the record is of a clip that the order would make, given its seed.

    Raises:
        UserError: the photograph or a part is not there.
    """
    told, work = said.arguments, _work(layout, wish)
    return (
        isinstance(told, ConsisArguments)
        and told.prompts == wish.prompts
        and told.consent == asked.consent_of(work.shown, wish.consent)
        and said.references_sha256 == work.shown.digests
        and fields.agree(told.numbers, wish.values)
        and ending.same_parts(said, work.digests, work.values)
    )


def again(
    layout: Layout,
    before: Sidecar,
    moved: ConsisWish,
    *,
    target: Path | None,
    force: bool,
    say: Say,
) -> bool:
    """Make the clip of a record once more and say whether its bytes came out equal.

    `moved` names the parts where they lie now. Raises as `work.again`.
    """
    told = before.arguments
    if not isinstance(told, ConsisArguments):
        raise TypeError("a clip of another method")
    facepack = None if told.facepack is None else Path(told.facepack)
    wish = replace(
        moved,
        references=moved.references or tuple(map(Path, told.references)),
        weights=moved.weights or Path(told.weights),
        facepack=facepack,
        prompts=told.prompts,
        values=dict(told.numbers),
        held=HeldModel.as_recorded(before.values),
    )
    work = _work(layout, wish)
    ending.refuse_other_parts(before, work.digests, work.values)
    if work.shown.digests != before.references_sha256:
        raise UserError(
            f"{work.shown.paths[0]} is not the photograph that the clip was made from: give the "
            "one that was with --ref."
        )
    made = _made(work, wish, told.consent, say)
    if target is not None:
        say(str(ending.kept(made, target, force, say)))
    return ending.compared(before, made.said, say)


@dataclass(frozen=True)
class _Work:
    """What is needed before anything is loaded. finding: the profile whose rules find faces.
    loaded: how the model will be, where it has a say in a clip.
    """

    profile: Profile
    finding: Profile
    weights: Path
    facepack: Path
    shown: asked.Photographs
    digests: dict[str, str]
    loaded: Document

    @property
    def values(self) -> Document:
        """What has a say in a clip and is not asked for."""
        return {"dtype": self.profile.run.dtype, **self.loaded}


def _work(layout: Layout, wish: ConsisWish) -> _Work:
    from mm_model.consisid import clips

    if wish.weights is None:
        raise UserError("Name the folder of a ConsisID checkpoint with --weights.")
    weights, known = wish.weights, wish.held.known
    profile = load_profile(layout.root, layout.profile)
    shown = asked.photographs(wish.references, profile.serve)
    if len(shown.paths) != 1:
        raise UserError(
            f"ConsisID sees one photograph, and {len(shown.paths)} were named: give one --ref."
        )
    facepack = wish.facepack or layout.root / load_params(layout.root).facepack
    if not facepack.is_dir():
        raise UserError(f"{facepack} is no folder: give --facepack a face pack's folder.")
    found = {
        "weights": known(("consisid", weights), lambda: clips.digest_of(weights)),
        "facepack": known(facepack, lambda: digests.of_folder(facepack)),
    }
    finding = profile if wish.facepack is None else load_profile(layout.root, FACEPACK_RULES)
    return _Work(
        profile,
        finding=finding,
        weights=weights,
        facepack=facepack,
        shown=shown,
        digests=found,
        loaded=wish.held.values,
    )


def _made(work: _Work, wish: ConsisWish, stated: dict[str, str], say: Say) -> FinishedClip:
    from mm_model.environment import bound_threads
    from mm_model.serving.mirror import NOTES

    numbers = {NAMES[name]: value for name, value in wish.values.items() if value is not None}
    refuse_numbers(numbers)
    for prompt in wish.prompts:
        policy.check_prompt(prompt, stated["basis"])
    say(f"reference picture 1: {work.shown.paths[0]}")
    bound_threads(work.profile.run.threads)
    seen = _admitted(work)  # before gigabytes are loaded
    consent.record(consent.read_consent(stated))
    low = wish.held.low_memory
    if low:
        say(memory_said(work.profile))
    animator, reader = wish.held.model(("consisid", work.weights), lambda: _loaded(work, low))
    takes = [_take(animator, prompt, numbers) for prompt in wish.prompts]
    for take in takes:
        animator.refuse(take)
    started = time.monotonic()
    face = reader.read(seen.pixels)
    with Steps("generating") as steps:
        made = [
            animator.clip(take, face, _counted(steps, number, len(takes)))
            for number, take in enumerate(takes)
        ]
    whole, shots = ending.encoded(made, MadeKind.CLIP, _fps())
    said = Sidecar(
        _arguments(work, wish, stated, takes[0]),
        None,
        digests={**work.digests, "code": code.digest()},
        references_sha256=work.shown.digests,
        video_sha256=digests.of_bytes(whole),
        fps=_fps(),
        versions=sidecar.versions() | reader.versions,
        hardware=sidecar.hardware(work.profile.run.device, work.profile.run.threads),
        seconds=round(time.monotonic() - started, 2),
        notes=list(NOTES),
        values=work.values,
        shots_sha256=[digests.of_bytes(shot) for shot in shots],
        method=CONSISID,
    )
    for note in said.notes:
        say(note)
    return FinishedClip(whole, said, shots=shots)


def _fps() -> int:
    from mm_model.consisid.clips import FPS

    return FPS


def _counted(steps: Steps, number: int, of: int) -> OnStep:
    return lambda step, total: steps.told(number * total + step, of * total)


def _take(animator: "ConsisAnimator", prompt: str, numbers: Document) -> "Take":
    from mm_model.consisid.clips import GUIDANCE, STEPS
    from mm_model.vcd.animate import Take

    size = animator.own
    own = {"frames": size.frames, "height": size.height, "width": size.width}
    return Take(prompt, **{**own, "steps": STEPS, "guidance": GUIDANCE, **numbers})


def _arguments(
    work: _Work, wish: ConsisWish, stated: dict[str, str], take: "Take"
) -> ConsisArguments:
    return ConsisArguments(
        prompt=wish.prompts[0] if len(wish.prompts) == 1 else list(wish.prompts),
        references=[str(path.resolve()) for path in work.shown.paths],
        consent=stated,
        weights=str(work.weights.resolve()),
        facepack=None if wish.facepack is None else str(wish.facepack.resolve()),
        numbers={one.name: getattr(take, NAMES[one.name]) for one in fields.FIELDS},
    )


def _admitted(work: _Work) -> "AdmittedReference":
    """The photograph, opened as a served model opens it, with its one face."""
    from mm_model.facepack.detect import chosen_faces
    from mm_model.facepack.port import open_pack
    from mm_model.serving import gate

    profile, rules = work.profile, work.finding.faces
    pack = open_pack(work.facepack, rules.detection_size, profile.run.threads)
    (seen,) = gate.admit(
        work.shown.contents,
        lambda pixels: chosen_faces(pack, pixels, rules),
        profile.serve.max_reference_pixels,
        profile.ingest.max_aspect,
    )
    return seen


def _loaded(work: _Work, low_memory: bool) -> "tuple[ConsisAnimator, ConsisFaceReader]":
    import torch

    from mm_model.consisid import clips, faces
    from mm_model.settings.device import device_of, settle

    device, dtype = device_of(work.profile.run), getattr(torch, work.profile.run.dtype)
    settle(device)
    looks_on = torch.device("cpu") if low_memory else device
    reader = faces.PublishedFaces(work.weights, looks_on, dtype)
    return clips.load_consisid(work.weights, device, dtype, low_memory), reader
