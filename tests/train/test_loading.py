"""Streams of samples: each once an epoch, mixed, the same at any step, worker and process."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from mm_model.errors import UserError
from mm_model.settings import load_profile
from mm_model.store import tables
from mm_model.train.loading import Loader
from mm_model.train.shards import ShardSet, Stream
from mm_model.train.stage import _refuse_few
from tests.precompute.test_sample_shards import sample
from tests.precomputed import Made, written
from tests.train.test_loop import toy_data

SAMPLES, PER_SHARD = 48, 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    made = [Made(f"{i:03d}", sample(i)) for i in range(SAMPLES)]
    folder = tmp_path_factory.mktemp("set")
    return written(folder, made, torch.zeros(8, 16), per_shard=PER_SHARD)


def seen(
    data: ShardSet, streams: int = 1, first: int = 1, together: int = 3, **given: int
) -> Iterator[list[str]]:
    """Ids of step `first` and of those after it, a batch of 8."""
    made = data.streams(streams, together, given.pop("seed", 5))
    for parts in Loader(data, made, 8, **given).steps(first):
        yield [name for part in parts for name in part.sample_ids]


@pytest.mark.parametrize("streams", [1, 2, 4])
@pytest.mark.parametrize("together", [1, 3, 100])
def test_each_sample_comes_once_an_epoch_in_an_order_of_its_own(
    data: ShardSet, streams: int, together: int
) -> None:
    steps = list(islice(seen(data, streams, together=together), 3 * SAMPLES // 8))
    names = [name for step in steps for name in step]
    epochs = [names[at : at + SAMPLES] for at in range(0, len(names), SAMPLES)]
    assert all(sorted(epoch) == [f"{i:03d}" for i in range(SAMPLES)] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert epochs[0] != sorted(epochs[0])


@pytest.mark.parametrize("streams", [1, 2, 4])
def test_it_begins_at_any_step_as_if_it_had_come_there(data: ShardSet, streams: int) -> None:
    straight = list(islice(seen(data, streams), 20))
    for first in (1, 2, 6, 7, 13, 20):
        assert next(seen(data, streams, first)) == straight[first - 1]


def test_another_seed_gives_another_order(data: ShardSet) -> None:
    assert next(seen(data)) == next(seen(data)) != next(seen(data, seed=6))


@pytest.mark.parametrize("ranks", [2, 4])
def test_processes_together_see_what_one_alone_would_see(data: ShardSet, ranks: int) -> None:
    alone = list(islice(seen(data, 4), 15))
    shared = [list(islice(seen(data, 4, rank=rank, ranks=ranks), 15)) for rank in range(ranks)]
    for step, whole in enumerate(alone):
        parts = [shared[rank][step] for rank in range(ranks)]
        assert all(len(part) == 8 // ranks for part in parts)
        assert sorted(name for part in parts for name in part) == sorted(whole)


def test_workers_that_read_ahead_change_nothing(data: ShardSet) -> None:
    alone = list(islice(seen(data, 4, first=3), 10))
    assert list(islice(seen(data, 4, first=3, workers=2), 10)) == alone


def test_samples_of_many_shards_are_mixed_within_a_window(data: ShardSet) -> None:
    """Held in one window, neighbours of a shard stand apart as in a shuffle of all."""
    names = [name for step in islice(seen(data, together=12), SAMPLES // 8) for name in step]
    shards = [int(name) // PER_SHARD for name in names]
    beside = sum(a == b for a, b in pairwise(shards))
    assert beside < SAMPLES / 4  # by chance 3 of 47; shard after shard 36
    alone = [name for step in islice(seen(data, together=1), SAMPLES // 8) for name in step]
    assert len({int(name) // PER_SHARD for name in alone[:PER_SHARD]}) == 1


def test_a_window_is_held_and_no_more(data: ShardSet, monkeypatch: pytest.MonkeyPatch) -> None:
    from mm_model.train import loading

    asked: list[int] = []
    read = loading._read
    monkeypatch.setattr(loading, "_read", lambda s, n: (asked.append(len(n)), read(s, n))[1])
    steps = seen(data, together=3)
    next(steps)
    assert asked == [3]
    list(islice(steps, SAMPLES // 8))
    assert set(asked) == {3}


def test_what_cannot_be_shared_evenly_is_refused(data: ShardSet) -> None:
    with pytest.raises(UserError, match="12 shards for 13 streams: lower streams"):
        data.streams(13, 1, 5)
    for ranks, streams in ((3, 4), (2, 1)):
        with pytest.raises(UserError, match="cannot be shared evenly"):
            Loader(data, data.streams(streams, 1, 5), 8, ranks=ranks)
    with pytest.raises(UserError, match="a batch of 7"):
        Loader(data, data.streams(2, 1, 5), 7)


@pytest.mark.parametrize("fault", ["cut", "one sample less", "gone", "no tar"])
def test_a_damaged_shard_is_named(tmp_path: Path, fault: str) -> None:
    made = [Made(f"{i}", sample(i)) for i in range(4)]
    data = written(tmp_path, made, torch.zeros(8, 16), per_shard=2)
    path = data.files[1]
    content = path.read_bytes()
    path.unlink()
    half = tables.records(data.index)[3]["offset"] - 1536  # headers and words of the last one
    left = {"cut": content[:700], "one sample less": content[:half], "no tar": b"x" * 3000}
    if fault in left:
        path.write_bytes(left[fault])
    with pytest.raises(UserError, match=re.escape(path.name)):
        list(islice(seen(data), 2))


_READER = """
import sys, time
from pathlib import Path
from mm_model.train.loading import Loader
from mm_model.train.shards import ShardSet
if __name__ == "__main__":
    data = ShardSet(Path(sys.argv[1]), "pictures")
    steps = Loader(data, data.streams(4, 1, 5), 8, workers=2).steps(1)
    next(steps)
    print("reading", flush=True)
    time.sleep(600)
"""


def test_readers_end_with_a_training_that_is_killed(
    data: ShardSet, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "reader.py").write_text(_READER)
    asked = [sys.executable, str(tmp_path / "reader.py"), str(data.folder)]
    with subprocess.Popen(
        asked, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None and run.stdout.readline() == b"reading\n"
        below = psutil.Process(run.pid).children(recursive=True)
        assert len(below) >= 2
        run.kill()
        run.wait()
    gone, alive = psutil.wait_procs(below, timeout=60)
    assert not alive and len(gone) == len(below)


def test_streams_have_their_own_shards(data: ShardSet) -> None:
    found: list[Stream] = list(data.streams(4, 2, 5))
    owned = Counter(shard for stream in found for shard in stream.shards)
    assert set(owned) == set(range(12)) and set(owned.values()) == {1}


def test_too_few_shards_are_told_before_processes_are_started(root: Path, tmp_path: Path) -> None:
    """Also where every one of eight GPUs would have loaded the backbone by then."""
    rules = load_profile(root, "tiny").pretrain.model_copy(update={"row_floor": 1})
    job = SimpleNamespace(stage=SimpleNamespace(name="pretrain"))
    data = toy_data(tmp_path)  # ten shards
    _refuse_few(job, rules.model_copy(update={"streams": 10, "batch_size": 10}), data)
    with pytest.raises(UserError, match="10 shards for 12 streams: lower"):
        _refuse_few(job, rules.model_copy(update={"streams": 12, "batch_size": 12}), data)
