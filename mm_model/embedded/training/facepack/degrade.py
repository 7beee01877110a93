"""What cameras, H.264 and a lossy VAE do to a picture, as random degradations of uint8 images.

Every function takes its generator; the same generator state gives the same bytes. Geometry is
never touched, so landmarks stay true.
"""

from __future__ import annotations

import cv2
import numpy as np


def soften(image: np.ndarray, rng: np.random.Generator, strongest: float) -> np.ndarray:
    """Gaussian blur with a standard deviation of up to ``strongest`` pixels."""
    sigma = float(rng.uniform(0.2, max(strongest, 0.21)))
    return cv2.GaussianBlur(image, (0, 0), sigma)


def shrink_and_enlarge(image: np.ndarray, rng: np.random.Generator, smallest: float) -> np.ndarray:
    """Fine detail lost as in a small latent: down to ``smallest``..0.9 of the size and back."""
    height, width = image.shape[:2]
    share = float(rng.uniform(min(smallest, 0.9), 0.9))
    small = (max(8, round(width * share)), max(8, round(height * share)))
    way = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    return cv2.resize(
        cv2.resize(image, small, interpolation=cv2.INTER_AREA), (width, height), interpolation=way
    )


def compress(image: np.ndarray, rng: np.random.Generator, worst: int) -> np.ndarray:
    """JPEG of a quality from ``worst`` to 95: the blocks and smeared colours of H.264 too."""
    quality = int(rng.integers(worst, 96))
    code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("OpenCV cannot read the JPEG that it wrote")
    return decoded


def add_noise(image: np.ndarray, rng: np.random.Generator, strongest: float) -> np.ndarray:
    """Gaussian noise of up to ``strongest`` grey levels."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(0.5, strongest)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def relight(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Brightness, contrast and a colour cast, each by up to ``strength`` (0.2 is 20%)."""
    gain = (1 + rng.uniform(-strength, strength)) * (1 + rng.uniform(-0.3, 0.3, 3) * strength)
    lift = rng.uniform(-40, 40) * strength
    levels = np.arange(256, dtype=np.float64)[:, None] * gain + lift
    table = np.clip(levels, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    return cv2.LUT(image, table)


def wear(image: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    """A random chain of the above on uint8 [H, W, 3]; ``amount`` 0 (clean) to 1 (badly worn)."""
    if rng.random() < 0.7 * amount + 0.1:
        image = relight(image, rng, 0.1 + 0.25 * amount)
    if rng.random() < 0.5 * amount:
        image = soften(image, rng, 0.4 + 1.1 * amount * image.shape[0] / 128)
    if rng.random() < 0.6 * amount:
        image = shrink_and_enlarge(image, rng, 1 - 0.6 * amount)
    if rng.random() < 0.5 * amount:
        image = add_noise(image, rng, 2 + 8 * amount)
    if rng.random() < 0.6 * amount:
        image = compress(image, rng, int(90 - 60 * amount))
    return image
