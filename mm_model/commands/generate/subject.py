"""A clip of a learned subject: its tokens, a checkpoint and a motion module, and a sentence.

Told, recorded and made again as a clip from photographs is (`work`).
"""

import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.commands.generate import ending, place, sidecar
from mm_model.commands.generate.ending import Say
from mm_model.commands.generate.place import FinishedClip
from mm_model.commands.generate.sidecar import MadeKind, Sidecar, SubjectArguments
from mm_model.errors import UserError
from mm_model.methods.kinds import SUBJECT
from mm_model.progress import OnStep, Steps
from mm_model.serving import code, fields, policy
from mm_model.settings import Profile, load_profile
from mm_model.store import consents, digests
from mm_model.store.atomic import Document
from mm_model.store.consents import Basis
from mm_model.store.layout import Layout

if TYPE_CHECKING:
    import numpy as np

    from mm_model.vcd.animate import Animator, Take
    from mm_model.vcd.shelf import LearnedSubject
_NAMES = {
    "num_frames": "frames",
    "num_inference_steps": "steps",
    "seed": "seed",
    "height": "height",
    "width": "width",
    "guidance_scale": "guidance",
    "noise_prior_gamma": "gamma",
}
"""Numbers of a request to those of a clip."""


@dataclass(frozen=True)
class SubjectPlaces:
    """Where a subject and what shows it lie: its name or folder, and the folders of the checkpoint
    and of the motion module; None where what was learned or recorded says it.
    """

    subject: str | None
    weights: Path | None
    motion: Path | None


@dataclass(frozen=True)
class SubjectWish:
    """The command line's values; None where the checkpoint says it. prompts: one a shot."""

    places: SubjectPlaces
    prompts: tuple[str, ...]
    values: Document


@dataclass(frozen=True)
class _Parts:
    """What a clip is made of, by path and digest."""

    subject: "LearnedSubject"
    folder: Path
    weights: Path
    motion: Path

    def digests(self) -> dict[str, str]:
        """Hex SHA-256 of each part."""
        from mm_model.vcd.stable_diffusion import digest_of

        return {
            "subject": self.subject.sha256,
            "weights": digest_of(self.weights),
            "motion": digests.of_folder(self.motion),
        }


def make(layout: Layout, wish: SubjectWish, target: Path | None, force: bool, say: Say) -> Path:
    """Make a clip of a learned subject and write it with its record; the path of the clip.

    Raises:
        UserError: the subject or a part is not there or does not fit, the prompt is refused, or a
            file stands in the way.
    """
    seed = wish.values.get("seed")
    seed = secrets.randbelow(fields.MAX_SEED + 1) if seed is None else seed
    values = {**wish.values, "seed": seed}
    if values.get("num_frames") is None and target is not None and target.suffix == ".png":
        values["num_frames"] = 1
    kind = MadeKind.PICTURE if values.get("num_frames") == 1 else MadeKind.CLIP
    name = f"{seed}{place.SUFFIXES[kind]}"
    target = target or layout.root / "work" / layout.profile / "clips" / name
    with (
        ending.no_clip(f"--seed {seed} makes the same one"),
        place.kept_free(place.of(target, wish.prompts), force),
    ):
        place.refuse_kind(target, kind)
        parts = _parts(layout, wish.places)
        made = _made(layout, parts, replace(wish, values=values), kind, say)
        return ending.kept(made, target, force, say)


def again(
    layout: Layout,
    before: Sidecar,
    moved: SubjectPlaces,
    *,
    target: Path | None,
    force: bool,
    say: Say,
) -> bool:
    """Make the clip of a record once more and say whether its bytes came out equal.

    `moved` names the parts where they lie now. Raises as `work.again`.
    """
    asked = before.arguments
    if not isinstance(asked, SubjectArguments):
        raise TypeError("a clip from photographs")
    parts = _parts(
        layout,
        SubjectPlaces(
            moved.subject or asked.subject,
            moved.weights or Path(asked.weights),
            moved.motion or Path(asked.motion),
        ),
    )
    wish = SubjectWish(moved, asked.prompts, dict(asked.numbers))
    profile = load_profile(layout.root, layout.profile)
    ending.refuse_other_parts(before, parts.digests(), _values(profile))
    made = _made(layout, parts, wish, before.kind, say)
    if target is not None:
        say(str(ending.kept(made, target, force, say)))
    return ending.compared(before, made.said, say)


def _parts(layout: Layout, places: SubjectPlaces) -> _Parts:
    from mm_model.vcd import shelf

    if places.subject is None:
        raise UserError("Give a learned subject with --subject; learn-subject learns one.")
    folder = shelf.found(layout.subjects, places.subject)
    subject = shelf.read(folder)
    if places.motion is None:
        raise UserError(
            "A clip of a learned subject needs a motion module: name its folder with --motion."
        )
    return _Parts(subject, folder, places.weights or subject.weights, places.motion)


def _made(
    layout: Layout, parts: _Parts, wish: SubjectWish, kind: MadeKind, say: Say
) -> FinishedClip:
    from mm_model.environment import bound_threads
    from mm_model.serving.mirror import NOTES
    from mm_model.vcd.animate import FPS

    profile = load_profile(layout.root, layout.profile)
    prompts = [_admitted(parts.subject, prompt, say) for prompt in wish.prompts]
    _take(prompts[0], wish.values, None)  # refused before seconds of loading
    _state_consent(layout, parts.subject)
    bound_threads(profile.run.threads)
    animator = _animator(parts, profile)
    takes = [_take(prompt, wish.values, animator) for prompt in prompts]
    started = time.monotonic()
    whole, shots = ending.encoded(_clips(animator, takes, parts.subject), kind, FPS)
    said = Sidecar(
        SubjectArguments(
            prompt=wish.prompts[0] if len(wish.prompts) == 1 else list(wish.prompts),
            subject=str(parts.folder.resolve()),
            weights=str(parts.weights.resolve()),
            motion=str(parts.motion.resolve()),
            consent=parts.subject.consent,
            numbers=_numbers(takes[0]),
        ),
        None,
        digests={**parts.digests(), "code": code.digest()},
        references_sha256=[],
        video_sha256=digests.of_bytes(whole),
        fps=FPS,
        versions=sidecar.versions(),
        hardware=sidecar.hardware(profile.run.device, profile.run.threads),
        seconds=round(time.monotonic() - started, 2),
        notes=list(NOTES),
        values=_values(profile),
        kind=kind,
        shots_sha256=[digests.of_bytes(shot) for shot in shots],
        method=SUBJECT,
    )
    for note in NOTES:
        say(note)
    return FinishedClip(whole, said, shots=shots)


def _admitted(subject: "LearnedSubject", prompt: str, say: Say) -> str:
    """The prompt with the subject in it, where it asks for nothing that must not be made."""
    basis = (subject.consent or Basis.SYNTHETIC).partition(":")[0]
    policy.check_prompt(prompt, basis)
    placed = subject.placed(prompt)
    if placed != prompt:
        say(f"read as: {placed}")
    return placed


def _state_consent(layout: Layout, subject: "LearnedSubject") -> None:
    """Put a person's consent into this tree's file; one in words stands where it was learned."""
    if subject.consent is not None and not consents.is_of_words(subject.consent):
        consents.record(consents.path_below(layout.root), consents.Statement(subject.consent))


def _take(prompt: str, values: Document, animator: "Animator | None") -> "Take":
    """What is to be made; what is not asked for is the checkpoint's own where it is loaded."""
    from mm_model.vcd.animate import Take

    own: Document = {}
    if animator is not None:
        own = {"num_frames": animator.frames, "height": animator.side, "width": animator.side}
    said = own | {name: value for name, value in values.items() if value is not None}
    known = {_NAMES[name]: value for name, value in said.items()}
    return Take(prompt, known.pop("seed"), **known)


def _numbers(take: "Take") -> dict[str, float]:
    return {one.name: getattr(take, _NAMES[one.name]) for one in fields.FIELDS}


def _clips(
    animator: "Animator", takes: list["Take"], subject: "LearnedSubject"
) -> list["np.ndarray"]:
    total = sum(take.steps for take in takes)
    with Steps("generating") as steps:

        def counted(before: int) -> OnStep:
            return lambda step, _: steps.told(before + step, total)

        return [
            animator.clip(take, subject.tokens, counted(number * take.steps))
            for number, take in enumerate(takes)
        ]


def _animator(parts: _Parts, profile: Profile) -> "Animator":
    import torch

    from mm_model.settings.device import device_of, settle
    from mm_model.vcd.animate import load_animator

    device = device_of(profile.run)
    settle(device)
    return load_animator(parts.weights, parts.motion, device, getattr(torch, profile.run.dtype))


def _values(profile: Profile) -> Document:
    """What has a say in a clip and is not asked for."""
    return {"dtype": profile.run.dtype}
