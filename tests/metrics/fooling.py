"""Clips made to fool the figures, and what catches which: `python -m tests.metrics.fooling`.

Writes docs/fooling.md. With the folder of another pack as argument, identity is by that pack.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mm_model.embedded.people.caption import caption
from mm_model.embedded.people.clips import clip, photograph
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import shot
from mm_model.evaluate.cells import everybody
from mm_model.evaluate.looks import largest, look_at
from mm_model.evaluate.variants import through_file
from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import FacePack, open_judge, open_pack, unit
from mm_model.judges.port import Judge, Lineage
from mm_model.metrics import goals, table
from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.metrics.obedience import action_of
from mm_model.metrics.port import Context, Evidence, Gallery
from mm_model.settings import load_profile

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "fooling.md"
PEOPLE, SIZE, FRAMES, FPS = 15, 64, 9, 8
_FIRST, _STREAM = 50_100, 0xF0
_ACTIONS = (
    "turns left, smiles, walks closer, nods, tilts right, opens the mouth, looks down, steps back, "
    "talks, turns right, looks up, shakes the head, blinks, raises the eyebrows, tilts left"
).split(", ")


@dataclass(frozen=True)
class Scene:
    """A person's true clip, two strangers of the same category doing the same, and photographs.

    `further` is one that is neither shown nor withheld; `place` the person's number.
    """

    prompt: str
    true: np.ndarray
    stranger: np.ndarray
    other: np.ndarray
    shown: tuple[np.ndarray, ...]
    withheld: tuple[np.ndarray, ...]
    further: np.ndarray
    place: int


@cache
def scene(place: int) -> Scene:
    """The scene of person number `place`; strangers are 70 and 140 people further on."""
    action, seed = _ACTIONS[place % len(_ACTIONS)], _FIRST + place

    def acted(who: int) -> np.ndarray:
        rng = np.random.default_rng([_STREAM, who, 0])
        drawn = clip(person(who), action, shot(rng), num_frames=FRAMES, size=SIZE, rng=rng)
        return drawn.frames

    def pictures(number: int) -> tuple[np.ndarray, ...]:
        rngs = [np.random.default_rng([_STREAM, seed, number + k]) for k in range(2)]
        return tuple(photograph(person(seed), rng, SIZE).image for rng in rngs)

    return Scene(
        caption(person(seed), action),
        acted(seed),
        acted(seed + 70),
        acted(seed + 140),
        pictures(1),
        pictures(3),
        pictures(5)[0],
        place,
    )


def _still(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture[None], FRAMES, axis=0)


def _moved(picture: np.ndarray, steps: np.ndarray, zoom: float = 0.0) -> np.ndarray:
    """The picture shifted by `steps [T,2]` pixels, grown by `zoom` a frame; edges repeat."""
    half, frames = SIZE / 2, []
    for t, (across, down) in enumerate(steps):
        grown = 1 + zoom * t
        rest = half * (1 - grown)
        way = np.array([[grown, 0, rest + across], [0, grown, rest + down]], np.float32)
        frames.append(cv2.warpAffine(picture, way, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE))
    return np.stack(frames)


def _slid(picture: np.ndarray) -> np.ndarray:
    across = 2.0 * (np.arange(FRAMES) - FRAMES // 2)
    return _moved(picture, np.stack([across, np.zeros(FRAMES)], axis=1))


def _shaken(picture: np.ndarray) -> np.ndarray:
    return _moved(picture, np.random.default_rng(_STREAM).integers(-2, 3, (FRAMES, 2)))


def _led(picture: np.ndarray, prompt: str) -> np.ndarray:
    """The picture moved as the sentence says, as far as that goes: leant, grown, up and down."""
    action, frames = action_of(prompt), []
    for u in np.linspace(0, 1, FRAMES):
        lean = {"tilts left": 14 * u, "tilts right": -14 * u}.get(str(action), 0.0)
        grown = {"walks closer": 1 + 0.35 * u, "steps back": 1.3 - 0.3 * u}.get(str(action), 1.0)
        down = {"looks up": -7 * u, "looks down": 7 * u, "nods": 6 * np.sin(2 * np.pi * u)}
        way = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), lean, grown)
        way[:, 2] += [6 * np.sin(2.2 * u) - 2, down.get(str(action), 0.0)]
        frames.append(cv2.warpAffine(picture, way, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE))
    return np.stack(frames)


def _shuffled(seen: Scene) -> np.ndarray:
    return seen.true[np.random.default_rng(seen.place).permutation(FRAMES)]


def _enlarged(frames: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(frame, (2 * SIZE, 2 * SIZE)) for frame in frames])


def _stopped(frames: np.ndarray) -> np.ndarray:
    half = FRAMES // 2
    return np.concatenate([frames[: half + 1], np.repeat(frames[half][None], FRAMES - half - 1, 0)])


def _halves(seen: Scene) -> np.ndarray:
    side = slice(SIZE // 4, SIZE - SIZE // 4)
    return np.concatenate([seen.true[:, :, side], seen.stranger[:, :, side]], axis=2)


def _every_other(seen: Scene) -> np.ndarray:
    frames = seen.true.copy()
    frames[1::2] = frames[1::2].mean(axis=(1, 2), keepdims=True).astype(np.uint8)
    return frames


def _pasted(seen: Scene) -> np.ndarray:
    """The face of the shown photograph laid on the one in every frame."""
    pack, rules = _pack(), load_profile(ROOT, "tiny").faces
    source = largest(chosen_faces(pack, seen.shown[0], rules).faces)
    frames = seen.true.copy()
    for frame in frames:
        face = largest(chosen_faces(pack, frame, rules).faces)
        if face is None or source is None:
            continue
        way, _ = cv2.estimateAffinePartial2D(source.landmarks, face.landmarks)
        laid = cv2.warpAffine(seen.shown[0], way, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
        mask, box = np.zeros((SIZE, SIZE), np.uint8), face.box
        middle = (round(float(box[0] + box[2]) / 2), round(float(box[1] + box[3]) / 2))
        reach = (round(float(box[2] - box[0]) / 2), round(float(box[3] - box[1]) / 2))
        cv2.ellipse(mask, middle, reach, 0, 0, 360, 1, -1)
        frame[mask > 0] = laid[mask > 0]
    return frames


def _bordered(frames: np.ndarray) -> np.ndarray:
    edge = SIZE // 4
    return np.pad(frames, ((0, 0), (edge, edge), (edge, edge), (0, 0)))


KINDS: dict[str, Callable[[Scene], np.ndarray]] = {
    "true clip": lambda s: s.true,
    "letterboxed": lambda s: _bordered(s.true),
    "half the frames a second": lambda s: s.true[::2],
    "of twice the size": lambda s: _enlarged(s.true),
    "another person": lambda s: s.other,
    "reversed": lambda s: s.true[::-1],
    "frames shuffled": _shuffled,
    "still from the middle on": lambda s: _stopped(s.true),
    "red and blue swapped": lambda s: s.true[..., ::-1],
    "shown photograph, still": lambda s: _still(s.shown[0]),
    "shown photograph, sliding": lambda s: _slid(s.shown[0]),
    "withheld photograph, sliding": lambda s: _slid(s.withheld[0]),
    "withheld photograph, shaking": lambda s: _shaken(s.withheld[0]),
    "withheld photograph, growing": lambda s: _moved(s.withheld[0], np.zeros((FRAMES, 2)), 0.03),
    "another photograph, moved as told": lambda s: _led(s.further, s.prompt),
    "one true frame, moved as told": lambda s: _led(s.true[FRAMES // 2], s.prompt),
    "shown or withheld by turns, moved as told": lambda s: _led(
        (s.shown if s.place % 2 else s.withheld)[0], s.prompt
    ),
    "one true frame, frozen": lambda s: _still(s.true[FRAMES // 2]),
    "no face": lambda s: np.full_like(s.true, s.true.mean()),
    "a face in every other frame": _every_other,
    "two people side by side": _halves,
    "another person from the middle on": lambda s: np.concatenate(
        [s.true[: FRAMES // 2], s.stranger[FRAMES // 2 :]]
    ),
    "shown face pasted on": _pasted,
    "smeared": lambda s: np.stack([cv2.GaussianBlur(f, (0, 0), 4) for f in s.true]),
}
"""Lineage of clip to how it is made. The first four are honest."""

HONEST = tuple(KINDS)[:4]
BASE = "base"
"""The clips that a gain is counted against: a stranger of the same category does the same."""


@cache
def _pack() -> FacePack:
    return open_pack(ROOT / "weights/tiny/facepack/models/tiny", 128)


def _gallery(seen: Scene, judge: FacePack) -> Gallery:
    rules = load_profile(ROOT, "tiny").faces
    found = [largest(chosen_faces(_pack(), p, rules).faces) for p in (*seen.shown, *seen.withheld)]
    embedded = np.stack(
        [
            unit(judge.embed(p, f)) if f else np.full(judge.width, np.nan, np.float32)
            for p, f in zip((*seen.shown, *seen.withheld), found, strict=True)
        ]
    )
    ours, theirs = (part[np.isfinite(part).all(axis=1)] for part in (embedded[:2], embedded[2:]))
    faces = [f for f in found[:2] if f]
    return Gallery(
        shown=ours,
        withheld=theirs,
        landmarks=np.stack([f.landmarks for f in faces] or [np.zeros((5, 2))]),
        boxes=np.stack([f.box for f in faces] or [np.ones(4)]),
        pictures=tuple(
            (p, f) for p, f in zip((*seen.shown, *seen.withheld), found, strict=True) if f
        ),
    )


def measured(
    people: int, judge: FacePack, first: int = 0
) -> dict[str, dict[str, list[float | None]]]:
    """Lineage to the means of `metrics.json`, a value a person, from person number `first` on."""
    rules = load_profile(ROOT, "tiny").faces
    scenes = [scene(first + place) for place in range(people)]
    galleries = [_gallery(one, judge) for one in scenes]
    means, pack = everybody(galleries), _pack()
    asked = Judge(name="asked", kind=Lineage.HOUSE, title="the judge", pack=judge)
    instruments = table.opened(Context(pack=pack, judge=judge, device="cpu"))
    made = KINDS | {BASE: lambda s: s.stranger}
    found: dict[str, dict[str, list[float | None]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, make in made.items():
            fps = FPS // 2 if kind == HONEST[2] else FPS
            found[kind] = {name: [] for name in table.means()}
            for own, one in enumerate(scenes):
                frames = through_file(np.ascontiguousarray(make(one)), Path(folder, "a.mp4"), fps)
                look = look_at(frames, pack=pack, judges=[asked], rules=rules)
                values = instruments.measure(
                    Evidence(
                        frames=frames,
                        fps=fps,
                        size=look.size,
                        boxes=look.boxes,
                        landmarks=look.landmarks,
                        counts=look.counts,
                        embeddings=look.faces[asked.name],
                        gallery=galleries[own],
                        everybody=means,
                        own=own,
                        prompt=one.prompt,
                    )
                )
                for name, column in table.means().items():
                    found[kind][name].append(values[column])
    return found


def verdicts(found: dict[str, dict[str, list[float | None]]]) -> dict[str, dict[str, Any]]:
    """Lineage to `refused` (rule to whatever missed it) and the `value` of every goal and gain.

    The rule of the gain: identity above the base's, its interval above 0.
    """

    def means(kind: str) -> dict[str, Any]:
        return {n: mean_interval(v) for n, v in found[kind].items()}

    told: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        named = {"finetune": kind, "base": BASE, "true_clip": HONEST[0]}
        judged = goals.judge(
            {
                "variants": {v: means(k) for v, k in named.items()},
                "per_person": {v: found[k] for v, k in named.items()},
            }
        )
        gain = paired_interval(found[kind]["identity"], found[BASE]["identity"])
        missed = goals.refused(judged)
        if gain["low"] is None or gain["low"] <= 0:
            missed.append("identity gain")
        values = {one["name"]: one["value"] for one in judged} | {"identity gain": gain["value"]}
        told[kind] = {
            "refused": missed,
            "warned": [o["name"] for o in judged if not o["decides"] and o["passed"] is False],
            "value": values,
        }
    return told


_SHOWN = {
    "face_found_floor": "faces",
    "translation_floor": "translation",
    "alive_floor": "face changes",
    "forwards_floor": "forwards",
    "copy_paste_gap": "copy-paste gap",
    "pixel_gap": "pixel gap",
    "pixel_gap_by_person": "by person",
    "one_person_floor": "one person",
    "faces_in_frame": "faces a frame",
    "identity gain": "identity gain",
    "steady": "steady",
    "obeyed_over_true": "obeyed",
}


def text(told: dict[str, dict[str, Any]], people: int, judge: str) -> str:
    """The page."""
    head = f"""# What fools the figures

Clips that are made to fool an evaluation, of {people} held-out procedural people each, and what
refuses them. Written by `python -m tests.metrics.fooling`; identity by the {judge}. Figures are
those of [evaluation.md](evaluation.md); a gain is over a stranger of the same category who does
the same. A kind is refused where it misses one deciding goal or its identity gain is not told
apart from 0. The border, the half rate and the size are harmless changes of a true clip: they must
pass, and read nearly as it does.

| Clip | {" | ".join(_SHOWN.values())} | refused by |
|---|{"---:|" * len(_SHOWN)}---|
"""
    rows = []
    for kind, one in told.items():
        values = (one["value"][name] for name in _SHOWN)
        cells = " | ".join("" if v is None else f"{v:.2f}" for v in values)
        refused = ", ".join(_SHOWN[name] for name in one["refused"]) or "nothing"
        rows.append(f"| {kind} | {cells} | {refused} |\n")
    return head + "".join(rows)


if __name__ == "__main__":
    own = ROOT / "weights/tiny/judge/models/judge"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else own
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    opened = open_judge(folder, 128)
    name = "shipped judge" if folder == own else f"pack {folder.name}"
    said = text(verdicts(measured(PEOPLE, opened, first)), PEOPLE, name)
    print(said)
    if folder == own and not first:
        PAGE.write_text(said, encoding="utf-8")
