"""Subjects learned by their tokens on the embedded backbone: held-out people, cups and toys.

Each is learned from eight drawn photographs; clips with the tokens are compared with those of the
same words without them, from the same noise. People are told by recognisers, objects by colour and
by shape against an object of the other kind. Nothing of it trained the backbone, which never saw a
cup or a toy.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from mm_model.embedded.objects.example import PERSON, DrawnSubject
from mm_model.embedded.objects.things import Pictured
from mm_model.embedded.people.encode import encode_picture
from mm_model.facepack.port import FacePack
from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.reproduce.alike import Likeness, ObjectLooks, shipped_judges
from mm_model.reproduce.drawn_tokens import TokenLearning
from mm_model.reproduce.results import Shelf
from mm_model.settings import Profile, load_profile
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.vcd.animate import Take
from mm_model.vcd.augment import plain
from mm_model.vcd.bases import open_base
from mm_model.vcd.cog_clips import CogAnimator
from mm_model.vcd.tokens import placeholder_of

if TYPE_CHECKING:
    from mm_model.vcd.cogvideox import CogVideoX

NAME = "subjects"
VERSION = 1
"""Raised when equal settings give another result."""

LEARNED, ASIDE = 8, 4
"""Photographs of a subject that it is learned from, and others that it is compared with."""

_SIDE = 128
_SHOWN = 3


@dataclass(frozen=True)
class SubjectsStudy:
    """Whom to learn, by the seeds of `DrawnSubject`, and what the clips show."""

    people: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7)
    cups: tuple[int, ...] = (0, 3)
    toys: tuple[int, ...] = (1, 3)
    person_sentences: tuple[str, ...] = (
        "{} smiles",
        "{} nods",
        "{} turns the head to the left",
        "{} talks",
    )
    object_sentences: tuple[str, ...] = ("photo of {}", "{}", "{} turns the head to the left")
    frames: int = 9
    seed: int = 10

    @property
    def subjects(self) -> list[DrawnSubject]:
        """All of them, people first; the n-th cup and the n-th toy are held against each other."""
        people = [DrawnSubject(PERSON, seed) for seed in self.people]
        things = zip(self.cups, self.toys, strict=True)
        pairs = [(DrawnSubject("cup", cup), DrawnSubject("toy", toy)) for cup, toy in things]
        return [*people, *(one for pair in pairs for one in pair)]


@dataclass(frozen=True, eq=False)
class _Bench:
    """What all subjects are learned on, shown by and judged with."""

    profile: Profile
    base: CogVideoX
    animator: CogAnimator
    likeness: Likeness
    study: SubjectsStudy

    @property
    def size(self) -> int:
        return self.base.size

    def seen(self, photographs: Sequence[Pictured]) -> list[Pictured]:
        """Photographs at the clips' size."""
        views = [plain(one.image, one.mask, self.size) for one in photographs]
        return [Pictured(view.pixels, view.mask) for view in views]


def _values(profile: Profile) -> Document:
    """The section as it holds on the backbone."""
    return profile.subject.for_backbone().model_dump(mode="json", exclude={"on_backbone"})


def reproduce(root: Path, processes: int = 2, study: SubjectsStudy | None = None) -> Shelf:
    """Write `subjects.json` and `subjects.png`; returns where they lie. Resumes by subject."""
    study = study or SubjectsStudy()
    torch.set_num_threads(max(1, processes))
    profile = load_profile(root, "tiny")
    opened = open_base(root / "weights" / "tiny" / "backbone", profile)
    base: Any = opened.base
    likeness, judges = shipped_judges(root, profile)
    references = {s.seed: _photographs(s)[1] for s in study.subjects if s.kind == PERSON}
    bench = _Bench(profile, base, CogAnimator(base), likeness, study)
    likeness.enrol(
        {seed: [one.image for one in bench.seen(found)] for seed, found in references.items()}
    )
    setting = {"study": asdict(study), "subject": _values(profile)}
    asked = [profile.serve.default_steps, profile.serve.default_guidance]
    known = [VERSION, setting, asked, opened.digest, _digests(likeness.judges)]
    shelf = Shelf(root / "work" / "reproduce" / NAME, NAME, digests.of_value(known))
    parts = [_part(bench, shelf, one) for one in study.subjects]
    from mm_model.reproduce import plots

    notes = {"judges": {one.name: one.title for one in judges.judges}, "notes": judges.notes}
    shelf.write({**setting, **notes, **_figures(study, parts)}, plots.subjects(parts))
    return shelf


def _digests(judges: dict[str, FacePack]) -> list[str]:
    return [judges[name].digest for name in sorted(judges)]


def _photographs(subject: DrawnSubject) -> tuple[list[Pictured], list[Pictured]]:
    """Those that are learned from, and those that are not."""
    found = subject.photographs(LEARNED + ASIDE, _SIDE)
    return found[:LEARNED], found[LEARNED:]


def _part(bench: _Bench, shelf: Shelf, subject: DrawnSubject) -> Document:
    """One subject: learned, shown and compared; from the shelf where it was finished before."""
    name = f"{subject.kind}-{subject.seed}"
    if (kept := shelf.part(name)) is not None:
        return kept
    shown, aside = _photographs(subject)
    began = time.monotonic()
    values = bench.profile.subject.for_backbone()
    by = TokenLearning(bench.base, shelf.origin, values, bench.profile.run.seed)
    work = shelf.folder / "learning" / name
    done = by.learned((name, subject.word), shown, work, title=name)
    seconds = time.monotonic() - began
    clips = {
        "base": _clips(bench, subject, None),
        "tokens": _clips(bench, subject, done.tokens),
        "true": [np.stack([one.image for one in bench.seen(aside)])],
    }
    part = {
        "name": name,
        "kind": subject.kind,
        "word": subject.word,
        "seconds": round(seconds, 1),
        "loss": {
            "first": round(float(np.mean(done.losses[:40])), 4),
            "last": round(float(np.mean(done.losses[-40:])), 4),
        },
        "scores": _scores(bench, subject, clips),
        "shown": strip_of_frames(bench.seen(shown), [clips["base"], clips["tokens"]]),
    }
    shelf.keep(name, part)
    return part


def _clips(bench: _Bench, subject: DrawnSubject, tokens: Any) -> list[np.ndarray]:
    """A clip a sentence, with the tokens or without, from the same noise."""
    study, serve = bench.study, bench.profile.serve
    said = study.person_sentences if subject.kind == PERSON else study.object_sentences
    article = "an" if subject.word[0] in "aeiou" else "a"
    name = placeholder_of(f"{subject.kind}-{subject.seed}")
    who = f"{article} {subject.word}" if tokens is None else f"{article} {name} {subject.word}"
    return [
        bench.animator.clip(
            Take(
                sentence.format(who),
                study.seed + place,
                frames=study.frames,
                height=bench.size,
                width=bench.size,
                steps=serve.default_steps,
                guidance=serve.default_guidance,
            ),
            tokens,
        )
        for place, sentence in enumerate(said)
    ]


def _scores(
    bench: _Bench, subject: DrawnSubject, clips: dict[str, list[np.ndarray]]
) -> dict[str, Document]:
    """What each kind of clip is told to show: a cosine with everybody, or looks against another."""
    if subject.kind == PERSON:
        return {kind: bench.likeness.of(found) for kind, found in clips.items()}
    subjects = bench.study.subjects
    things = [one for one in subjects if one.kind != PERSON]
    at = things.index(subject)
    other = things[at + 1 if at % 2 == 0 else at - 1]
    looks = [ObjectLooks(bench.seen(_photographs(one)[0])) for one in (subject, other)]
    found = {}
    for kind, shown in clips.items():
        frames = np.concatenate(shown)
        own, others = (one.of(frames) for one in looks)
        found[kind] = {
            name: {"own": own[name], "other": others[name], "apart": own[name] - others[name]}
            for name in own
        }
    return found


def _figures(study: SubjectsStudy, parts: Sequence[Document]) -> Document:
    """Means and intervals over people, and over objects."""
    people = [part for part in parts if part["kind"] == PERSON]
    things = [part for part in parts if part["kind"] != PERSON]
    found: Document = {
        "seconds": [part["seconds"] for part in parts],
        "people": {},
        "objects": {},
        "subjects": [{k: v for k, v in part.items() if k != "shown"} for part in parts],
    }
    for judge in people[0]["scores"]["base"] if people else ():
        own = {
            kind: [_own(part, kind, judge, study) for part in people]
            for kind in ("base", "tokens", "true")
        }
        found["people"][judge] = {
            "gain": paired_interval(own["tokens"], own["base"]),
            **{kind: mean_interval(values) for kind, values in own.items()},
            "named right": {
                kind: sum(_named(part, kind, judge) == _seed(part) for part in people)
                for kind in own
            },
        }
    for look in things[0]["scores"]["base"] if things else ():
        apart = {
            kind: [part["scores"][kind][look]["apart"] for part in things]
            for kind in ("base", "tokens", "true")
        }
        found["objects"][look] = {
            "gain": paired_interval(apart["tokens"], apart["base"]),
            **{kind: mean_interval(values) for kind, values in apart.items()},
        }
    return found


def _seed(part: Document) -> str:
    return str(part["name"]).rpartition("-")[2]


def _own(part: Document, kind: str, judge: str, study: SubjectsStudy) -> float | None:
    return part["scores"][kind][judge].get(_seed(part))


def _named(part: Document, kind: str, judge: str) -> str | None:
    """Whom of all people the judge names; nobody where no face was found."""
    found = {
        who: cosine for who, cosine in part["scores"][kind][judge].items() if cosine is not None
    }
    return max(found, key=lambda who: found[who]) if found else None


def strip_of_frames(photographs: Sequence[Pictured], clips: Sequence[list[np.ndarray]]) -> str:
    """Photographs, then for each sentence the middle frames of the variants beside each other, as
    PNG in base64; three of each.
    """
    cells = [one.image for one in photographs[:_SHOWN]]
    for shots in list(zip(*clips, strict=True))[:_SHOWN]:
        gap = np.full((len(shots[0][0]), 8, 3), 255, np.uint8)
        cells += [gap, *(clip[len(clip) // 2] for clip in shots)]
    return base64.b64encode(encode_picture(np.concatenate(cells, axis=1), ".png")).decode()


def strip_of(part: Document) -> np.ndarray:
    """The row of a part's picture, uint8 `[H,W,3]`."""
    content = np.frombuffer(base64.b64decode(part["shown"]), np.uint8)
    return cv2.cvtColor(cv2.imdecode(content, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
