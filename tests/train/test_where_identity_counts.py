"""From which step the identity loss counts, and whom it holds a clip against."""

from pathlib import Path

import pytest
import torch

from mm_model.settings import TrainSettings
from tests.precomputed import read
from tests.train.test_loop import _batch, _trainer, settings, toy_data  # noqa: F401

pytestmark = pytest.mark.capability("identity loss", scale="T")


def test_nobody_is_seen_before_the_first_step_of_the_identity_loss(
    settings: TrainSettings,  # noqa: F811
    tmp_path: Path,
) -> None:
    """`identity_loss_from_step` steps go before it, whatever the batch."""
    rules = settings.model_copy(
        update={"identity_loss_from_step": 2, "identity_loss_samples": 3, "batch_size": 6}
    )
    trainer = _trainer(rules, tmp_path, frames=9)
    batch = next(trainer.feed.from_step(1))
    seen = [trainer.backward(batch, step)[3] is not None for step in (1, 2, 3)]
    assert seen == [False, False, True]


def test_a_row_is_held_against_all_references_that_it_shows(
    settings: TrainSettings,  # noqa: F811
    tmp_path: Path,
) -> None:
    rules = settings.model_copy(update={"drop_text": 0.0, "drop_both": 0.0, "batch_size": 9})
    batch = _batch(rules, tmp_path, 1)
    known = read(toy_data(tmp_path), 1.0)
    shown = batch.features.mask.sum(dim=1)
    several = 0
    for row, name in enumerate(batch.sample_ids):
        both = known.samples[known.rows[name]].embeddings
        held = batch.reference_embeddings[row]
        if shown[row] == len(both):
            assert torch.allclose(held, both.mean(dim=0), atol=1e-6)
            several += 1
        else:
            assert any(torch.allclose(held, one, atol=1e-6) for one in both)
    assert several
