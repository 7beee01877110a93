"""Where each process of a training puts its model, and how much it decodes when it is looked at."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState, GradientState

from mm_model.generation.clips import Sampling, Size, generate
from mm_model.settings import load_profile
from mm_model.settings.device import device_of
from mm_model.train import watch
from mm_model.train.processes import Processes

pytestmark = pytest.mark.capability("several processes", scale="T")


@pytest.fixture
def apart() -> Iterator[None]:
    """Accelerate keeps what it learned of a process for ever; here for this test alone."""
    states = (PartialState, AcceleratorState, GradientState)
    before = [dict(kind._shared_state) for kind in states]
    for kind in states:
        kind._shared_state.clear()
    yield
    for kind, known in zip(states, before, strict=True):
        kind._shared_state.clear()
        kind._shared_state.update(known)


@pytest.mark.parametrize("rank", [0, 1])
def test_each_process_has_a_gpu_of_its_own(
    rank: int, root: Any, apart: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two GPUs are played; that one is chosen before anything is put on `cuda` is not."""
    chosen: list[int] = []
    for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    for name, answer in {
        "is_available": lambda: True,
        "device_count": lambda: 2,
        "set_device": lambda device: chosen.append(torch.device(device).index),
        "is_bf16_supported": lambda *_: True,
    }.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    for name, answer in {
        "init_process_group": lambda **_: None,
        "is_initialized": lambda: True,
        "get_world_size": lambda *_: 2,
        "get_rank": lambda *_: rank,
        "get_backend": lambda *_: "nccl",
    }.items():
        monkeypatch.setattr(torch.distributed, name, answer)
    run = load_profile(root, "paper").run
    processes = Processes(device_of(run), "trained")
    assert chosen == [rank]
    assert processes.accelerator.device == torch.device("cuda", rank)
    assert (processes.rank, processes.count) == (rank, 2)
    assert device_of(run).index is None, "so that models go where the process was put"


def test_clips_that_are_looked_at_are_decoded_one_by_one(root: Any) -> None:
    """Seven of the paper's size at once would be 0.7 GB of latents and 80 GB in the VAE."""
    decoded: list[int] = []

    class Pipe:
        transformer = SimpleNamespace(config=SimpleNamespace(max_text_seq_length=226))

        def __call__(self, *, prompt: list[str], **_: Any) -> tuple[list[str]]:
            return (prompt,)

        def to_frames(self, latents: list[str]) -> np.ndarray:
            decoded.append(len(latents))
            return np.zeros((len(latents), 1, 1, 1, 3))

    sizes = load_profile(root, "paper").model
    asked = Sampling(steps=1, guidance=6.0, face_guidance="null")
    for frames, most in ((49, 1), (1, 7)):
        decoded.clear()
        size = Size.of(sizes, frames)
        made = generate(
            Pipe(),  # type: ignore[arg-type]
            ["a man walks"] * 7,
            None,
            range(7),
            size=size,
            sampling=asked,
        )
        assert len(made) == 7 and max(decoded) == most


@pytest.mark.parametrize("count", [1, 2, 3])
def test_samples_are_the_same_whoever_makes_them(
    count: int, root: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each person has one seed, also where several processes share the people."""
    made: dict[str, int] = {}

    def generated(
        pipe: Any, prompts: list[str], features: Any, seeds: list[int], **_: Any
    ) -> list[np.ndarray]:
        made.update(zip(prompts, seeds, strict=True))
        return [np.full((1, 1, 1, 3), seed % 256) for seed in seeds]

    monkeypatch.setattr(watch, "generate", generated)
    monkeypatch.setattr(watch, "rows_of", lambda features, rows: None)
    watchers: list[watch.Watcher] = []
    said: list[dict] = []

    def heard(own: dict) -> list[dict]:
        said.append(own)
        return said

    for rank in range(count):
        watcher: Any = watch.Watcher.__new__(watch.Watcher)
        watcher.processes = SimpleNamespace(rank=rank, count=count, all_said=heard)
        watcher.people = [SimpleNamespace(prompt=f"person {n}") for n in range(5)]
        watcher.job = SimpleNamespace(profile=load_profile(root, "tiny"))
        watcher.num_frames, watcher.pipe = 1, None
        watcher.features = watcher.sampling = None
        watchers.append(watcher)
    for watcher in watchers[:-1]:
        with contextlib.suppress(KeyError):  # not all have spoken yet
            watcher._clips()
    clips = watchers[-1]._clips()
    assert made == {f"person {n}": 1000 + n for n in range(5)}
    assert clips.flatten().tolist() == [n % 256 for n in range(1000, 1005) for _ in range(3)]
