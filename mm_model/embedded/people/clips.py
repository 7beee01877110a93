"""Photographs and clips of one person: a pose, or an action over time, in one shot.

Nothing is written to disk here. A clip keeps its shot; only pose, a slight camera drift and the
noise change from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mm_model.embedded.people.action import Pose, draw_jitter, draw_still, trajectory
from mm_model.embedded.people.people import Person
from mm_model.embedded.people.render import Frame, render
from mm_model.embedded.people.shot import ShotSetup, shot


@dataclass(frozen=True, eq=False)
class Clip:
    """frames: uint8 [T, S, S, 3] RGB; faces: the truth of every frame; action: what is done."""

    frames: np.ndarray
    faces: list[Frame]
    action: str


def clip(
    person: Person,
    action: str,
    shot: ShotSetup,
    *,
    num_frames: int,
    size: int,
    rng: np.random.Generator,
) -> Clip:
    """``num_frames`` pictures of ``person`` doing ``action``; ``rng`` varies the performance.

    Raises ``ValueError`` for an unknown action or fewer than one frame.
    """
    if num_frames < 1:
        raise ValueError(f"a clip has at least one frame, not {num_frames}")
    jitter = draw_jitter(rng)
    drift = rng.uniform(-0.02, 0.02, 2)
    zoom = rng.uniform(-0.02, 0.02)
    faces = []
    for i in range(num_frames):
        t = i / max(1, num_frames - 1)
        pose = trajectory(action, t, jitter)
        pose = replace(
            pose,
            x=pose.x + float(drift[0]) * t,
            y=pose.y + float(drift[1]) * t,
            scale=pose.scale * (1 + float(zoom) * t),
        )
        faces.append(render(person, shot, pose, size, moment=i))
    return Clip(np.stack([f.image for f in faces]), faces, action)


def photograph(person: Person, rng: np.random.Generator, size: int) -> Frame:
    """One picture in a random shot and a moderate random pose (yaw within 30 degrees).

    Its caption is ``caption(person, describe(frame.pose))``.
    """
    return render(person, shot(rng), draw_still(rng), size)


__all__ = ["Clip", "Pose", "clip", "photograph"]
