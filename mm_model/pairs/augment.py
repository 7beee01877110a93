"""References by photographic variation of a picture the identity already has.

Mirror, rotation, scale, light, colour and blur: an honest stand-in where no generator is at hand.
It shows nothing new of a face (no other pose, no other expression), which its name says. Every
pixel comes from inside the picture: nothing beyond its edge is made up, so no head appears twice.
"""

import math

import numpy as np

from mm_model.faces.pictures import Pictures
from mm_model.pairs.synthesizer import Identity, IdentityPicture, SynthesisedPicture

LONGEST_SIDE = 1024
"""Side of the result in pixels at most."""

FRAME_OVER_FACE = 2.4
"""Side of what is shown over that of the face: room for a detector (design choice)."""

ENOUGH_OVER_FACE = 1.5
"""A turned view narrower than this is turned less instead, so that no face is cut off."""

_TURNS = (1.0, 0.5, 0.25)


class AugmentSynthesizer:
    """Seeded variations of one of the identity's pictures."""

    name = "augment"

    def make(self, identity: Identity, seed: int) -> SynthesisedPicture | None:
        """A picture around the face of a randomly chosen portrait; None without any."""
        if not identity.portraits:
            return None
        rng = np.random.default_rng(seed)
        portrait = identity.portraits[int(rng.integers(len(identity.portraits)))]
        image = vary(picture_of(portrait), portrait.face.box, rng)
        return SynthesisedPicture(image, portrait.sample_id, portrait.faces)


def picture_of(portrait: IdentityPicture) -> np.ndarray:
    """The still, or the frame of its clip, RGB uint8 [H, W, 3]."""
    still, index = portrait.frame is None, portrait.frame or 0
    pictures = Pictures(
        portrait.path, "image" if still else "clip", index + 1, portrait.width, portrait.height
    )
    return next(image for _, image in pictures.at([index]))


def vary(image: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A variation of `image` (RGB uint8) around the face box, at most 1024 pixels a side.

    Mirrored in half of the cases; turned by up to 12 degrees; scaled by 0.8 to 1.25; gain, gamma,
    colour balance and a slight blur drawn at random (design choice, all from `rng`). Square where
    the picture has room for it; near its edge the view is moved, turned less or made smaller.
    """
    angle = math.radians(rng.uniform(-12, 12))
    mirrored = rng.random() < 0.5
    scale = rng.uniform(0.8, 1.25)
    shift = rng.uniform(-0.06, 0.06, 2)
    view = _view(image, box, angle, scale, shift)
    return _lit(view[:, ::-1] if mirrored else view, rng)


def _view(
    image: np.ndarray, box: np.ndarray, angle: float, scale: float, shift: np.ndarray
) -> np.ndarray:
    """The part of `image` in a turned frame around the face, wholly inside the picture."""
    box = np.asarray(box, np.float64)
    face = max(float(box[2] - box[0]), float(box[3] - box[1]))
    room = np.array([image.shape[1], image.shape[0]], np.float64)
    side = FRAME_OVER_FACE * face / scale
    middle = np.clip((box[:2] + box[2:]) / 2 - shift * side, 0, room)
    for share in _TURNS:
        turn = angle * share
        reach = abs(math.cos(turn)) + abs(math.sin(turn))  # of a turned square over a straight one
        fitting = min(side, float(room.min()) / reach - 2)
        centre = np.clip(middle, fitting * reach / 2, room - fitting * reach / 2)
        least = min(side, ENOUGH_OVER_FACE * face)
        if fitting >= least and _shows(centre, fitting, turn, box, room):
            return _warped(image, centre, np.array([fitting, fitting]), turn, scale)
    size = np.minimum(side, room)
    centre = np.clip(middle, size / 2, room - size / 2)
    return _warped(image, centre, size, 0.0, scale)


def _shows(centre: np.ndarray, side: float, turn: float, box: np.ndarray, room: np.ndarray) -> bool:
    """Whether a turned square holds all of the face that lies inside the picture."""
    low, high = np.clip(box[:2], 0, room), np.clip(box[2:], 0, room)
    corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])]) - centre
    back = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return bool((np.abs(corners @ back.T) <= side / 2).all())


def _warped(
    image: np.ndarray, centre: np.ndarray, size: np.ndarray, turn: float, scale: float
) -> np.ndarray:
    """The turned rectangle of `size` = (width, height) around `centre`, enlarged by `scale`."""
    import cv2

    reach = math.ceil(float(np.hypot(*size)) / 2) + 2
    left, top = (max(0, int(value) - reach) for value in centre)
    part = image[top : int(centre[1]) + reach + 1, left : int(centre[0]) + reach + 1]
    origin = np.array([left, top], np.float64)
    scale = min(scale, LONGEST_SIDE / float(size.max()))
    if scale < 1:  # shrink with averaging first: a warp alone would alias
        small = tuple(max(1, round(value * scale)) for value in part.shape[1::-1])
        shrunk = np.array(small) / part.shape[1::-1]
        part = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
        centre, size, scale = (centre - origin) * shrunk, size * shrunk, 1.0
    else:
        centre = centre - origin
    width, height = (max(1, round(float(value) * scale)) for value in size)
    linear = scale * np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    # Pixel centres lie at whole numbers: the middle of n pixels is (n - 1) / 2.
    goal = np.array([width - 1, height - 1]) / 2
    matrix = np.concatenate([linear, (goal - linear @ (centre - 0.5))[:, None]], axis=1)
    # The edge is only ever reached by the rounding of half a pixel.
    return cv2.warpAffine(
        part, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _lit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    import cv2

    values = (image.astype(np.float32) / 255) ** np.float32(rng.uniform(0.75, 1.3))
    values *= rng.uniform(0.92, 1.08, 3).astype(np.float32) * np.float32(rng.uniform(0.85, 1.12))
    blur = rng.uniform(0.0, 0.005) * max(image.shape[:2])
    if blur > 0.3:
        values = cv2.GaussianBlur(values, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
