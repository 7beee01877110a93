"""A face pack whose answers a test prescribes: the port's edge, no model behind it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mm_model.facepack.port import Face


def face(x: float, y: float, side: float, score: float = 0.9) -> Face:
    """A square face with its upper left corner at (x, y) and landmarks inside."""
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]) * side
    return Face(
        np.array([x, y, x + side, y + side], np.float32),
        score,
        (points + np.array([x, y])).astype(np.float32),
    )


@dataclass
class FakePack:
    """Answers `detect` by `sees(image)`, `embed` by `tells(image)`; remembers what it was shown."""

    sees: Callable[[np.ndarray], list[Face]]
    tells: Callable[[np.ndarray], np.ndarray] = lambda image: np.ones(4, np.float32)
    shown: list[tuple[tuple[int, ...], float]] = field(default_factory=list)
    glimpses: Callable[[np.ndarray], list[Face]] = lambda image: []
    glimpsed: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
    digest: str = "0" * 64
    width: int = 4
    attributes: Any = None

    def detect(self, image: np.ndarray, above: float = 0.5, size: int | None = None) -> list[Face]:
        if size is not None:
            self.glimpsed.append((image.shape, size))
            return self.glimpses(image)
        self.shown.append((image.shape, above))
        return [found for found in self.sees(image) if found.score >= above]

    def embed(self, image: np.ndarray, face: Face) -> np.ndarray:
        return self.tells(image)

    def describe(self) -> dict[str, Any]:
        return {"digest": self.digest, "width": self.width}
