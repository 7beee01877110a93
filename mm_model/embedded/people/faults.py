"""The natural failures of a raw source folder, so that every filter has something to reject.

Pixel faults return uint8 [T, S, S, 3] (a photograph is T = 1), byte faults return bytes. Each says
what is wrong in its name; none of them changes what a person looks like.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mm_model.embedded.people.action import ACTIONS, Pose, draw_jitter, draw_still, trajectory
from mm_model.embedded.people.backdrop import backdrop
from mm_model.embedded.people.brush import shade
from mm_model.embedded.people.people import Person
from mm_model.embedded.people.render import render
from mm_model.embedded.people.shot import ShotSetup

PHOTO_FAULTS = ("no_face", "two_faces", "tiny_face", "blur", "text", "duplicate", "truncated")
CLIP_FAULTS = (
    "no_face",
    "two_faces",
    "tiny_face",
    "blur",
    "text",
    "static",
    "cut",
    "duplicate",
    "truncated",
)
FAULTS = CLIP_FAULTS
"""Every fault; photographs cannot be ``static`` or ``cut``."""

_HEADLINES = ("NEWS", "SALE 50%", "LIVE 20h", "WATCH", "EPISODE 3", "FREE")
_SUBTITLES = ("see you soon", "thank you all", "what was that", "not so fast", "good night")


def fault_no_face(
    shot: ShotSetup, size: int, num_frames: int, rng: np.random.Generator
) -> np.ndarray:
    """An empty place with a few things in it, seen by a slowly panning camera."""
    wide = cv2.resize(backdrop(shot), (size * 3 // 2, size), interpolation=cv2.INTER_LINEAR)
    for _ in range(int(rng.integers(2, 5))):
        x, y = rng.uniform(0.1, 0.9) * wide.shape[1], rng.uniform(0.45, 0.95) * size
        w, h = rng.uniform(0.08, 0.25, 2) * size
        colour = tuple(float(v) for v in rng.uniform(30, 220, 3))
        corner, far = (int(x - w), int(y - h)), (int(x + w), int(y + h))
        cv2.rectangle(wide, corner, far, colour, -1)
        cv2.rectangle(wide, corner, (int(x - 0.6 * w), far[1]), shade(colour, 0.7), -1)
    start, way = rng.uniform(0, 0.2) * size, rng.uniform(0.1, 0.28) * size
    frames = []
    for i in range(num_frames):
        left = int(start + way * i / max(1, num_frames - 1))
        view = wide[:, left : left + size].astype(np.float32)
        view += rng.standard_normal(view.shape, dtype=np.float32) * np.float32(shot.noise)
        frames.append(np.clip(view, 0, 255).astype(np.uint8))
    return np.stack(frames)


def fault_two_faces(
    first: Person,
    second: Person,
    shot: ShotSetup,
    *,
    size: int,
    num_frames: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Two different people side by side."""
    quiet = replace(shot, noise=0.0, offset=(0.0, 0.0), face_height=0.36, softness=0.0)
    left, right = _performance(num_frames, rng), _performance(num_frames, rng)
    frames = []
    for i in range(num_frames):
        behind = render(first, quiet, _at(left[i], -0.23), size).image
        both = render(
            second,
            replace(quiet, noise=shot.noise),
            _at(right[i], 0.23),
            size,
            moment=i,
            behind=behind,
        )
        frames.append(both.image)
    return np.stack(frames)


def fault_tiny_face(
    person: Person, shot: ShotSetup, size: int, num_frames: int, rng: np.random.Generator
) -> np.ndarray:
    """A person far away: the face is about a tenth of the frame's height."""
    far = replace(shot, face_height=0.10)
    place = float(rng.uniform(-0.25, 0.25))
    poses = _performance(num_frames, rng)
    return np.stack(
        [render(person, far, _at(p, place), size, moment=i).image for i, p in enumerate(poses)]
    )


def fault_blur(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The camera out of focus."""
    sigma = float(rng.uniform(0.035, 0.05)) * frames.shape[1]
    return np.stack([cv2.GaussianBlur(f, (0, 0), sigma) for f in frames])


def fault_text(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Words drawn across the picture: a headline and a subtitle bar, the same on all frames."""
    size = frames.shape[1]
    head, foot = str(rng.choice(_HEADLINES)), str(rng.choice(_SUBTITLES))
    colour = tuple(int(v) for v in rng.choice([(255, 255, 255), (255, 230, 60), (90, 255, 120)]))
    out = frames.copy()
    for image in out:
        cv2.rectangle(image, (0, int(size * 0.80)), (size, size), (15, 15, 20), -1)
        _write(image, foot, 0.93, (240, 240, 240))
        _write(image, head, 0.30, colour)
    return out


def _write(image: np.ndarray, words: str, at: float, colour: tuple[int, ...]) -> None:
    size = image.shape[1]
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, size // 50)
    (w, _), _ = cv2.getTextSize(words, font, 1.0, thick)
    scale = 0.92 * size / w
    corner = (int(size * 0.04), int(size * at))
    cv2.putText(image, words, corner, font, scale, (0, 0, 0), thick + 2, cv2.LINE_AA)
    cv2.putText(image, words, corner, font, scale, colour, thick, cv2.LINE_AA)


def fault_static(image: np.ndarray, num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """One picture [S, S, 3] repeated with camera noise: a clip in which nothing moves."""
    noise = rng.standard_normal((num_frames, *image.shape), dtype=np.float32)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def fault_cut(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two clips [T, S, S, 3] of different people joined at a hard cut near the middle."""
    cut = int(len(first) * rng.uniform(0.4, 0.6))
    return np.concatenate([first[:cut], second[cut:]])


def fault_duplicate(data: bytes) -> bytes:
    """The same file once more, byte for byte."""
    return bytes(data)


def fault_truncated(data: bytes, rng: np.random.Generator) -> bytes:
    """A download that broke off: 30-60% of the bytes."""
    return data[: int(len(data) * rng.uniform(0.3, 0.6))]


def _performance(num_frames: int, rng: np.random.Generator) -> list[Pose]:
    if num_frames == 1:
        return [draw_still(rng)]
    names = [a for a in ACTIONS if a not in ("walks closer", "steps back")]
    action, jitter = str(rng.choice(names)), draw_jitter(rng)
    return [trajectory(action, i / (num_frames - 1), jitter) for i in range(num_frames)]


def _at(pose: Pose, x: float) -> Pose:
    return replace(pose, x=pose.x + x, yaw=pose.yaw * 0.6)
