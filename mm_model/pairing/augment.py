"""References by photographic variation of a picture the identity already has.

Mirror, rotation, scale, light, colour and blur: an honest stand-in where no generator is at hand.
It shows nothing new of a face (no other pose, no other expression), which its name says.
"""

import math

import numpy as np

from mm_model.eyes.pictures import Pictures
from mm_model.pairing.synthesizer import Identity, Made, Portrait

LONGEST_SIDE = 1024
"""Side of the square result in pixels at most."""

_FRAME_OVER_FACE = 2.4  # the result shows the face with room for a detector


class AugmentSynthesizer:
    """Seeded variations of one of the identity's pictures."""

    name = "augment"

    def make(self, identity: Identity, seed: int) -> Made | None:
        """A square picture around the face of a randomly chosen portrait; None without any."""
        if not identity.portraits:
            return None
        rng = np.random.default_rng(seed)
        portrait = identity.portraits[int(rng.integers(len(identity.portraits)))]
        image = vary(_picture(portrait), portrait.face.box, rng)
        return Made(image, portrait.sample_id)


def _picture(portrait: Portrait) -> np.ndarray:
    still = portrait.frame is None
    index = 0 if still else portrait.frame
    pictures = Pictures(portrait.path, "image" if still else "clip", index + 1,
                        portrait.width, portrait.height)  # fmt: skip
    return next(image for _, image in pictures.at([index]))


def vary(image: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square variation of `image` (RGB uint8) around the face box, at most 1024 pixels wide.

    Mirrored in half of the cases; turned by up to 12 degrees; scaled by 0.8 to 1.25; gain, gamma,
    colour balance and a slight blur drawn at random (design choice, all from `rng`).
    """
    import cv2

    face = float(max(box[2] - box[0], box[3] - box[1]))
    side = int(min(LONGEST_SIDE, max(64, round(face * _FRAME_OVER_FACE))))
    fit = side / (face * _FRAME_OVER_FACE)
    if fit < 1:  # shrink with averaging first: a warp alone would alias
        image = cv2.resize(image, None, fx=fit, fy=fit, interpolation=cv2.INTER_AREA)
        box, fit = np.asarray(box, np.float64) * fit, 1.0
    angle = math.radians(rng.uniform(-12, 12))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = fit * rng.uniform(0.8, 1.25) * turn @ np.diag([mirror, 1.0])
    centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float64)
    middle = np.full(2, side / 2) + rng.uniform(-0.06, 0.06, 2) * side
    matrix = np.concatenate([linear, (middle - linear @ centre)[:, None]], axis=1)
    turned = cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return _lit(turned, side, rng)


def _lit(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    import cv2

    values = (image.astype(np.float32) / 255) ** np.float32(rng.uniform(0.75, 1.3))
    values *= rng.uniform(0.92, 1.08, 3).astype(np.float32) * np.float32(rng.uniform(0.85, 1.12))
    blur = rng.uniform(0.0, 0.005) * side
    if blur > 0.3:
        values = cv2.GaussianBlur(values, (0, 0), blur)
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
