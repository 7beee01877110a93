"""Time that a training waits for its samples, over the time of its steps.

Samples have the paper's sizes and random contents; the training is a pause. What the first step
waits, while the workers start, is told apart. With `--peer-python` the same bytes pass litdata.
With `--from s3` the shards lie in a server of S3's kind on this machine (`make s3-test`), as `make
push` leaves them; that says what our side costs, not what a network gives.
"""

import argparse
import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.bucket_side import served
from benchmarks.result import Result
from benchmarks.tree import tell
from mm_model.precompute import shards
from mm_model.precompute.names import EMPTY_TEXT, PICTURES
from mm_model.precompute.sample import TrainingSample
from mm_model.records import PRECOMPUTED_COLUMNS
from mm_model.store import tables
from mm_model.train.loading import Loader
from mm_model.train.shards import ShardSet

GOAL = 0.02
_BATCH, _STREAMS, _TOGETHER, _SHARD_MB = 64, 4, 1, 256
_COUNTS = dict.fromkeys(("references", "offset", "bytes"), "count")
_NUMBERS = dict.fromkeys(("latent_std", "logvar_mean", "face_share"), "number")


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--samples", type=int, default=256, help="how many; 6 MB each")
    command.add_argument("--step-seconds", type=float, default=10.0, help="what a step takes")
    command.add_argument("--steps", type=int, default=8, help="how many steps")
    command.add_argument("--workers", type=int, default=2, help="processes that read ahead")
    command.add_argument(
        "--from",
        dest="source",
        choices=("disk", "s3"),
        default="disk",
        help="where the shards lie; s3: in a server of that kind on this machine",
    )
    command.add_argument("--peer-python", help="a Python that has litdata")


def run(options: argparse.Namespace) -> Result:
    """The share of one run."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        data = _written(Path(place), options.samples)
        size = sum(file.stat().st_size for file in data.files) / 1e6
        tell(f"{len(data)} samples of {size / len(data):.1f} MB in {len(data.files)} shards")
        bare = _bare(data)
        if options.source == "s3":
            data = stack.enter_context(served(data))
        streams = data.streams(min(_STREAMS, len(data.files)), _TOGETHER, 5)
        ours, held = _straight(Loader(data, streams, _BATCH), len(data) // _BATCH)
        tell(f"without a pause, no worker: {size / ours:.0f} MB/s; bare reading {size / bare:.0f}")
        tell(f"{len(streams)} streams of one shard each held {held} MiB at most")
        loader = Loader(data, streams, _BATCH, workers=options.workers)
        batches = loader.steps(1)
        next(batches)
        first = loader.waited
        began = time.monotonic()
        for _ in range(options.steps):
            time.sleep(options.step_seconds)
            next(batches)
        waited, seconds = loader.waited - first, time.monotonic() - began
        tell(f"the first step waited {first:.1f} s, {options.steps} more {waited:.2f} s together")
        if options.peer_python and options.source == "disk":
            _peer(options.peer_python, Path(place), size)
    return Result(waited / seconds, GOAL, options.steps)


def _straight(loader: Loader, steps: int) -> tuple[float, int]:
    """Seconds of so many steps without a pause, and MiB by which memory grew at most."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = _peak(), time.monotonic()
    batches = loader.steps(1)
    for _ in range(steps):
        next(batches)
    return time.monotonic() - began, _peak() - before


def _peak() -> int:
    said = Path("/proc/self/status").read_text().partition("VmHWM:")[2]
    return int(said.split()[0]) >> 10


def _sample(number: int) -> TrainingSample:
    g = torch.Generator().manual_seed(number)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=g).bfloat16()

    return TrainingSample(
        mean=drawn(1, 16, 60, 90),
        logvar=drawn(1, 16, 60, 90),
        mask=torch.ones(1, 60, 90, dtype=torch.bool),
        landmarks=torch.zeros(5, 2),
        box=torch.zeros(4),
        text=drawn(2, 226, 4096),
        text_mask=torch.zeros(2, 226, dtype=torch.bool),
        x_id=drawn(3, 2, 1280),
        clip_tokens=drawn(3, 257, 1024),
        embeddings=torch.zeros(3, 512),
    )


def _written(folder: Path, number: int) -> ShardSet:
    words = dict.fromkeys(PRECOMPUTED_COLUMNS[1:9], "x") | {"references": 3}
    looks = {"latent_std": 1.0, "logvar_mean": 0.0, "face_share": 1.0}
    kept = {k: v for k, v in (words | looks).items() if k not in ("shard", "offset", "bytes")}
    size = len(_sample(0).to_bytes())
    paths = []
    for place, part in enumerate(shards.plan([size] * number, _SHARD_MB << 20)):
        path = folder / PICTURES / shards.name_of(place)
        entries: Iterator[shards.Entry] = ((f"{i:08d}", kept, _sample(i).to_bytes()) for i in part)
        shards.write(path, entries, "benchmark")
        paths.append(path)
    rows = (row for path in paths for row in shards.words_in(path))
    tables.write(folder / f"{PICTURES}.parquet", rows, PRECOMPUTED_COLUMNS, _COUNTS | _NUMBERS)
    save_file({"text": torch.zeros(226, 4096).bfloat16()}, folder / EMPTY_TEXT)
    return ShardSet(folder, PICTURES)


def _bare(data: ShardSet) -> float:
    """Seconds to read the bytes of all shards, and nothing else."""
    began = time.monotonic()
    for file in data.files:
        with file.open("rb") as opened:
            while opened.read(1 << 20):
                pass
    return time.monotonic() - began


def _peer(python: str, place: Path, size: float) -> None:
    side = Path(__file__).with_name("streaming_side.py")
    done = subprocess.run([python, str(side), str(place)], capture_output=True, text=True)
    if done.returncode:
        tell(f"the peer stopped: {done.stderr.strip().splitlines()[-1]}")
        return
    for name, value in json.loads(done.stdout.splitlines()[-1]).items():
        tell(
            f"litdata: {name}: {size / value:.0f} MB/s" if name == "reading" else f"{name}: {value}"
        )
