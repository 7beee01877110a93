"""What every painter is handed: one person, in one pose, before one canvas.

A bundle of the canvas, the view and the person's surface and look, with short ways to project.
Decides nothing about what is drawn.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from mm_model.embedded.people.action import Pose
from mm_model.embedded.people.appearance import Appearance
from mm_model.embedded.people.brush import Canvas
from mm_model.embedded.people.head import Head, Projection
from mm_model.embedded.people.people import Person
from mm_model.embedded.people.shot import ShotSetup

Curve = tuple[np.ndarray, np.ndarray | float, np.ndarray | float]


@dataclass(frozen=True, eq=False)
class Sitting:
    """One person in one pose before one canvas."""

    person: Person
    shot: ShotSetup
    pose: Pose
    _: KW_ONLY
    look: Appearance
    head: Head
    view: Projection
    canvas: Canvas

    @property
    def unit(self) -> float:
        """Draw pixels of one head unit."""
        return self.view.unit

    def on(self, x: np.ndarray, y: np.ndarray | float, out: float | np.ndarray = 0.0) -> np.ndarray:
        """Draw pixels [N, 2] of points on the front of the head, lifted by ``out``."""
        return self.view.project(self.head.on(x, y, out))

    def curves(self, *curves: Curve) -> list[np.ndarray]:
        """Draw pixels of several curves (x, y, out) at once: far cheaper than one by one."""
        counts = np.cumsum([len(c[0]) for c in curves])
        parts = np.empty((3, counts[-1]))
        start = 0
        for (x, y, out), end in zip(curves, counts, strict=True):
            parts[0, start:end], parts[1, start:end], parts[2, start:end] = x, y, out
            start = end
        points = self.on(*parts)
        return [points[a:b] for a, b in zip([0, *counts[:-1]], counts, strict=True)]

    def around(
        self, angle: np.ndarray, y: np.ndarray, swell: float | np.ndarray = 1.0
    ) -> np.ndarray:
        """Draw pixels [N, 2] of points of the head's surface at azimuth ``angle`` (radians)."""
        return self.view.project(self.head.around(angle, y, swell))
