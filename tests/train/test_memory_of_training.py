"""A training holds a window of shards, however many samples there are."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mm_model.precompute.sample import TrainingSample
from mm_model.train.shards import ShardSet
from tests.precomputed import Made, written
from tests.train.test_loop import CAPTION, _texts, toy_backbone

pytestmark = [pytest.mark.slow, pytest.mark.capability("training from shards", scale="T")]

FEW, TIMES = 80, 10
WIDE = 48
"""Rows of a sample's vision tokens, which make it large: 800 samples have 190 MB."""

_TRAIN = """
import json, sys
from pathlib import Path
from mm_model.settings import load_profile
from mm_model.train.loop import Trainer
from mm_model.train.shards import ShardSet
from tests.train.test_loop import toy_backbone
import torch

torch.set_num_threads(1)
root, folder, work = map(Path, sys.argv[1:])
few = {"steps": 30, "batch_size": 8, "streams": 2, "shuffle_shards": 2, "log_every": 30}
few |= {"sample_every": 100, "checkpoint_every": 100, "identity_loss_weight": 0.0}
rules = load_profile(root, "tiny").pretrain.model_copy(update=few)
backbone, adapter = toy_backbone()
data = ShardSet(folder, "pictures")
trainer = Trainer(backbone, adapter, data, rules, seed=5, fingerprint="f", checkpoints=work)
trainer.run(lambda m, s: None, lambda s: None, lambda t: None)
said = Path("/proc/self/status").read_text()
print(json.dumps(int(said.partition("VmHWM:")[2].split()[0])))
"""


def _set(folder: Path, number: int) -> ShardSet:
    backbone, _ = toy_backbone()
    text, text_mask, empty = _texts(backbone)
    made = []
    for i in range(number):
        g = torch.Generator().manual_seed(i)
        sample = TrainingSample(
            mean=torch.randn(1, 8, 8, 8, generator=g),
            logvar=torch.full((1, 8, 8, 8), -8.0),
            mask=torch.ones(1, 8, 8, dtype=torch.bool),
            landmarks=torch.rand(5, 2, generator=g),
            box=torch.tensor([16.0, 16, 48, 52]),
            text=text,
            text_mask=text_mask,
            x_id=torch.randn(50, 2, 32, generator=g),
            clip_tokens=torch.randn(50, WIDE, 24, generator=g),
            embeddings=torch.randn(50, 16, generator=g),
        )
        made.append(Made(f"{i:05d}", sample, caption=CAPTION))
    return written(folder, made, empty, per_shard=10)


def _peak(root: Path, data: ShardSet, work: Path) -> int:
    """KiB that a training on this set takes at most."""
    asked = [sys.executable, "-c", _TRAIN, str(root), str(data.folder), str(work)]
    done = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_ten_times_the_samples_take_the_same_memory(root: Path, tmp_path: Path) -> None:
    few = _peak(root, _set(tmp_path / "few", FEW), tmp_path / "a")
    many = _peak(root, _set(tmp_path / "many", FEW * TIMES), tmp_path / "b")
    assert many <= 1.05 * few, (few, many)
