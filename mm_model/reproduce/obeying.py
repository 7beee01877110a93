"""Whether a clip does what its sentence says, by the house's measure of actions."""

from __future__ import annotations

import numpy as np

from mm_model.facepack.port import FacePack
from mm_model.metrics import obedience


def obeyed(clip: np.ndarray, sentence: str, pack: FacePack) -> float | None:
    """1 where the clip `[F,H,W,3]` does the sentence's action, else 0; None of no known action."""
    action = obedience.action_of(sentence)
    if action is None:
        return None
    boxes, landmarks = np.full((len(clip), 4), np.nan), np.full((len(clip), 5, 2), np.nan)
    for place, frame in enumerate(clip):
        if faces := pack.detect(frame):
            boxes[place], landmarks[place] = faces[0].box, faces[0].landmarks
    found = obedience.strengths(clip, landmarks, boxes)
    return float(bool(found) and obedience.does(found, action))
