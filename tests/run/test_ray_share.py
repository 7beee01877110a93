"""What a worker with models asks of a cluster: CPUs for its threads, a GPU where one is meant."""

from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.run.pools import cluster, ray
from mm_model.run.pools.here import Here
from mm_model.run.pools.port import Limits
from mm_model.run.pools.share import Share
from mm_model.run.pools.table import VARIABLE, open_heavy
from mm_model.settings import RunSettings
from tests.run import pool_tasks as tasks

pytestmark = pytest.mark.capability("Ray", scale="T")

LAPTOP, BOX, RACK = {"CPU": 4.0}, {"CPU": 16.0, "GPU": 2.0}, {"CPU": 64.0, "object_store": 1.0}


@pytest.mark.parametrize(
    ("limits", "nodes", "share", "workers"),
    [
        (Limits(), [LAPTOP, BOX], Share(1, 0), 20),
        (Limits(threads=8), [LAPTOP, BOX, RACK], Share(8, 0), 10),
        (Limits(threads=8), [LAPTOP], Share(4, 0), 1),
        (Limits(threads=8, device="auto"), [LAPTOP, RACK], Share(8, 0), 8),
        (Limits(threads=8, device="auto"), [LAPTOP, BOX, RACK], Share(8, 1), 2),
        (Limits(threads=16, device="cuda"), [LAPTOP, BOX, RACK], Share(16, 1), 1),
        (Limits(threads=8), [{"CPU": 0.0}], Share(1, 0), 0),
    ],
)
def test_all_workers_are_alike_and_fit_the_nodes(
    limits: Limits, nodes: list[dict[str, float]], share: Share, workers: int
) -> None:
    found = Share.of(limits, nodes)
    assert (found, found.fits(nodes)) == (share, workers)


def test_a_gpu_that_no_node_has_is_refused() -> None:
    with pytest.raises(UserError, match="no node of the Ray cluster has a GPU"):
        Share.of(Limits(device="cuda"), [LAPTOP, RACK])


@pytest.mark.parametrize("name", ["local", "ray"])
def test_models_stay_in_this_process_where_there_is_one_machine(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(VARIABLE, name)
    monkeypatch.delenv(cluster.ADDRESS, raising=False)
    run = RunSettings(seed=0, threads=3, device="auto", dtype="float32")
    pool = open_heavy(tasks.opened, run)
    assert isinstance(pool, Here)
    assert list(pool.map(tasks.does, ["a"])) == ["a done"]


def test_a_worker_with_models_is_as_the_profile_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "ray")
    monkeypatch.setenv(cluster.ADDRESS, "auto")
    run = RunSettings(seed=0, threads=3, device="auto", dtype="float32")
    pool: Any = open_heavy(tasks.opened, run)
    assert isinstance(pool, ray.Ray)
    assert (pool._limits.threads, pool._limits.device) == (3, "auto")
