"""Small parts of the tiny backbone's training: pixels, masks, crops, the optimiser's step."""

import numpy as np
import torch

from mm_model.embedded.training.backbone import pixels, portraits, render
from mm_model.embedded.training.backbone.muon import orthogonalised


def test_pixels_round_trip():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 3), dtype=np.uint8)
    assert np.array_equal(pixels.to_frames(pixels.to_tensor(frames)), frames)


def test_box_mask_covers_the_box_and_nothing_else():
    mask = pixels.box_mask(np.array([[2.0, 1.0, 5.0, 7.0]]), 8)
    assert mask.sum() == 3 * 6 and mask[0, 1:7, 2:5].all()


def test_face_crop_centres_the_face():
    frame = render.picture(3, 0, 128, 0, "portraits")
    shown = portraits.crop(frame.image, frame.box, 64)
    middle = frame.image[int(frame.box[1:4:2].mean()), int(frame.box[0:3:2].mean())].astype(int)
    assert np.abs(shown[30:34, 30:34].astype(int).mean((0, 1)) - middle).max() < 40


def test_orthogonalised_keeps_directions_and_evens_sizes():
    matrix = torch.randn(12, 40, generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    projected = (left.T @ orthogonalised(matrix) @ right.T).diagonal()
    assert values.max() / values.min() > 2
    assert projected.min() > 0.5 and projected.max() < 1.4
