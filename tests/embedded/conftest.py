"""Shared by tests of the backbone: a small render cache and an untrained recogniser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mm_model.embedded.training.backbone import render
from mm_model.embedded.training.backbone.recipe import CacheRecipe
from mm_model.nn.identity.face_recognizer import FaceRecognizer


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """What is repeated to the last bit is computed by one thread of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    recipe = CacheRecipe(people=4, pictures_each=2, portraits_each=2, clips=2)
    render.render_cache(folder, recipe, processes=1)
    return folder


@pytest.fixture(scope="module")
def eyes() -> FaceRecognizer:
    torch.manual_seed(0)
    return FaceRecognizer(8, (4, 4, 4, 4), (1, 1, 1, 1), stem_stride=2).eval()
