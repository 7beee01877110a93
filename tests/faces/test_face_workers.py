"""Worker processes: the same results as one process, and a crash that stays alone."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_model.facepack.port import FacePack
from mm_model.faces.workers import opened
from mm_model.run.pools.port import Crashed


def describe_or_die(pack: FacePack, item: Any) -> Any:
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    image = np.random.default_rng(item).integers(0, 255, (64, 64, 3), np.uint8)
    return pack.digest, len(pack.detect(image, 0.0)), os.getpid() != item


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spawned processes find this module as the parent did."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def test_two_processes_give_what_one_gives_and_survive_a_crash(tiny_facepack: Path) -> None:
    items = [3, 1, 2]
    with opened(tiny_facepack, 128, 1) as workers:
        alone = workers.run(describe_or_die, items)
    with opened(tiny_facepack, 128, 2) as workers:
        assert workers.run(describe_or_die, items) == alone
        results = workers.run(describe_or_die, [3, "die", 2])
        assert isinstance(results[1], Crashed)
        assert [results[0], results[2]] == [alone[0], alone[2]]
