"""What Face VCD gives back of a face, against its size in pixels, on the embedded default.

Held-out drawn people are learned by their tokens. Clips that show them small are redrawn by the
same backbone with their own tokens, and as a control with somebody else's. The clips are drawn by
the world, which makes small faces, or made by the backbone and shrunk. The known place of a face
stands in for the detector, before and after, so that size alone is compared.
Source: Magic-Me (arXiv 2402.09368), section 4.3.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from mm_model.embedded.objects.example import PERSON, DrawnSubject
from mm_model.embedded.people.clips import clip as drawn_clip
from mm_model.embedded.people.encode import encode_picture
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import shot
from mm_model.facepack.port import Face
from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.refine import boxes, cog, paste
from mm_model.refine.plan import RefinePlan, refined
from mm_model.reproduce import plots
from mm_model.reproduce.alike import shipped_judges
from mm_model.reproduce.drawn_tokens import TokenLearning
from mm_model.reproduce.results import Shelf
from mm_model.settings import load_profile
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.vcd.animate import Take
from mm_model.vcd.augment import plain
from mm_model.vcd.bases import open_base
from mm_model.vcd.cog_clips import CogAnimator
from mm_model.vcd.cogvideox import CogVideoX
from mm_model.vcd.tokens import IdTokens, placeholder_of

NAME = "facesize"
VERSION = 1
"""Raised when equal settings give another result."""

DRAWN, MADE = "drawn", "made"
"""Clips of the world, and of the backbone with the person's tokens."""

OWN, OTHER = "own tokens", "another's tokens"

_LEARNED, _ASIDE, _SIDE = 8, 4, 128
_LOOK, _LOOKED_AT = 2.6, 128
"""A judge sees a square of so many times the face, at so many pixels."""

_EVERY = 4
"""Frames of a clip that are judged: one in so many."""


@dataclass(frozen=True)
class Redrawing:
    """Whose tokens are heard, the crop over the face's side, and the strength."""

    heard: str
    crop: float
    strength: float

    def __str__(self) -> str:
        return f"{self.heard}, crop {self.crop:g}, strength {self.strength:g}"


TRAINED = 2.2
"""Side of what the backbone was trained on over a face's height (`model.crop_margin`)."""

REDRAWINGS = (
    Redrawing(OWN, boxes.CROP, cog.STRENGTHS["face"]),
    Redrawing(OWN, TRAINED, cog.STRENGTHS["face"]),
    Redrawing(OTHER, TRAINED, cog.STRENGTHS["face"]),
)
"""By the published crop, and by the one that the backbone knows."""


@dataclass(frozen=True)
class FaceSizeStudy:
    """Held-out adults by the seeds of `DrawnSubject`, none of whom chose a value of the tokens.

    sizes: the shorter side of a face's box in pixels, in frames of `frame` pixels a side.
    steps: of a learning, the profile's where it is None.
    """

    people: tuple[int, ...] = (8, 9, 10, 11, 12, 13)
    sizes: tuple[int, ...] = (12, 18, 30)
    actions: tuple[str, ...] = ("smiles",)
    frame: int = 160
    redrawings: tuple[Redrawing, ...] = REDRAWINGS
    steps: int | None = None
    seed: int = 10


@dataclass(frozen=True, eq=False)
class SmallFace:
    """`frames [F,H,W,3]` uint8 and the face in each of them."""

    frames: np.ndarray
    faces: tuple[Face, ...]

    def shrunk(self, side: int, frame: int) -> SmallFace:
        """The clip with a face of `side` pixels amid frames of `frame`, its edges carried on."""
        factor = side / float(np.median([face.short_side for face in self.faces]))
        now = round(len(self.frames[0]) * factor)
        small = paste.resized(self.frames, now, now)
        left = max(0, frame - now) // 2
        right = max(0, frame - now - left)
        wide = np.pad(small, ((0, 0), (left, right), (left, right), (0, 0)), mode="edge")
        faces = tuple(face.enlarged(now / len(self.frames[0])) for face in self.faces)
        return SmallFace(wide, tuple(face.moved(left, left) for face in faces))


class _Bench:
    """One backbone, and who judges."""

    def __init__(self, root: Path, study: FaceSizeStudy) -> None:
        self.study, self.profile = study, load_profile(root, "tiny")
        opened = open_base(root / "weights" / "tiny" / "backbone", self.profile)
        base: Any = opened.base
        self.base: CogVideoX = base
        self.digest, self.animator = opened.digest, CogAnimator(base)
        self.likeness, self.judged = shipped_judges(root, self.profile)
        self.likeness.enrol({seed: self._aside(seed) for seed in study.people})
        self.values = self.profile.subject.for_backbone()
        if study.steps is not None:
            self.values = self.values.model_copy(update={"steps": study.steps})

    def _aside(self, seed: int) -> list[np.ndarray]:
        """Photographs that nothing was learned from, at the backbone's size."""
        found = DrawnSubject(PERSON, seed).photographs(_LEARNED + _ASIDE, _SIDE)[_LEARNED:]
        return [plain(one.image, one.mask, self.base.size).pixels for one in found]

    def learned(self, seed: int, work: Path) -> IdTokens:
        """The tokens of a person, by the values of the profile."""
        who, name = DrawnSubject(PERSON, seed), f"person-{seed}"
        shown = who.photographs(_LEARNED, _SIDE)
        by = TokenLearning(self.base, self.digest, self.values, self.profile.run.seed)
        return by.learned((name, who.word), shown, work, title=name).tokens

    def take(self, seed: int, place: int, tokens: IdTokens) -> Take:
        """What is said of the person doing one of the actions."""
        word, serve = DrawnSubject(PERSON, seed).word, self.profile.serve
        article = "an" if word[0] in "aeiou" else "a"
        return Take(
            f"{article} {tokens.placeholder} {word} {self.study.actions[place]}",
            self.study.seed + place,
            frames=self.profile.model.num_frames,
            height=self.base.size,
            width=self.base.size,
            steps=serve.default_steps,
            guidance=serve.default_guidance,
        )

    def drawn(self, seed: int, place: int, side: int) -> SmallFace:
        """The person in a place of its own, drawn with a face of `side` pixels."""
        first = self._drawn(seed, place, side)
        wide = float(np.median([face.short_side for face in first.faces]))
        return self._drawn(seed, place, side * side / wide)

    def _drawn(self, seed: int, place: int, height: float) -> SmallFace:
        """`height` of the face in pixels; how wide it is says the person."""
        study, rng = self.study, np.random.default_rng([seed, place])
        setup = replace(shot(rng), face_height=height / study.frame, offset=(0.0, 0.0))
        shown = drawn_clip(
            person(DrawnSubject(PERSON, seed).person),
            study.actions[place],
            setup,
            num_frames=self.profile.model.num_frames,
            size=study.frame,
            rng=rng,
        )
        faces = tuple(Face(one.box, 1.0, one.landmarks) for one in shown.faces)
        return SmallFace(shown.frames, faces)

    def made(self, seed: int, place: int, tokens: IdTokens) -> SmallFace | None:
        """The backbone's own clip with the tokens; None where over half of it shows no face. A
        frame that shows none has the face of the nearest one.
        """
        frames = self.animator.clip(self.take(seed, place, tokens), tokens)
        seen_in = [self.likeness.pack.detect(frame) for frame in frames]
        found = {k: faces[0] for k, faces in enumerate(seen_in) if faces}
        if len(found) * 2 < len(frames):
            return None
        near = [min(found, key=lambda at: abs(at - k)) for k in range(len(frames))]
        return SmallFace(frames, tuple(found[at] for at in near))

    def redrawn(self, given: SmallFace, take: Take, tokens: IdTokens, how: Redrawing) -> SmallFace:
        """The clip after Face VCD; each frame's face is where it was."""
        heard = cog.of_tokens(self.base, take, tokens)
        redrawer = cog.CogRedrawer(self.animator.pipe, take, heard)
        faces, plan = iter(given.faces), RefinePlan(("face",), how.strength, how.crop)
        made = refined(given.frames, plan, redrawer, lambda _: [next(faces)])
        return replace(given, frames=made.frames)

    def identity(self, clips: Sequence[SmallFace], seed: int) -> dict[str, float | None]:
        """Mean cosine of the clips' faces with the person's photographs, by judge."""
        looks = [
            seen(one.frames[k], one.faces[k])
            for one in clips
            for k in range(0, len(one.frames), _EVERY)
        ]
        return {judge: found[str(seed)] for judge, found in self.likeness.of_faces(looks).items()}


def seen(frame: np.ndarray, face: Face) -> tuple[np.ndarray, Face]:
    """A face of `frame [H,W,3]` and what is around it, enlarged, with the face there."""
    side = max(2, round(_LOOK * face.short_side))
    centre = (face.box[:2] + face.box[2:]) / 2
    left, top = (int(at) for at in np.round(centre - side / 2))
    wide = np.pad(frame, ((side, side), (side, side), (0, 0)), mode="edge")
    cut = wide[top + side : top + 2 * side, left + side : left + 2 * side]
    large = paste.resized(cut[None], _LOOKED_AT, _LOOKED_AT)[0]
    return large, face.moved(-left, -top).enlarged(_LOOKED_AT / side)


def reproduce(root: Path, processes: int = 2, study: FaceSizeStudy | None = None) -> Shelf:
    """Write `facesize.json` and `facesize.png`; returns where they lie. Resumes by person and
    size.
    """
    study = study or FaceSizeStudy()
    torch.set_num_threads(max(1, processes))
    bench = _Bench(root, study)
    setting: Document = {
        "study": asdict(study),
        "subject": bench.values.model_dump(mode="json", exclude={"on_backbone"}),
    }
    judges = [bench.likeness.judges[name].digest for name in sorted(bench.likeness.judges)]
    every_size = replace(study, sizes=())  # a part is of one
    known = [VERSION, asdict(every_size), setting["subject"], bench.digest, judges]
    origin = digests.of_value(known)
    shelf = Shelf(root / "work" / "reproduce" / NAME, NAME, origin)
    whose = digests.of_value([VERSION, setting["subject"], bench.digest])
    learned = replace(shelf, origin=whose)  # how something is redrawn has no say in the tokens
    tokens = {seed: _tokens(bench, learned, seed) for seed in study.people}
    parts = [
        _part(bench, shelf, seed, side, tokens) for side in study.sizes for seed in study.people
    ]
    rows = figures(study, parts)
    said = {
        **setting,
        "judges": {one.name: one.title for one in bench.judged.judges},
        "notes": bench.judged.notes,
        "by size": rows,
        "parts": [{k: v for k, v in part.items() if k != "shown"} for part in parts],
    }
    shelf.write(said, plots.face_size(rows, parts, [str(how) for how in study.redrawings]))
    return shelf


def _tokens(bench: _Bench, shelf: Shelf, seed: int) -> IdTokens:
    """A person's tokens, from the shelf where they were learned before."""
    name = f"tokens-{seed}"
    if (kept := shelf.part(name)) is None:
        made = bench.learned(seed, shelf.folder / "learning" / name).vectors
        kept = {"vectors": made.tolist()}
        shelf.keep(name, kept)
    return IdTokens(placeholder_of(f"person-{seed}"), torch.tensor(kept["vectors"]))


def _part(
    bench: _Bench, shelf: Shelf, seed: int, side: int, tokens: dict[int, IdTokens]
) -> Document:
    """One person at one size; from the shelf where it was finished before."""
    name = f"person-{seed}-{side}-pixels"
    if (kept := shelf.part(name)) is not None:
        return kept
    study, began = bench.study, time.monotonic()
    people, places = study.people, range(len(study.actions))
    other = people[(people.index(seed) + 1) % len(people)]
    by = {OWN: tokens[seed], OTHER: tokens[other]}
    made = {place: bench.made(seed, place, by[OWN]) for place in places}
    given = {
        DRAWN: {place: bench.drawn(seed, place, side) for place in places},
        MADE: {p: one.shrunk(side, study.frame) for p, one in made.items() if one is not None},
    }
    part: Document = {"person": seed, "size": side, "clips": {}}
    for source, clips in given.items():
        before = list(clips.values())
        after = {str(how): _after(bench, seed, clips, by, how) for how in study.redrawings}
        part["clips"][source] = {
            "number": len(clips),
            "pixels": _side(before),
            "before": bench.identity(before, seed),
            "after": {how: bench.identity(found, seed) for how, found in after.items()},
        }
        if source == DRAWN:
            column = _column([clips[0], *(found[0] for found in after.values())])
            part["shown"] = base64.b64encode(encode_picture(column, ".png")).decode()
    part["seconds"] = round(time.monotonic() - began, 1)
    shelf.keep(name, part)
    return part


def _after(
    bench: _Bench,
    seed: int,
    clips: Mapping[int, SmallFace],
    by: Mapping[str, IdTokens],
    how: Redrawing,
) -> list[SmallFace]:
    """The clips redrawn; each is of the action of its place."""
    tokens = by[how.heard]
    return [
        bench.redrawn(one, bench.take(seed, place, tokens), tokens, how)
        for place, one in clips.items()
    ]


def _side(clips: Sequence[SmallFace]) -> float | None:
    sides = [face.short_side for one in clips for face in one.faces]
    return round(float(np.median(sides)), 1) if sides else None


def _column(clips: Sequence[SmallFace]) -> np.ndarray:
    """The middle frame's face of each clip, one below the other."""
    middle = len(clips[0].frames) // 2
    return np.concatenate([seen(one.frames[middle], one.faces[middle])[0] for one in clips])


def shown_of(parts: Sequence[Document]) -> np.ndarray:
    """The faces of some parts, uint8 `[H,W,3]`: a column a part."""
    found = [np.frombuffer(base64.b64decode(part["shown"]), np.uint8) for part in parts]
    columns = [np.asarray(cv2.imdecode(one, cv2.IMREAD_COLOR)) for one in found]
    return cv2.cvtColor(np.concatenate(columns, axis=1), cv2.COLOR_BGR2RGB)


def figures(study: FaceSizeStudy, parts: Sequence[Document]) -> list[Document]:
    """A row a kind of clip and size: identity before, and gains over people with intervals."""
    rows = []
    for source in (DRAWN, MADE):
        for side in study.sizes:
            found = [part["clips"][source] for part in parts if part["size"] == side]
            row: Document = {"clips": source, "size": side, "judges": {}}
            row["pixels"] = mean_interval([one["pixels"] for one in found])["value"]
            for judge in found[0]["before"]:
                before = [one["before"][judge] for one in found]
                after = {
                    how: [one["after"][how][judge] for one in found] for how in found[0]["after"]
                }
                row["judges"][judge] = {
                    "before": mean_interval(before),
                    "gain": {how: paired_interval(after[how], before) for how in after},
                    "own over another's": {
                        f"crop {own.crop:g}, strength {own.strength:g}": paired_interval(
                            after[str(own)], after[str(other)]
                        )
                        for own in study.redrawings
                        for other in study.redrawings
                        if own == replace(other, heard=OWN) != other
                    },
                }
            rows.append(row)
    return rows
