"""A clip of a learned subject: its tokens, what it was learned on, and a sentence.

Told, recorded and made again as a clip from photographs is (`work`).
"""

import argparse
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.commands.generate import ending, place, sidecar
from mm_model.commands.generate.ending import Say
from mm_model.commands.generate.held import HeldModel
from mm_model.commands.generate.place import FinishedClip
from mm_model.commands.generate.sidecar import MadeKind, Sidecar, SubjectArguments
from mm_model.errors import UserError
from mm_model.methods.kinds import SUBJECT
from mm_model.progress import OnStep, Steps
from mm_model.serving import code, fields, policy
from mm_model.settings import Profile, load_params, load_profile
from mm_model.store import consents, digests
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout

if TYPE_CHECKING:
    import numpy as np

    from mm_model.refine.plan import RefinePlan
    from mm_model.vcd.animate import Take
    from mm_model.vcd.lora import Lora
    from mm_model.vcd.shelf import LearnedSubject
    from mm_model.vcd.showing import LoadedShow, Show

NAMES = {
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
    and of the motion module, and a LoRA on them; None where what was learned or recorded says it.
    """

    subject: str | None
    weights: Path | None
    motion: Path | None
    lora: "Lora | None" = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> "SubjectPlaces":
        """Those that the options name."""
        return cls(options.subject, options.weights, options.motion, options.lora)


@dataclass(frozen=True)
class SubjectWish:
    """The command line's values; None where the checkpoint says it. prompts: one a shot. held: what
    orders of one command share.
    """

    places: SubjectPlaces
    prompts: tuple[str, ...]
    values: Document
    refine: str | None
    held: HeldModel = field(default_factory=HeldModel, compare=False)


def make(layout: Layout, wish: SubjectWish, target: Path | None, force: bool, say: Say) -> Path:
    """Make a clip of a learned subject and write it with its record; the path of the clip.

    Raises:
        UserError: the subject or a part is not there or does not fit, the prompt is refused, or a
            file stands in the way.
    """
    values, kind, target = place.begun(layout, wish.values, target)
    with (
        ending.no_clip(f"--seed {values['seed']} makes the same one"),
        place.kept_free(place.of(target, wish.prompts), force),
    ):
        place.refuse_kind(target, kind)
        order = _order(layout, wish)
        made = _made(layout, order, replace(wish, values=values), kind, say)
        return ending.kept(made, target, force, say)


def is_of(layout: Layout, wish: SubjectWish, said: Sidecar) -> bool:
    """Whether the record is of a clip that the order would make, given its seed.

    Raises:
        UserError: the subject or a part is not there.
    """
    asked, order = said.arguments, _order(layout, wish)
    return (
        isinstance(asked, SubjectArguments)
        and asked.prompts == wish.prompts
        and asked.refine == wish.refine
        and _scale(asked.lora) == _scale(wish.places.lora)
        and fields.agree(asked.numbers, wish.values)
        and ending.same_parts(
            said, order.digests, _values(load_profile(layout.root, layout.profile), wish)
        )
    )


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
    motion = moved.motion or (Path(asked.motion) if asked.motion else None)
    weights = moved.weights or Path(asked.weights)
    lora = _where(asked.lora, moved.lora)
    places = SubjectPlaces(moved.subject or asked.subject, weights, motion, lora)
    wish = SubjectWish(
        places,
        asked.prompts,
        dict(asked.numbers),
        asked.refine,
        held=HeldModel.as_recorded(before.values),
    )
    order = _order(layout, wish)
    profile = load_profile(layout.root, layout.profile)
    ending.refuse_other_parts(before, order.digests, _values(profile, wish))
    made = _made(layout, order, wish, before.kind, say)
    if target is not None:
        say(str(ending.kept(made, target, force, say)))
    return ending.compared(before, made.said, say)


@dataclass(frozen=True)
class _Order:
    """Who is shown with what: the subject's folder and how clips of it are made and refined.

    facepack: finds the faces where the clip is refined. held: what orders share.
    """

    subject: "LearnedSubject"
    show: "Show"
    folder: Path
    plan: "RefinePlan | None"
    facepack: Path
    held: HeldModel

    @cached_property
    def digests(self) -> dict[str, str]:
        """Hex SHA-256 of each part; gigabytes are read once."""
        show, known = self.show, self.held.known
        parts = (show.weights, show.motion, show.lora and show.lora.file, show.family)
        found = known(parts, show.digests)
        found = found | {"subject": self.subject.sha256}
        if self.plan is None:
            return found
        pack = known(self.facepack, lambda: digests.of_folder(self.facepack))
        return found | {"facepack": pack}

    def load(self, profile: Profile) -> "LoadedShow":
        """What shows the subject, on the profile's device."""
        show = self.show
        key = (show.weights, show.motion, show.lora, self.subject.space, show.learned_on)
        return self.held.model(key, lambda: show.load(profile, self.held.low_memory))


def _order(layout: Layout, wish: SubjectWish) -> _Order:
    from mm_model.refine.plan import RefinePlan
    from mm_model.vcd import shelf, showing

    places = wish.places
    if places.subject is None:
        raise UserError("Give a learned subject with --subject; learn-subject learns one.")
    folder = shelf.found(layout, places.subject)
    subject = shelf.read(folder)
    learned_on = layout.root / subject.weights  # a tree's own backbone is named from its root
    weights = places.weights or learned_on
    show = showing.Show(subject, learned_on, weights, places.motion, places.lora)
    plan = None if wish.refine is None else RefinePlan.of(wish.refine)
    facepack = layout.root / load_params(layout.root).facepack
    return _Order(subject, show, folder, plan=plan, facepack=facepack, held=wish.held)


def _made(
    layout: Layout, order: _Order, wish: SubjectWish, kind: MadeKind, say: Say
) -> FinishedClip:
    from mm_model.environment import bound_threads
    from mm_model.serving.mirror import NOTES

    subject = order.subject
    profile = load_profile(layout.root, layout.profile)
    prompts = [_admitted(subject, prompt, say) for prompt in wish.prompts]
    asked = {NAMES[name]: value for name, value in wish.values.items() if value is not None}
    refuse_numbers(asked)  # before seconds of loading
    _state_consent(layout, subject)
    bound_threads(profile.run.threads)
    if wish.held.low_memory:
        say(memory_said(profile))
    loaded = order.load(profile)
    takes = [loaded.take(prompt, asked) for prompt in prompts]
    started = time.monotonic()
    clips, notes = _refined(order, loaded, takes, profile, _clips(loaded, takes, subject))
    whole, shots = ending.encoded(clips, kind, loaded.fps)
    said = Sidecar(
        _arguments(order, wish, takes[0]),
        None,
        digests={**order.digests, "code": code.digest()},
        references_sha256=[],
        video_sha256=digests.of_bytes(whole),
        fps=loaded.fps,
        versions=sidecar.versions(),
        hardware=sidecar.hardware(profile.run.device, profile.run.threads),
        seconds=round(time.monotonic() - started, 2),
        notes=[*NOTES, *notes],
        values=_values(profile, wish),
        kind=kind,
        shots_sha256=[digests.of_bytes(shot) for shot in shots],
        method=SUBJECT,
    )
    for note in said.notes:
        say(note)
    return FinishedClip(whole, said, shots=shots)


def _arguments(order: _Order, wish: SubjectWish, take: "Take") -> SubjectArguments:
    show = order.show
    return SubjectArguments(
        prompt=wish.prompts[0] if len(wish.prompts) == 1 else list(wish.prompts),
        subject=str(order.folder.resolve()),
        weights=str(show.weights.resolve()),
        motion=None if show.motion is None else str(show.motion.resolve()),
        consent=order.subject.consent,
        refine=wish.refine,
        numbers={one.name: getattr(take, NAMES[one.name]) for one in fields.FIELDS},
        lora=None if show.lora is None else str(show.lora),
    )


def _scale(lora: "str | Lora | None") -> float | None:
    from mm_model.vcd.lora import Lora

    said = Lora.of(lora) if isinstance(lora, str) else lora
    return None if said is None else said.scale


def _where(recorded: str | None, moved: "Lora | None") -> "Lora | None":
    """The recorded LoRA, where it lies now."""
    from mm_model.vcd.lora import Lora

    if recorded is None and moved is not None:
        raise UserError("The clip was made without --lora: leave it out.")
    if recorded is None or moved is None:
        return None if recorded is None else Lora.of(recorded)
    scale = Lora.of(recorded).scale
    if moved.scale not in (1.0, scale):
        raise UserError(
            f"The clip was made with {scale:g} of its LoRA: give its file alone with --lora."
        )
    return Lora(moved.file, scale)


def _refined(
    order: _Order,
    loaded: "LoadedShow",
    takes: list["Take"],
    profile: Profile,
    clips: list["np.ndarray"],
) -> "tuple[list[np.ndarray], list[str]]":
    """The clips, drawn again where that was asked for, and what each step says of itself."""
    if order.plan is None:
        return clips, []
    from mm_model.refine.chosen import redrawer_of
    from mm_model.refine.finding import finder
    from mm_model.refine.plan import refined

    find = finder(order.facepack, profile.faces, profile.run.threads)
    made: list[np.ndarray] = []
    notes: list[str] = []
    for take, clip in zip(takes, clips, strict=True):
        redrawer = redrawer_of(loaded.animator, take, order.subject.tokens)
        done = refined(clip, order.plan, redrawer, find)
        made.append(done.frames)
        notes += done.notes
    return made, list(dict.fromkeys(notes))


def _admitted(subject: "LearnedSubject", prompt: str, say: Say) -> str:
    """The prompt with the subject in it, where it asks for nothing that must not be made."""
    policy.check_prompt(prompt, subject.basis)
    placed = subject.placed(prompt)
    if placed != prompt:
        say(f"read as: {placed}")
    return placed


def _state_consent(layout: Layout, subject: "LearnedSubject") -> None:
    """Put a person's consent into this tree's file; one in words stands where it was learned."""
    if subject.consent is not None and not consents.is_of_words(subject.consent):
        consents.record(consents.path_below(layout.root), consents.Statement(subject.consent))


def refuse_numbers(asked: Document) -> None:
    """Raises `UserError` where no model can follow one."""
    from mm_model.vcd.animate import Take

    Take("", **asked)


def _clips(
    loaded: "LoadedShow", takes: list["Take"], subject: "LearnedSubject"
) -> list["np.ndarray"]:
    total = sum(take.steps for take in takes)
    with Steps("generating") as steps:

        def counted(before: int) -> OnStep:
            return lambda step, _: steps.told(before + step, total)

        return [
            loaded.animator.clip(take, subject.tokens, counted(number * take.steps))
            for number, take in enumerate(takes)
        ]


def memory_said(profile: Profile) -> str:
    """What little memory means on the device of the profile."""
    from mm_model.generation import memory
    from mm_model.settings.device import device_of

    return memory.said_of(device_of(profile.run))


def _values(profile: Profile, wish: SubjectWish) -> Document:
    """What has a say in a clip and is not asked for."""
    return {"dtype": profile.run.dtype, **wish.held.values}
