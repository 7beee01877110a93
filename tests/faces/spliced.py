"""Clips made of two real people: cut, dissolved, side by side, swapped, with a short stranger."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import FacePack, unit
from mm_model.faces.pictures import Pictures
from mm_model.settings import FacesSettings

SIDE = 320
LENGTH = 48
CLIPS = tuple(
    f"{name}.mp4"
    for name in (
        "driving_d3",
        "driving_d12",
        "driving_d13",
        "driving_d14",
        "driving_d18",
        "source_s13",
        "source_s18",
    )
)


@dataclass(frozen=True)
class Person:
    """A real person: frames uint8 [LENGTH, SIDE, SIDE, 3], the head in the middle; how they look.

    looks: unit mean embedding [width].
    """

    name: str
    frames: np.ndarray
    looks: np.ndarray


class Made:
    """Frames in memory as the pictures of one clip."""

    media = "clip"

    def __init__(self, frames: np.ndarray) -> None:
        self.frames = frames
        self.num_frames = len(frames)

    def at(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """As `faces.pictures.Pictures` does."""
        for index in indices:
            yield index, self.frames[index]


def person(path: Path, pack: FacePack, rules: FacesSettings) -> Person:
    """The first frames of a real clip, cut to the head, which fills about half of the picture."""
    from mm_model.media.decode import read_frames

    first = next(image for _, image in Pictures(path, "clip", 1, 1, 1).at([0]))
    face = max(chosen_faces(pack, first, rules).faces, key=lambda one: one.area)
    x, y = (face.box[:2] + face.box[2:]) / 2
    reach = float(max(face.box[2:] - face.box[:2]))
    corners = np.array([[x - reach, y - reach], [x + reach, y - reach], [x - reach, y + reach]])
    target = np.array([[0, 0], [SIDE, 0], [0, SIDE]], np.float32)
    move = cv2.getAffineTransform(corners.astype(np.float32), target)
    frames = np.stack(
        [
            cv2.warpAffine(frame, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
            for frame in read_frames(path, range(LENGTH))
        ]
    )
    looks = []
    for frame in frames[:: LENGTH // 4]:
        seen = chosen_faces(pack, frame, rules).faces
        looks.append(unit(pack.embed(frame, max(seen, key=lambda one: one.area))))
    return Person(path.stem, frames, unit(np.mean(looks, axis=0)))


def cut(one: Person, other: Person) -> np.ndarray:
    """The one, then the other in the same place."""
    return np.concatenate([one.frames[: LENGTH // 2], other.frames[LENGTH // 2 :]])


def dissolved(one: Person, other: Person) -> np.ndarray:
    """The one becomes the other over a quarter of the clip."""
    share = np.clip((np.arange(LENGTH) - LENGTH * 3 / 8) / (LENGTH / 4), 0, 1)[:, None, None, None]
    mixed = one.frames * (1 - share) + other.frames * share
    return mixed.round().astype(np.uint8)


def beside(one: Person, other: Person) -> np.ndarray:
    """Both all the time."""
    return np.concatenate([one.frames, other.frames], axis=2)


def swapped(one: Person, other: Person) -> np.ndarray:
    """Both all the time, and they change places in the middle."""
    half = LENGTH // 2
    return np.concatenate([beside(one, other)[:half], beside(other, one)[half:]])


def pushed_out(one: Person, other: Person) -> np.ndarray:
    """The other slides in and the one out, as on a belt."""
    both = beside(one, other)
    starts = np.linspace(0, SIDE, LENGTH).astype(int)
    return np.stack([frame[:, at : at + SIDE] for frame, at in zip(both, starts, strict=True)])


def visited(one: Person, other: Person) -> np.ndarray:
    """The other for a fifth of the clip, between two parts of the one."""
    frames = one.frames.copy()
    start = LENGTH * 3 // 10
    frames[start : start + LENGTH // 5] = other.frames[start : start + LENGTH // 5]
    return frames


def small_beside(one: Person, other: Person) -> np.ndarray:
    """The other far behind, too small to count."""
    frames = one.frames.copy()
    side = SIDE // 6
    for frame, small in zip(frames, other.frames, strict=True):
        frame[:side, :side] = cv2.resize(small, (side, side), interpolation=cv2.INTER_AREA)
    return frames


WAYS: dict[str, Callable[[Person, Person], np.ndarray]] = {
    way.__name__: way
    for way in (cut, dissolved, beside, swapped, pushed_out, visited, small_beside)
}
