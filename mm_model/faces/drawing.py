"""Pictures for people: a face with its box and landmarks drawn on it.

Draws on copies, never on what a stage goes on to use.
"""

import numpy as np

from mm_model.facepack.port import Face

GREEN, RED = (40, 170, 70), (205, 50, 45)


def marked(image: np.ndarray, face: Face | None, colour: tuple[int, int, int]) -> np.ndarray:
    """A copy of `image` (RGB uint8) with the face's box and landmarks in `colour`."""
    import cv2

    drawn = np.ascontiguousarray(image).copy()
    if face is None:
        return drawn
    thick = max(1, round(max(image.shape[:2]) / 160))
    x1, y1, x2, y2 = (round(float(value)) for value in face.box)
    cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, thick)
    for x, y in face.landmarks:
        cv2.circle(drawn, (round(float(x)), round(float(y))), thick, colour, -1)
    return drawn
