"""Magic-Me's protocol at tiny scale: 16 drawn subjects, 25 sentences, and its two ablations.

Each subject's tokens are learned from photographs of one place with true masks, and again without.
Clips of every sentence are made four times from the same noise: by the plain base, by the whole
method (tokens of masks, correlated noise), without the masks, and without the noise prior.
Source: Magic-Me (arXiv 2402.09368), sections 5.2 to 5.4.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mm_model.embedded.objects.example import PERSON, DrawnSubject
from mm_model.embedded.objects.things import Pictured
from mm_model.embedded.people.action import ACTIONS, STILLS
from mm_model.metrics.subject import SubjectClip, SubjectNetworks, measured
from mm_model.progress import Steps
from mm_model.reproduce import tiers, verdicts
from mm_model.reproduce.alike import Likeness, ObjectLooks, shipped_judges
from mm_model.reproduce.drawn_tokens import TokenLearning
from mm_model.reproduce.masks import ground_alike
from mm_model.reproduce.obeying import obeyed
from mm_model.reproduce.results import Shelf
from mm_model.reproduce.subjects import strip_of_frames
from mm_model.reproduce.verdicts import BASE, NO_MASKS, NO_PRIOR, VARIANTS, WHOLE
from mm_model.settings import Profile, load_profile
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.vcd.animate import Take
from mm_model.vcd.augment import plain
from mm_model.vcd.bases import open_base
from mm_model.vcd.cog_clips import CogAnimator
from mm_model.vcd.tokens import placeholder_of

if TYPE_CHECKING:
    from mm_model.settings.subject import SubjectSettings
    from mm_model.vcd.cogvideox import CogVideoX
    from mm_model.vcd.tokens import IdTokens

NAME = "protocol"
VERSION = 1
"""Raised when equal settings give another result."""

LEARNED, ASIDE = 8, 4
"""Photographs that a subject is learned from, and others that clips are compared with."""

_SIDE, _FPS = 128, 8.0
_FIRST = ("smiles", "nods", "turns the head to the left", "talks")


def _sentences() -> tuple[str, ...]:
    """All that the embedded backbone was told of people, those of the other studies first."""
    known = [*_FIRST, *ACTIONS.values(), *STILLS.values()]
    return (*(f"{{}} {words}" for words in dict.fromkeys(known)), "photo of {}")


SENTENCES = _sentences()


@dataclass(frozen=True)
class ProtocolStudy:
    """Whom to learn, by the seeds of `DrawnSubject`, and how many of `SENTENCES` the clips show.

    The people are in no other study. gamma: of the noise prior, as the paper uses it (0.05 to 0.3).
    steps, sampling: of a learning and of a clip; the profile's where they are None.
    """

    people: tuple[int, ...]
    cups: tuple[int, ...]
    toys: tuple[int, ...]
    sentences: int
    _: KW_ONLY
    gamma: float = 0.1
    frames: int = 9
    seed: int = 10
    steps: int | None = None
    sampling: int | None = None

    @property
    def subjects(self) -> list[DrawnSubject]:
        """All of them, people first."""
        kinds = ((PERSON, self.people), ("cup", self.cups), ("toy", self.toys))
        return [DrawnSubject(kind, seed) for kind, seeds in kinds for seed in seeds]


TIERS = {
    tiers.SMOKE: ProtocolStudy((14,), (1,), (), 1, steps=2, sampling=2),
    tiers.QUICK: ProtocolStudy((14, 15), (1,), (0,), 4),
    tiers.PAPER: ProtocolStudy(tuple(range(14, 22)), (1, 5, 6, 8), (0, 6, 8, 9), 25),
}
"""`paper`: 16 subjects and 25 sentences. Two subjects are too few for an interval."""


@dataclass(frozen=True, eq=False)
class _Bench:
    """What all subjects are learned on, shown by and judged with."""

    profile: Profile
    base: CogVideoX
    digest: str
    animator: CogAnimator
    likeness: Likeness
    networks: SubjectNetworks
    study: ProtocolStudy

    @property
    def values(self) -> SubjectSettings:
        """By which a subject is learned."""
        known, steps = self.profile.subject.for_backbone(), self.study.steps
        return known if steps is None else known.model_copy(update={"steps": steps})

    def seen(self, photographs: Sequence[Pictured]) -> list[Pictured]:
        """Photographs at the clips' size."""
        views = [plain(one.image, one.mask, self.base.size) for one in photographs]
        return [Pictured(view.pixels, view.mask) for view in views]

    def aside(self, subject: DrawnSubject) -> list[Pictured]:
        """Photographs that nothing is learned from, each in a place of its own."""
        return self.seen(subject.photographs(LEARNED + ASIDE, _SIDE)[LEARNED:])

    @cached_property
    def grounds(self) -> dict[DrawnSubject, list[Pictured]]:
        """The photographs of one place that each subject is learned from."""
        return {one: self.seen(_shown(one)) for one in self.study.subjects}


def reproduce(
    root: Path,
    processes: int = 2,
    study: ProtocolStudy | None = None,
    networks: SubjectNetworks | None = None,
) -> Shelf:
    """Write `protocol.json` and `protocol.png` of a tier; returns where they lie. Resumes by
    subject, and a learning by its steps.
    """
    study, networks = study or TIERS[tiers.QUICK], networks or SubjectNetworks()
    torch.set_num_threads(max(1, processes))
    profile = load_profile(root, "tiny")
    opened = open_base(root / "weights" / "tiny" / "backbone", profile)
    base: Any = opened.base
    likeness, judges = shipped_judges(root, profile)
    bench = _Bench(
        profile=profile,
        base=base,
        digest=opened.digest,
        animator=CogAnimator(base),
        likeness=likeness,
        networks=networks,
        study=study,
    )
    people = [one for one in study.subjects if one.kind == PERSON]
    likeness.enrol({one.seed: [photo.image for photo in bench.aside(one)] for one in people})
    values = bench.values.model_dump(mode="json", exclude={"on_backbone"})
    setting: Document = {"study": asdict(study), "subject": values}
    asked = [study.sampling or profile.serve.default_steps, profile.serve.default_guidance]
    packs = [likeness.judges[name].digest for name in sorted(likeness.judges)]
    known = [VERSION, setting, asked, opened.digest, packs, networks.weights]
    tier = next((name for name, one in TIERS.items() if one == study), "own")
    shelf = Shelf(tiers.folder_of(root, NAME, tier), NAME, digests.of_value(known))
    parts = [_part(bench, shelf, one) for one in study.subjects]
    from mm_model.reproduce import plots

    said = {
        "command": f"make {NAME} TIER={tier}",
        "tier": tier,
        **setting,
        "judges": {one.name: one.title for one in judges.judges},
        "notes": judges.notes,
    }
    shelf.write(said | _figures(bench, parts), plots.protocol(parts, list(VARIANTS)))
    return shelf


def _figures(bench: _Bench, parts: Sequence[Document]) -> Document:
    return {
        "sentences": SENTENCES[: bench.study.sentences],
        "networks": bench.networks.weights,
        **verdicts.figures(parts),
        "subjects": [{k: v for k, v in part.items() if k != "shown"} for part in parts],
    }


def _shown(subject: DrawnSubject) -> list[Pictured]:
    return subject.photographs(LEARNED, _SIDE, one_place=True)


def _part(bench: _Bench, shelf: Shelf, subject: DrawnSubject) -> Document:
    """One subject: learned twice, shown four times; from the shelf where it was finished before."""
    name = f"{subject.kind}-{subject.seed}"
    if (kept := shelf.part(name)) is not None:
        return kept
    began, learned = time.monotonic(), {}
    for masked in (True, False):
        learned[masked] = _tokens(bench, shelf, subject, masked=masked)
    seconds = {"a learning": round((time.monotonic() - began) / 2, 1)}
    gamma = bench.study.gamma
    made = {BASE: (None, 0.0), WHOLE: (learned[True], gamma)}
    made |= {NO_MASKS: (learned[False], gamma), NO_PRIOR: (learned[True], 0.0)}
    began = time.monotonic()
    with Steps(f"{name}: clips") as steps:
        clips = {}
        for place, (variant, (tokens, prior)) in enumerate(made.items()):
            clips[variant] = _clips(bench, subject, tokens, prior)
            steps.told(place + 1, len(made))
    number = len(made) * bench.study.sentences
    seconds["a clip"] = round((time.monotonic() - began) / number, 2)
    began = time.monotonic()
    scores = {variant: _scores(bench, subject, found) for variant, found in clips.items()}
    seconds["measuring a clip"] = round((time.monotonic() - began) / number, 2)
    shown = strip_of_frames(bench.grounds[subject], list(clips.values()))
    part = {"name": name, "kind": subject.kind, "seconds": seconds, "scores": scores}
    shelf.keep(name, part | {"shown": shown})
    return part | {"shown": shown}


def _tokens(bench: _Bench, shelf: Shelf, subject: DrawnSubject, *, masked: bool) -> IdTokens:
    """The subject's tokens, of its true masks or of whole photographs."""
    name = f"{subject.kind}-{subject.seed}"
    key = f"{name}-{'masks' if masked else 'whole'}"
    by = TokenLearning(bench.base, bench.digest, bench.values, bench.profile.run.seed)
    work = shelf.folder / "learning" / key
    who, title = (name, subject.word), f"{key}: learning"
    return by.learned(who, _shown(subject), work, title=title, masked=masked).tokens


def _clips(
    bench: _Bench, subject: DrawnSubject, tokens: IdTokens | None, gamma: float
) -> list[np.ndarray]:
    """A clip a sentence; equal places of two variants begin from the same noise but for gamma."""
    study, serve = bench.study, bench.profile.serve
    name = "" if tokens is None else f" {placeholder_of(f'{subject.kind}-{subject.seed}')}"
    return [
        bench.animator.clip(
            Take(
                sentence.format(f"{_article(subject)}{name} {subject.word}"),
                study.seed + place,
                frames=study.frames,
                height=bench.base.size,
                width=bench.base.size,
                steps=study.sampling or serve.default_steps,
                guidance=serve.default_guidance,
                gamma=gamma,
            ),
            tokens,
        )
        for place, sentence in enumerate(SENTENCES[: study.sentences])
    ]


def _article(subject: DrawnSubject) -> str:
    return "an" if subject.word[0] in "aeiou" else "a"


def _scores(bench: _Bench, subject: DrawnSubject, clips: list[np.ndarray]) -> Document:
    """Means over the clips of one variant, by measure; what cannot be had is None."""
    aside = tuple(one.image for one in bench.aside(subject))
    said = [
        sentence.format(f"{_article(subject)} {subject.word}")
        for sentence in SENTENCES[: len(clips)]
    ]
    rows: list[Document] = [
        dict(measured(SubjectClip(frames=clip, fps=_FPS, photographs=aside, prompt=words),
                      bench.networks).values)
        for clip, words in zip(clips, said, strict=True)
    ]  # fmt: skip
    if subject.kind == PERSON:
        pack = bench.likeness.pack
        for row, clip, words in zip(rows, clips, said, strict=True):
            row["obeyed"] = obeyed(clip, words, pack)
    found = {name: _mean([row[name] for row in rows]) for name in rows[0]}
    found["ground"] = _ground(bench, subject, clips)
    if subject.kind == PERSON:
        told = bench.likeness.of(clips)
        return found | {f"identity, {who}": row[str(subject.seed)] for who, row in told.items()}
    return found | _apart(bench, subject, np.concatenate(clips))


def _apart(bench: _Bench, subject: DrawnSubject, frames: np.ndarray) -> dict[str, float]:
    """How much more the frames look like the object than like one of the other kind."""
    rival = DrawnSubject("toy" if subject.kind == "cup" else "cup", subject.seed)
    own, other = (ObjectLooks(bench.aside(one)).of(frames) for one in (subject, rival))
    return {f"{look}, own minus other": own[look] - other[look] for look in own}


def _ground(bench: _Bench, subject: DrawnSubject, clips: list[np.ndarray]) -> float:
    """Likeness of the ground to that of the own photographs, minus to those of the others."""
    frames = np.concatenate(clips)
    alike = {one: ground_alike(frames, found) for one, found in bench.grounds.items()}
    own = alike.pop(subject)
    return own - float(np.mean(list(alike.values())))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return float(np.mean(known)) if known else None
