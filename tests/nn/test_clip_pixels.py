"""What CLIP sees of a picture: equal to what the shipped encoder was trained with."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mm_model.embedded.training.backbone.portraits import clip_normalised
from mm_model.generation.references import clip_pixels

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def by_hand(image: Image.Image, size: int, longer: int) -> torch.Tensor:
    """Shorter side to `size`, the other to `longer`, centre crop, CLIP's mean and deviation."""
    wide = image.size[0] > image.size[1]
    width, height = (longer, size) if wide else (size, longer)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.resize((width, height), resample=Image.Resampling.BICUBIC)
    image = image.crop((left, top, left + size, top + size))
    array = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255.0).permute(2, 0, 1)
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, DEVIATION))
    return (array - mean) / deviation


def noise(width: int, height: int) -> Image.Image:
    draw = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [1, 7, 28, 112, 224])
@pytest.mark.parametrize("side", [1, 2, 3, 5, 27, 28, 29, 113, 224, 301])
def test_a_square_portrait_is_seen_as_before_bit_for_bit(size: int, side: int) -> None:
    image = noise(side, side)
    assert torch.equal(clip_pixels(image, size), by_hand(image, size, size))


@pytest.mark.parametrize(
    ("width", "height"),
    [(90, 60), (60, 90), (461, 431), (301, 1), (1, 301), (333, 500), (225, 224)],
)
@pytest.mark.parametrize("size", [28, 224])
def test_a_whole_picture_is_seen_as_photomaker_prepares_it(
    width: int, height: int, size: int
) -> None:
    """The longer side is cut down to whole pixels, not rounded: up to one pixel from before."""
    image, longer = noise(width, height), int(size * max(width, height) / min(width, height))
    assert torch.equal(clip_pixels(image, size), by_hand(image, size, longer))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_pictures_of_every_kind_are_seen_in_colour(mode: str) -> None:
    image = noise(40, 30).convert(mode)
    assert torch.equal(clip_pixels(image, 28), clip_pixels(image.convert("RGB"), 28))


def test_the_training_of_the_encoder_shows_the_same_values() -> None:
    crop = noise(28, 28)
    assert torch.equal(clip_normalised(np.array(crop)[None])[0], clip_pixels(crop, 28))


def test_who_only_names_pictures_does_not_wait_for_transformers(root: Path) -> None:
    code = "import sys, mm_model.generation.references; print('transformers' in sys.modules)"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
