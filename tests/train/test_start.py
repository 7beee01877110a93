"""What a fresh adapter begins with, by the profile's word."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone, load_backbone
from mm_model.settings import Profile, load_profile
from mm_model.train.start import fresh_adapter


@pytest.fixture(scope="module")
def profile(root: Path) -> Profile:
    return load_profile(root, "tiny")


@pytest.fixture(scope="module")
def backbone(root: Path, profile: Profile) -> Backbone:
    return load_backbone(root / "weights" / "tiny" / "backbone", profile.run)


def _started(profile: Profile, backbone: Backbone, **model: str):
    changed = profile.model.model_copy(update=model)
    return fresh_adapter(
        SimpleNamespace(profile=profile.model_copy(update={"model": changed})), backbone
    )


@pytest.mark.capability("face perceiver", scale="T")
@pytest.mark.parametrize(("start", "copied"), [("id_perceiver", True), ("random", False)])
def test_the_face_perceiver_begins_as_the_profile_says(profile, backbone, start, copied):
    source = backbone.identity_encoder.id_perceiver.perceiver_resampler.state_dict()
    made = _started(profile, backbone, face_perceiver=start).face_perceiver.state_dict()
    assert all(torch.equal(made[name], value) for name, value in source.items()) == copied


def test_a_copy_of_another_size_is_refused_in_one_sentence(profile, backbone):
    with pytest.raises(UserError, match=r"model\.face_perceiver is id_perceiver.*'lite'"):
        _started(profile, backbone, preset="lite")
