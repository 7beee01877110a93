"""What a cheap first look costs, spares and loses, by its input size and bound.

Of faces in photographs, frames of clips, tight crops made of them (the face fills 60% to 95%) and
far views (3% and 7%: 128 pixels of 3,840 and 1,920), and of made pictures without a face. `ratio`
is the CPU time of the cheap look at the paper profile's size, and of the full look at what passes
its bound, over that of full looks at all, where half of the pictures show a face. The table goes to
stderr.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.occlusion import filmed, found
from benchmarks.result import Result
from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import FacePack, open_pack
from mm_model.faces.prescreen import LOWEST
from mm_model.settings import load_profile
from mm_model.store.layout import repository_root

GOAL = 0.75
_FILLS = (0.6, 0.7, 0.8, 0.9, 0.95)
_FAR = (128 / 3840, 128 / 1920)
_SIZES = (64, 96, 128, 160, 224, 320)
_BOUNDS = (0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class Looked:
    """One picture: whether the full look finds a face, and CPU seconds and scores of all looks."""

    kind: str
    face: bool
    full: float
    scores: dict[int, float]
    seconds: dict[int, float]


def options(command: argparse.ArgumentParser) -> None:
    """Which pictures, and which pack."""
    command.add_argument("--media", type=Path, required=True, help="photographs and clips")
    command.add_argument("--facepack", type=Path, required=True, help="an InsightFace pack")
    command.add_argument("--frames", type=int, default=3, help="frames of a clip")
    command.add_argument("--made", type=int, default=60, help="made pictures without a face")


def crops(picture: np.ndarray, box: np.ndarray) -> Iterator[np.ndarray]:
    """Squares around a box whose longer side fills shares of them, as far as the picture goes."""
    middle, side = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2]))
    for fill in _FILLS:
        low = np.maximum(np.round(middle - side / fill / 2), 0).astype(int)
        high = np.round(middle + side / fill / 2).astype(int)
        yield np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])


def far(picture: np.ndarray, box: np.ndarray, side: int = 1920) -> Iterator[np.ndarray]:
    """The picture in the middle of a grainy ground, its face at shares of the side."""
    for fill in _FAR:
        scale = fill * side / float(max(box[2:] - box[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        out = np.random.default_rng(5).normal(128, 9, (side, side, 3)).astype(np.uint8)
        small = small[:side, :side]
        high, wide = small.shape[:2]
        top, left = (side - high) // 2, (side - wide) // 2
        out[top : top + high, left : left + wide] = small
        yield out


def without_face(number: int, side: int = 640) -> Iterator[np.ndarray]:
    """Made pictures of discs, boxes, lines and grain on a shaded ground."""
    for seed in range(number):
        rng = np.random.default_rng((11, seed))
        ground = rng.uniform(0, 255, (int(rng.integers(2, 9)), int(rng.integers(2, 9)), 3))
        out = cv2.resize(ground.astype(np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
        for _ in range(int(rng.integers(4, 60))):
            colour = rng.uniform(0, 255, 3).tolist()
            start, end = rng.integers(0, side, (2, 2)).tolist()
            kind = rng.integers(3)
            if kind == 0:
                cv2.circle(out, start, int(rng.integers(4, 120)), colour, -1, cv2.LINE_AA)
            elif kind == 1:
                cv2.rectangle(out, start, end, colour, -1)
            else:
                cv2.line(out, start, end, colour, int(rng.integers(1, 20)), cv2.LINE_AA)
        grain = rng.normal(0, rng.uniform(0, 12), out.shape)
        yield np.clip(out + grain, 0, 255).astype(np.uint8)


def any_size(folder: Path, place: Path) -> Path:
    """A copy of a pack whose detector takes any size, where its network knows shapes by itself."""
    import onnx

    for path in folder.glob("*.onnx"):
        model = onnx.load(str(path))
        if len(model.graph.output) >= 9:
            for value in (*model.graph.input, *model.graph.output):
                dims = value.type.tensor_type.shape.dim
                for number in range(2, 4) if value in model.graph.input else (1,):
                    dims[number].dim_param = f"{value.name}_{number}"
        onnx.save(model, str(place / path.name))
    return place


def run(given: Any) -> Result:
    """Look at every picture in full and cheaply, print the table."""
    rules = load_profile(repository_root(), "paper").faces
    with tempfile.TemporaryDirectory() as place:
        pack = open_pack(any_size(given.facepack, Path(place)), rules.detection_size)
        seen = [_looked(pack, *one, rules) for one in _pictures(pack, given, rules)]
    _print(seen)
    size, bound = rules.prescreen_size or 160, rules.prescreen_above or 0.1
    sides = [[one for one in seen if one.face is face] for face in (True, False)]
    full = sum(_mean([one.full for one in side]) for side in sides)
    both = sum(
        _mean([one.seconds[size] + one.full * (one.scores[size] >= bound) for one in side])
        for side in sides
    )
    return Result(both / full, GOAL, len(seen))


def _pictures(pack: FacePack, given: Any, rules: Any) -> Iterator[tuple[str, np.ndarray]]:
    for picture in filmed(given.media, given.frames):
        yield "whole", picture
        face = found(pack, picture, rules)
        if face is not None:
            for crop in crops(picture, face.box):
                yield "crop", crop
            for view in far(picture, face.box):
                yield "far", view
    for picture in without_face(given.made):
        yield "made", picture


def _looked(pack: FacePack, kind: str, picture: np.ndarray, rules: Any) -> Looked:
    started = time.process_time()
    face = bool(chosen_faces(pack, picture, rules).faces)
    full = time.process_time() - started
    scores, seconds = {}, {}
    for size in _SIZES:
        started = time.process_time()
        faces = pack.detect(picture, LOWEST, size)
        seconds[size] = time.process_time() - started
        scores[size] = max((one.score for one in faces), default=0.0)
    return Looked(kind, face, full, scores, seconds)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _print(seen: list[Looked]) -> None:
    out = sys.stderr
    groups = {
        kind: [one for one in seen if one.kind == kind and one.face]
        for kind in ("whole", "crop", "far")
    }
    empty = [one for one in seen if not one.face]
    faces = [one for group in groups.values() for one in group]
    said = {name: len(group) for name, group in groups.items()}
    print(f"faces: {said}, without: {len(empty)}; lost and passed by bound", file=out)
    costs = [_mean([one.full for one in side]) for side in (faces, empty)]
    print(f"CPU of a full look: {costs[0]:.3f} s with a face, {costs[1]:.3f} s without", file=out)
    heads = [f"lost at {bound:g}; passed" for bound in _BOUNDS]
    print("size", "CPU of a full look with a face", *heads, sep=" | ", file=out)
    for size in _SIZES:
        cost = _mean([one.seconds[size] for one in seen]) / max(costs[0], 1e-9)
        cells = []
        for bound in _BOUNDS:
            lost = [sum(one.scores[size] < bound for one in group) for group in groups.values()]
            passed = sum(one.scores[size] >= bound for one in empty)
            cells.append(f"{' + '.join(map(str, lost))}; {passed}")
        print(size, f"{cost:.0%}", *cells, sep=" | ", file=out)
