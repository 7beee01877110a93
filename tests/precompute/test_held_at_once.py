"""What a shard's encoding holds at once: few frames, few clips in the VAE, no text for ever."""

import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mm_model.generation.frames import TrainingFrames
from mm_model.precompute.encode import Encoder
from mm_model.settings import Profile, load_profile
from tests.nn import tiny

pytestmark = pytest.mark.capability("training from shards", scale="T")

TARGETS = 20


@pytest.fixture
def paper(root: Path) -> Profile:
    return load_profile(root, "paper")


def _encoder(paper: Profile, frames: int, **backbone: Any) -> Encoder:
    return Encoder(
        backbone=SimpleNamespace(**backbone),
        book=SimpleNamespace(),
        known=SimpleNamespace(),
        sizes=paper.model,
        rules=paper.precompute,
        num_frames=frames,
    )


@pytest.mark.parametrize(("frames", "most"), [(49, 1), (1, 16)])
def test_decoded_frames_and_what_the_vae_takes_are_few(
    paper: Profile, monkeypatch: pytest.MonkeyPatch, frames: int, most: int
) -> None:
    alive: list[weakref.ref] = []
    held, taken = [], []

    def decoded(self: Encoder, target: int) -> TrainingFrames:
        made = np.zeros((1, 2, 2, 3), np.uint8)
        alive.append(weakref.ref(made))
        held.append(sum(one() is not None for one in alive))
        return TrainingFrames(made, np.zeros((1, 4)), np.zeros((1, 5, 2)))

    def encoded(self: Encoder, samples: list) -> list[dict]:
        taken.append(len(samples))
        return [{} for _ in samples]

    monkeypatch.setattr(Encoder, "_frames", decoded)
    monkeypatch.setattr(Encoder, "_encoded", encoded)
    assert len(_encoder(paper, frames)._pixels(range(TARGETS))) == TARGETS
    assert max(taken) == most and sum(taken) == TARGETS
    assert max(held) <= most, "of 10,000 clips all frames would be half a terabyte"


def test_texts_pass_t5_together_and_leave_nothing_behind(paper: Profile) -> None:
    t5, rows, outputs = tiny.text_encoder(), [], []

    def heard(_module: Any, given: tuple, said: Any) -> None:
        rows.append(len(given[0]))
        outputs.append(weakref.ref(said[0].untyped_storage()))

    t5.register_forward_hook(heard)
    backbone = {"tokenizer": tiny.tokenizer(), "text_encoder": t5, "text_length": 16}
    encoder = _encoder(paper, 1, **backbone)
    few = paper.precompute.text_batch
    wordings = [(f"a man {'walks ' * (n % 5)}in the park", n // 5 + 1) for n in range(20)]
    found = encoder._texts(wordings)
    assert rows == [few] * (20 // few) + ([20 % few] if 20 % few else [])
    kept = [weakref.ref(text) for text, _ in found.values()]
    assert len(kept) == 20
    del found
    gc.collect()
    assert not any(one() for one in [*kept, *outputs]), "no caption of 50,000 is kept"
