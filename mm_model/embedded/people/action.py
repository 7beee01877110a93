"""What a procedural person does: head pose, expression and the known actions over time.

Left and right are always the image's, seen by the viewer: "turns left" moves the nose towards the
left edge of the picture. Angles are degrees: yaw > 0 turns to the image's right, pitch > 0 looks
down, roll > 0 tips the top of the head to the image's right. Holds no drawing and no randomness
beyond the jitter it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, pi, sin

import numpy as np

ACTIONS: dict[str, str] = {
    "turns left": "turns the head to the left",
    "turns right": "turns the head to the right",
    "looks up": "looks up",
    "looks down": "looks down",
    "nods": "nods",
    "shakes the head": "shakes the head",
    "tilts left": "tilts the head to the left",
    "tilts right": "tilts the head to the right",
    "smiles": "smiles",
    "opens the mouth": "opens the mouth",
    "raises the eyebrows": "raises the eyebrows",
    "blinks": "blinks",
    "talks": "talks",
    "walks closer": "walks closer",
    "steps back": "steps back",
}
"""Actions of clips: name -> the words of the caption."""

STILLS: dict[str, str] = {
    "neutral": "looks at the camera",
    "faces left": "looks to the left",
    "faces right": "looks to the right",
    "faces up": "looks upwards",
    "faces down": "looks downwards",
    "smiling": "smiles at the camera",
    "surprised": "is surprised",
    "eyes closed": "closes the eyes",
    "mouth open": "speaks",
}
"""What a photograph can show: name -> the words of the caption."""


@dataclass(frozen=True)
class Pose:
    """Head pose and expression of one picture.

    yaw, pitch, roll: degrees (signs in the module's docstring). x, y: shift in frame widths, right
    and down. scale: relative size. mouth_open, eyes_closed: 0..1. smile: -0.5..1. brow: -1..1 (up).
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    mouth_open: float = 0.0
    smile: float = 0.0
    brow: float = 0.0
    eyes_closed: float = 0.0


@dataclass(frozen=True)
class Jitter:
    """How one performance of an action differs from the textbook one; drawn once a clip."""

    strength: float = 1.0
    tempo: float = 1.0
    sway: float = 0.0
    phase: float = 0.0
    start: Pose = Pose()


def draw_jitter(rng: np.random.Generator) -> Jitter:
    """A natural performance: strength and tempo within 15%, a start pose near frontal, a sway."""
    start = Pose(
        yaw=float(rng.normal(0, 4)),
        pitch=float(rng.normal(0, 3)),
        roll=float(rng.normal(0, 2)),
        smile=float(rng.uniform(0, 0.25)),
    )
    return Jitter(
        strength=float(rng.uniform(0.85, 1.15)),
        tempo=float(rng.uniform(0.9, 1.1)),
        sway=float(rng.uniform(0.6, 1.4)),
        phase=float(rng.uniform(0, 2 * pi)),
        start=start,
    )


def _ease(t: float) -> float:
    """0 -> 1 with zero speed at both ends."""
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _pulse(t: float, centre: float, width: float) -> float:
    """A smooth bump of height 1 at ``centre`` that is 0 beyond ``width``."""
    d = abs(t - centre) / width
    return 0.5 * (1 + cos(pi * d)) if d < 1 else 0.0


def _change(action: str, t: float, k: float, tempo: float) -> dict[str, float]:
    """Differences to the start pose at time ``t``, for strength ``k``."""
    rise = _ease(t / 0.75)
    if action in ("turns left", "turns right"):
        return {"yaw": (-1 if action == "turns left" else 1) * 34 * k * rise}
    if action in ("looks up", "looks down"):
        return {"pitch": (-1 if action == "looks up" else 1) * 20 * k * rise}
    if action == "nods":
        return {"pitch": 13 * k * sin(3 * pi * t * tempo)}
    if action == "shakes the head":
        return {"yaw": 17 * k * sin(3 * pi * t * tempo)}
    if action in ("tilts left", "tilts right"):
        return {"roll": (-1 if action == "tilts left" else 1) * 18 * k * rise}
    if action == "smiles":
        return {"smile": min(1.0, 0.95 * k) * rise}
    if action == "opens the mouth":
        return {"mouth_open": min(1.0, 0.95 * k) * rise}
    if action == "raises the eyebrows":
        return {"brow": min(1.0, k) * rise}
    if action == "blinks":
        return {"eyes_closed": max(_pulse(t, 0.25, 0.16), _pulse(t, 0.7, 0.16))}
    if action == "talks":
        wave = 0.5 - 0.5 * cos(9 * pi * t * tempo)
        return {"mouth_open": 0.55 * k * wave * (0.7 + 0.3 * sin(5 * t)), "pitch": 2 * sin(7 * t)}
    if action == "walks closer":
        return {"scale": 0.28 * k * rise, "y": 0.012 * sin(6 * pi * t * tempo)}
    if action == "steps back":
        return {"scale": -0.28 * k * rise, "y": 0.012 * sin(6 * pi * t * tempo)}
    raise ValueError(f"unknown action '{action}'; known: {', '.join(ACTIONS)}")


def trajectory(action: str, t: float, jitter: Jitter | None = None) -> Pose:
    """Pose at normalised time ``t`` in [0, 1] of ``action``; no jitter = the textbook motion.

    Raises ``ValueError`` for an unknown action.
    """
    j = jitter or Jitter()
    fields = dict(vars(j.start))
    if action == "walks closer":
        fields["scale"] -= 0.14
    elif action == "steps back":
        fields["scale"] += 0.14
    for name, delta in _change(action, t, j.strength, j.tempo).items():
        fields[name] += delta
    fields["yaw"] += j.sway * 1.5 * sin(2 * pi * t + j.phase)
    fields["roll"] += j.sway * 0.8 * cos(2 * pi * t + j.phase)
    fields["x"] += j.sway * 0.006 * sin(2.6 * pi * t + j.phase)
    fields["smile"] = min(fields["smile"], 1.0)
    return Pose(**fields)


def draw_still(rng: np.random.Generator) -> Pose:
    """A photograph's pose: moderate angles (yaw within 30 degrees) and one expression."""
    pose = Pose(
        yaw=float(np.clip(rng.normal(0, 13), -30, 30)),
        pitch=float(np.clip(rng.normal(0, 6), -15, 15)),
        roll=float(np.clip(rng.normal(0, 5), -14, 14)),
        smile=float(rng.uniform(-0.1, 0.25)),
        brow=float(rng.uniform(-0.2, 0.2)),
    )
    kind = rng.choice(
        ["plain", "smile", "surprise", "closed", "open"], p=[0.5, 0.3, 0.07, 0.04, 0.09]
    )
    if kind == "smile":
        return replace(pose, smile=float(rng.uniform(0.55, 1.0)))
    if kind == "surprise":
        return replace(pose, brow=0.9, mouth_open=float(rng.uniform(0.4, 0.8)))
    if kind == "closed":
        return replace(pose, eyes_closed=1.0)
    if kind == "open":
        return replace(pose, mouth_open=float(rng.uniform(0.35, 0.7)))
    return pose


def describe(pose: Pose) -> str:
    """The name in ``STILLS`` that says what a photograph of ``pose`` shows."""
    if pose.eyes_closed > 0.7:
        return "eyes closed"
    if pose.mouth_open > 0.3:
        return "surprised" if pose.brow > 0.5 else "mouth open"
    if pose.smile > 0.5:
        return "smiling"
    if abs(pose.yaw) > 15:
        return "faces left" if pose.yaw < 0 else "faces right"
    if abs(pose.pitch) > 9:
        return "faces up" if pose.pitch < 0 else "faces down"
    return "neutral"
