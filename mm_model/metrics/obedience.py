"""Does the clip do what its sentence says? Actions read from the curves of pose and expression.

An action has a strength: how much the head or face did of it, over what procedural people do on
average. A sentence is obeyed where its action is strong enough and no other one outdoes it. Of a
sentence that names no known action nothing can be said: None. Thresholds are of people 10000 to
10019, who are in no test.
"""

import re
from dataclasses import dataclass

import numpy as np

from mm_model.metrics import expression, pose
from mm_model.metrics.port import Column, Evidence, Evident, Formula, needing

ACTIONS = {
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
"""Actions that can be read: name to its words in a sentence."""

OF_THE_FACE = ("smiles", "opens the mouth", "raises the eyebrows", "blinks", "talks")
"""Those of the face alone. A head that turns or tips seems to do some of them, so none of them
outdoes what the head does."""

AIMLESS = ("nods", "shakes the head", "blinks", "talks")
"""Those that look the same when time runs backwards."""

STRONG = 0.4
"""From which share of the mean strength on an action is done."""

OUTDONE = 0.6
"""Its least share of the strongest action's strength."""

_LEAST_FRAMES = 4


@dataclass(frozen=True)
class _Typical:
    """What procedural people do on average (people 10000 to 10019)."""

    yaw: float = 22.0
    shake: float = 24.0
    rise: float = 0.15
    nod: float = 0.165
    roll: float = 12.0
    size: float = 0.27
    smile: float = 1.25
    mouth: float = 0.30
    talk: float = 0.42
    brows: float = 1.9
    blink: float = 0.23


_MEAN = _Typical()


def action_of(prompt: str) -> str | None:
    """The action that a sentence names first; None where it names none that can be read."""
    text = prompt.lower()
    places = {}
    for name, words in ACTIONS.items():
        if found := re.search(rf"\b{words}\b(?! at the camera)", text):
            places[name] = found.start()
    return min(places, key=lambda name: places[name]) if places else None


def strengths(frames: np.ndarray, landmarks: np.ndarray, boxes: np.ndarray) -> dict[str, float]:
    """Every action's strength in a clip: 1 is as much as procedural people do, 0 not at all.

    `frames` uint8 `[T,H,W,3]`, `landmarks [T,5,2]`, `boxes [T,4]`. Empty where fewer than half of
    the frames, or fewer than four, show a face.
    """
    seen = np.isfinite(boxes).all(axis=1)
    held = pose.curves(landmarks, boxes)
    if held is None or seen.sum() < max(_LEAST_FRAMES, len(frames) / 2):
        return {}
    face = expression.expression(frames, landmarks)
    opening = _net(face.mouth) / _MEAN.mouth
    turn, rise = _net(held.yaw) / _MEAN.yaw, _net(held.y) / _MEAN.rise
    tilt, closer = _net(pose.roll(frames, landmarks)) / _MEAN.roll, _net(held.size) / _MEAN.size
    return {
        "turns left": -turn,
        "turns right": turn,
        "looks up": -rise,
        "looks down": rise,
        "nods": _to_and_fro(held.y) / _MEAN.nod,
        "shakes the head": _to_and_fro(held.yaw) / _MEAN.shake,
        "tilts left": -tilt,
        "tilts right": tilt,
        # Lips that part move as a smile's do.
        "smiles": _net(face.smile) / _MEAN.smile - max(opening, 0.0),
        "opens the mouth": opening,
        "raises the eyebrows": _net(face.brows) / _MEAN.brows,
        "blinks": _dip(face.eyes) / _MEAN.blink,
        "talks": _flutter(face.mouth) / _MEAN.talk,
        "walks closer": closer,
        "steps back": -closer,
    }


def does(found: dict[str, float], action: str) -> bool:
    """Whether strengths say that the action was done, and that no other one outdoes it."""
    ours = found[action]
    rivals = [
        strength
        for name, strength in found.items()
        if action in OF_THE_FACE or name not in OF_THE_FACE
    ]
    return ours >= STRONG and ours >= OUTDONE * max(rivals)


def _net(curve: np.ndarray) -> float:
    """From the beginning to the end: the last third's mean minus the first two frames'."""
    seen = curve[np.isfinite(curve)]
    last, first = max(1, len(seen) // 3), max(1, len(seen) // 4)
    return float(seen[-last:].mean() - seen[:first].mean())


def _to_and_fro(curve: np.ndarray) -> float:
    """What of the range was taken back."""
    seen = curve[np.isfinite(curve)]
    return float(seen.max() - seen.min() - abs(seen[-1] - seen[0]))


def _dip(curve: np.ndarray) -> float:
    """Deepest fall below the middle that is risen from again, as a share of the middle."""
    seen = curve[np.isfinite(curve)]
    low = int(seen.argmin())
    around = min(seen[: low + 1].max(), seen[low:].max())
    return float((around - seen[low]) / max(float(np.median(seen)), 1e-6))


def _flutter(curve: np.ndarray) -> float:
    """The way back and forth beyond the way from first to last, within a second's frames."""
    seen = curve[np.isfinite(curve)]
    return float(np.abs(np.diff(seen)).sum() - abs(seen[-1] - seen[0]))


def _obeyed(seen: Evidence) -> tuple[float | None, ...]:
    action = action_of(seen.prompt)
    if action is None:
        return None, None, None, None
    there = strengths(seen.frames, seen.landmarks, seen.boxes)
    others = [name for name in ACTIONS if name != action]
    ours = float(bool(there) and does(there, action))
    chance = float(np.mean([bool(there) and does(there, name) for name in others]))
    if action in AIMLESS:
        return ours, chance, None, None
    back = strengths(seen.frames[::-1], seen.landmarks[::-1], seen.boxes[::-1])
    backwards = float(bool(back) and does(back, action))
    return ours, chance, backwards, ours - backwards


METRICS = (
    Formula(
        name="obedience",
        needs=needing(Evident.FRAMES, Evident.FACES, Evident.PROMPT),
        columns=(
            Column(
                name="obeyed",
                meaning="1 where the clip does what its sentence says, else 0",
                better="higher",
                mean="obeyed",
                heading="obeyed",
                least=0,
                most=1,
                convention="strength of the sentence's action at least 0.4 of procedural people's "
                "and 0.6 of the strongest action's",
            ),
            Column(
                name="obeyed_otherwise",
                meaning="share of all other known actions that it would be found to do: chance",
                mean="obeyed_otherwise",
                least=0,
                most=1,
            ),
            Column(
                name="obeyed_backwards",
                meaning="obeyed with the frames in reversed order, of sentences with a direction",
                mean="obeyed_backwards",
                least=0,
                most=1,
            ),
            Column(
                name="forwards",
                meaning="obeyed minus obeyed backwards, of sentences with a direction in time",
                better="higher",
                mean="forwards",
                least=-1,
                most=1,
            ),
        ),
        of=_obeyed,
    ),
)
