"""What the weights are trained for: faces weigh more, likeness is seen, trainings go on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mm_model.embedded.training.backbone import ablate, assemble, dit, measure, vae
from mm_model.embedded.training.backbone.recipe import SIZE, DitRecipe, Optimisation, VaeRecipe
from mm_model.errors import UserError
from mm_model.nn.cogvideox.backbone import load_components
from mm_model.nn.identity.face_recognizer import FaceRecognizer

QUICK = Optimisation(steps=2, learning_rate=1e-3, warmup=1, workers=1)
SMALL = VaeRecipe(
    channels=(4, 4, 8, 8),
    latent_channels=4,
    groups=2,
    picture_steps=0,
    picture_batch=2,
    clip_batch=1,
    mixed_pictures=1,
    likeness_weight=1.0,
    optimisation=QUICK,
)


@pytest.fixture
def loss_of(cache: Path, eyes: FaceRecognizer) -> vae.VaeLoss:
    return vae.VaeLoss(vae.build_vae(SMALL), cache, SMALL, eyes)


def _faces(loss_of: vae.VaeLoss, count: int = 3) -> tuple[torch.Tensor, np.ndarray]:
    frames = np.asarray(loss_of.cache["pictures"][:count])
    return vae.pixels.to_tensor(frames), np.asarray(loss_of.cache["pictures_landmarks"][:count])


def test_a_true_copy_is_no_loss_of_likeness_and_another_face_is_one(loss_of: vae.VaeLoss) -> None:
    faces, marks = _faces(loss_of)
    assert loss_of._unlike(faces, faces, marks, False).item() == pytest.approx(0.0, abs=1e-5)
    assert loss_of._unlike(faces.roll(1, 0), faces, marks, False).item() > 1e-3


def test_mirrored_faces_are_aligned_by_mirrored_landmarks(loss_of: vae.VaeLoss) -> None:
    """A face and its mirror image, each at its own landmarks, give the mirrored crop."""
    faces, marks = _faces(loss_of)
    seen = []
    loss_of.recognizer.embed, before = (
        lambda x: seen.append(x) or x.flatten(1),
        (loss_of.recognizer.embed),
    )
    try:
        loss_of._unlike(faces, faces, marks, False)
        loss_of._unlike(faces.flip(-1), faces.flip(-1), marks, True)
    finally:
        loss_of.recognizer.embed = before
    straight, mirrored = seen[0].flip(-1), seen[2]
    middle = (slice(None), slice(None), slice(20, 92), slice(20, 92))
    # the template is all but symmetric: a pixel's worth of difference remains
    assert float((straight - mirrored)[middle].abs().mean()) < 0.06
    assert float((straight - mirrored.flip(-1))[middle].abs().mean()) > 0.06


def test_a_second_training_starts_from_the_first(cache: Path, eyes, tmp_path: Path) -> None:
    first = vae.train_vae(cache, tmp_path / "first", SMALL, recognizer=eyes)
    second = vae.train_vae(
        cache, tmp_path / "second", SMALL, stop=0, start=tmp_path / "first", recognizer=eyes
    )
    for key, value in first.averages["vae"].state_dict().items():
        assert torch.equal(second.modules["vae"].state_dict()[key], value), key
    assert second.step == 0


def test_latent_cells_of_a_face_weigh_more_and_the_mean_is_one(cache: Path) -> None:
    recipe = DitRecipe(face_weight=3.0)
    loss_of = dit.DitLoss(None, None, cache, cache, recipe)
    for kind, frames in (("pictures", 1), ("clips", 3)):
        chosen = np.arange(2)
        weight = loss_of._weight(kind, chosen, frames)
        assert weight.shape == (2, frames, 1, SIZE // 8, SIZE // 8)
        assert float(weight.mean()) == pytest.approx(1.0, abs=1e-6)
        box = np.asarray(loss_of.cache[f"{kind}_boxes"][0], float).reshape(-1, 4)[0]
        x, y = ((box[:2] + box[2:]) / 2 // 8).astype(int)
        assert float(weight[0, 0, 0, y, x]) == pytest.approx(3 * float(weight.min()), rel=1e-5)


def test_the_chance_of_an_action_is_read_off_another_quantity() -> None:
    assert set(measure._OTHERS) == set(measure._MOVES) == set(measure._OTHERS.values())
    for name, other in measure._OTHERS.items():
        assert measure._MOVES[name][0] != measure._MOVES[other][0]


def test_an_untrained_perceiver_changes_nothing_else(tiny_backbone: Path, tmp_path: Path) -> None:
    made = ablate.with_random_perceiver(tiny_backbone, tmp_path / "random", seed=3)
    ours, theirs = assemble.verify(made)["files"], assemble.verify(tiny_backbone)["files"]
    assert {name for name in theirs if ours[name] != theirs[name]} == {
        "identity_encoder/perceiver.safetensors",
        "identity_encoder/identity_encoder.json",
    }
    load_components(made)  # its own digests hold
    with pytest.raises(UserError, match="exists"):
        ablate.with_random_perceiver(tiny_backbone, tmp_path / "random")
