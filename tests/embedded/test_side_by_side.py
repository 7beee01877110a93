"""Caches that other processes make are those that this one makes."""

from pathlib import Path

import numpy as np
import pytest

from mm_model.embedded.training.backbone import latents, vae
from mm_model.embedded.training.facepack import photo_cache
from tests.embedded.test_backbone_training import SMALL_VAE


@pytest.mark.slow
def test_two_processes_encode_what_one_does(cache: Path, tmp_path: Path) -> None:
    model = vae.build_vae(SMALL_VAE).eval()
    alone = latents.encode_cache(model, "one", cache, tmp_path / "alone", processes=1)
    shared = latents.encode_cache(model, "one", cache, tmp_path / "shared", processes=2)
    np.testing.assert_array_equal(shared.clips, alone.clips)
    np.testing.assert_array_equal(shared.pictures, alone.pictures)


def test_other_processes_photograph_what_this_one_does(tmp_path: Path) -> None:
    made = [
        photo_cache.photos(tmp_path / str(workers), range(3), count=1, size=32, workers=workers)
        for workers in (1, 2)
    ]
    np.testing.assert_array_equal(made[0].images, made[1].images)
    np.testing.assert_array_equal(made[0].landmarks, made[1].landmarks)
