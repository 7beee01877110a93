"""How well a covered face is told from a whole one, by measures that need no further model.

Each face is covered in six ways (`COVERS`), found anew as stage `faces` finds it, and measured. On
drawn people with the shipped pack; with `--media` and `--facepack` on the photographs and clips of
a folder. `ratio` is the area under the curve of the measure in use, all covers together. The table
goes to stderr: area, and the share that is told at the bound that loses at most 2% of the whole
faces.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.result import Result
from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import Face, FacePack, open_pack, unit
from mm_model.facepack.template import norm_crop
from mm_model.faces.covered import occlusion
from mm_model.settings import load_profile
from mm_model.store.layout import repository_root

GOAL = 0.8
LOST = 0.02
"""Share of whole faces that a bound may cost."""

Rng = np.random.Generator
Points = np.ndarray


@dataclass(frozen=True)
class Ground:
    """Coordinates of a face: eyes at (-0.5, 0) and (0.5, 0), mouth at y = 1."""

    middle: np.ndarray
    across: np.ndarray
    down: np.ndarray

    def at(self, *places: tuple[float, float]) -> Points:
        """Whole pixels int32 [n, 2] of places of the face."""
        found = [self.middle + x * self.across + y * self.down for x, y in places]
        return np.round(found).astype(np.int32)

    @property
    def apart(self) -> float:
        """Pixels between the eyes."""
        return float(np.linalg.norm(self.across))


def ground(face: Face) -> Ground:
    """The coordinates of a found face."""
    points = face.landmarks.astype(np.float64)
    middle = points[:2].mean(0)
    return Ground(middle, points[1] - points[0], points[3:].mean(0) - middle)


def _laid(image: np.ndarray, mask: np.ndarray, colour: Any, rng: Rng) -> np.ndarray:
    """`colour` with shade and grain over `image` where `mask` (uint8) is set, its edge soft."""
    high, wide = mask.shape
    shade = cv2.resize(rng.normal(0, 14, (5, 5)).astype(np.float32), (wide, high))
    layer = np.asarray(colour, np.float32) + shade[..., None] + rng.normal(0, 5, (high, wide, 1))
    soft = cv2.GaussianBlur(mask, (3, 3), 0)[..., None].astype(np.float32) / 255
    return np.clip(image * (1 - soft) + layer * soft, 0, 255).astype(np.uint8)


def _skin(image: np.ndarray, at: Ground) -> np.ndarray:
    """The colour between eyes and nose, a little off."""
    x, y = np.clip(at.at((0, 0.25))[0], 1, np.array(image.shape[1::-1]) - 2)
    return image[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(0) * 0.93


def _filled(image: np.ndarray, *outlines: Points) -> np.ndarray:
    mask = np.zeros(image.shape[:2], np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [outline], 255)
    return mask


def _ellipse(at: Ground, x: float, y: float, wide: float, high: float) -> Points:
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return at.at(*((x + wide * np.cos(t), y + high * np.sin(t)) for t in turns))


def _mask(image: np.ndarray, at: Ground, rng: Rng) -> np.ndarray:
    colours = [(225, 230, 232), (130, 175, 205), (30, 30, 34)]
    edge = ((-1, 0.35), (-0.3, 0.45), (0, 0.3), (0.3, 0.45), (1, 0.35), (0.9, 1.2), (0.5, 1.75))
    outline = at.at(*edge, (0, 1.9), (-0.5, 1.75), (-0.9, 1.2))
    return _laid(image, _filled(image, outline), colours[rng.integers(3)], rng)


def _sunglasses(image: np.ndarray, at: Ground, rng: Rng) -> np.ndarray:
    lenses = [_ellipse(at, side * 0.5, 0.05, 0.44, 0.34) for side in (-1, 1)]
    bridge = at.at((-0.15, -0.08), (0.15, -0.08), (0.15, 0.02), (-0.15, 0.02))
    return _laid(image, _filled(image, *lenses, bridge), (28, 26, 30), rng)


def _bar(image: np.ndarray, at: Ground, rng: Rng) -> np.ndarray:
    outline = at.at((-1.05, -0.28), (1.05, -0.28), (1.05, 0.28), (-1.05, 0.28))
    return _laid(image, _filled(image, outline), (5, 5, 5), rng)


def _half(image: np.ndarray, at: Ground, rng: Rng) -> np.ndarray:
    side = rng.choice([-1, 1])
    outline = at.at((0.1 * side, -0.9), (1.4 * side, -0.9), (1.4 * side, 1.9), (0.1 * side, 1.9))
    return _laid(image, _filled(image, outline), _skin(image, at), rng)


def _hand(image: np.ndarray, at: Ground, rng: Rng) -> np.ndarray:
    """Four fingers and a palm before the mouth."""
    mask = _filled(image, _ellipse(at, 0.9, 1.15, 0.7, 0.6))
    for finger in range(4):
        y = 0.72 + 0.2 * finger
        ends = at.at((0.8, y + 0.1), (-0.75, y + float(rng.uniform(-0.1, 0.1))))
        cv2.polylines(mask, [ends], False, 255, max(1, round(0.19 * at.apart)), cv2.LINE_AA)
    return _laid(image, mask, _skin(image, at), rng)


def _hair(image: np.ndarray, at: Ground, rng: Rng) -> np.ndarray:
    """Strands from above that end below the eyes."""
    mask = np.zeros(image.shape[:2], np.uint8)
    for _ in range(60):
        x = float(rng.uniform(-1.1, 1.1))
        ends = at.at((x * 0.7, -1.3), (x, float(rng.uniform(-0.1, 0.45))))
        cv2.polylines(mask, [ends], False, 255, max(1, round(0.07 * at.apart)), cv2.LINE_AA)
    return _laid(image, mask, (52, 38, 30), rng)


COVERS: dict[str, Callable[[np.ndarray, Ground, Rng], np.ndarray]] = {
    "mask": _mask,
    "sunglasses": _sunglasses,
    "bar": _bar,
    "half": _half,
    "hand": _hand,
    "hair": _hair,
}


def _norm(pack: FacePack, image: np.ndarray, face: Face) -> float:
    return float(np.linalg.norm(pack.embed(image, face)))


def _score(pack: FacePack, image: np.ndarray, face: Face) -> float:
    return face.score


def _mirror(pack: FacePack, image: np.ndarray, face: Face) -> float:
    """Cosine of the embedding to that of the mirrored picture."""
    wide = image.shape[1] - 1
    points = face.landmarks[[1, 0, 2, 4, 3]] * np.array([-1, 1]) + np.array([wide, 0])
    box = face.box[[2, 1, 0, 3]] * np.array([-1, 1, -1, 1]) + np.array([wide, 0, wide, 0])
    turned = Face(box.astype(np.float32), face.score, points.astype(np.float32))
    other = pack.embed(np.ascontiguousarray(image[:, ::-1]), turned)
    return float(unit(pack.embed(image, face)) @ unit(other))


def _parts(pack: FacePack, image: np.ndarray, face: Face) -> float:
    """Highest cosine of the embedding to one of a quarter hidden, taken from one: what hides
    nothing was hidden before."""
    at, whole = ground(face), unit(pack.embed(image, face))
    colour = _skin(image, at)
    areas = (
        ((-1.1, -0.35), (1.1, -0.35), (1.1, 0.35), (-1.1, 0.35)),
        ((-1.1, 0.65), (1.1, 0.65), (1.1, 1.8), (-1.1, 1.8)),
        ((-1.3, -0.9), (0, -0.9), (0, 1.8), (-1.3, 1.8)),
        ((0, -0.9), (1.3, -0.9), (1.3, 1.8), (0, 1.8)),
    )
    told = []
    for area in areas:
        hidden = image.copy()
        hidden[_filled(image, at.at(*area)) > 0] = colour
        told.append(float(whole @ unit(pack.embed(hidden, face))))
    return 1 - max(told)


def _halves(pack: FacePack, image: np.ndarray, face: Face) -> float:
    """Correlation of the aligned grey face with its mirror image."""
    grey = cv2.cvtColor(norm_crop(image, face.landmarks), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), 2)[20:108, 12:100]
    return float(np.corrcoef(grey.reshape(-1), grey[:, ::-1].reshape(-1))[0, 1])


def _relief(pack: FacePack, image: np.ndarray, face: Face) -> float:
    """What stage `faces` measures, the other way round."""
    return 1 - occlusion(image, face)


MEASURES: dict[str, Callable[[FacePack, np.ndarray, Face], float]] = {
    "embedding norm": _norm,
    "detection score": _score,
    "mirror cosine": _mirror,
    "parts hidden": _parts,
    "halves": _halves,
    "relief": _relief,
}
"""All are low where a face is covered."""
IN_USE = "relief"


def options(command: argparse.ArgumentParser) -> None:
    """How many people, or which folder and pack."""
    command.add_argument("--people", type=int, default=60, help="drawn people")
    command.add_argument("--media", type=Path, help="a folder of photographs and clips instead")
    command.add_argument("--facepack", type=Path, help="the face pack for them")
    command.add_argument("--frames", type=int, default=4, help="frames of a clip")


def drawn(number: int) -> Iterator[np.ndarray]:
    """A photograph each of `number` people."""
    for seed in range(number):
        yield photograph(person(70_000 + seed), np.random.default_rng(seed), 160).image


def filmed(folder: Path, frames: int) -> Iterator[np.ndarray]:
    """The photographs of a folder, and frames of its clips, a tenth of a second apart."""
    from mm_model.media.decode import read_frames
    from mm_model.media.images import load_image

    for path in sorted(folder.iterdir()):
        if path.suffix == ".jpg":
            yield load_image(path)
        elif path.suffix == ".mp4":
            yield from read_frames(path, [4 * n for n in range(frames)])


def run(given: Any) -> Result:
    """Cover and measure every face, print the table."""
    root = repository_root()
    if given.media:
        rules, pictures = load_profile(root, "real-small").faces, filmed(given.media, given.frames)
        pack = open_pack(given.facepack, rules.detection_size)
    else:
        rules, pictures = load_profile(root, "tiny").faces, drawn(given.people)
        folder = root / "weights/tiny/facepack/models/tiny"
        pack = open_pack(folder, rules.detection_size)
    whole: list[list[float]] = []
    covered: dict[str, list[list[float]]] = {name: [] for name in COVERS}
    gone = dict.fromkeys(COVERS, 0)
    for number, picture in enumerate(pictures):
        face = found(pack, picture, rules)
        if face is None:
            continue
        whole.append([measure(pack, picture, face) for measure in MEASURES.values()])
        for place, (name, cover) in enumerate(COVERS.items()):
            hidden = cover(picture, ground(face), np.random.default_rng((number, place)))
            again = found(pack, hidden, rules)
            if again is None:
                gone[name] += 1
            else:
                covered[name].append(
                    [measure(pack, hidden, again) for measure in MEASURES.values()]
                )
    return _told(np.array(whole), covered, gone)


def found(pack: FacePack, image: np.ndarray, rules: Any) -> Face | None:
    """The largest face, or none."""
    faces = chosen_faces(pack, image, rules).faces
    return max(faces, key=lambda face: face.area) if faces else None


def area(whole: np.ndarray, covered: np.ndarray) -> float:
    """Share of pairs of a whole and a covered face in which the covered one is lower."""
    if not len(covered):
        return float("nan")
    less = covered[:, None] < whole[None]
    return float((less + 0.5 * (covered[:, None] == whole[None])).mean())


def _told(whole: np.ndarray, covered: dict[str, list[list[float]]], gone: dict[str, int]) -> Result:
    out = sys.stderr
    print(f"{len(whole)} whole faces; area and share told at a loss of {LOST:.0%}", file=out)
    print("", "bound", "all", *COVERS, sep=" | ", file=out)
    print("not found at all", "", sum(gone.values()), *gone.values(), sep=" | ", file=out)
    areas = {}
    tables = {name: np.array(rows).reshape(-1, len(MEASURES)) for name, rows in covered.items()}
    every = np.concatenate(list(tables.values()))
    for place, name in enumerate(MEASURES):
        own = np.sort(whole[:, place])
        bound = own[int(LOST * len(own))]
        cells = [
            f"{area(own, rows[:, place]):.2f}, {(rows[:, place] < bound).mean():.0%}"
            for rows in (every, *tables.values())
        ]
        areas[name] = area(own, every[:, place])
        print(name, f"{bound:.3g}", *cells, sep=" | ", file=out)
    return Result(areas[IN_USE], GOAL, len(every), at_most=False)
