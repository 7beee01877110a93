"""The pool of a Ray cluster without Ray or without a cluster: one sentence with the way out."""

import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mm_model.errors import UserError
from mm_model.run.pools import cluster, ray
from mm_model.run.pools.local import Local
from mm_model.run.pools.table import VARIABLE, open_pool
from tests.run import pool_tasks as tasks


@pytest.fixture(autouse=True)
def _ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "ray")


def _refused() -> str:
    with pytest.raises(UserError) as refused:
        list(open_pool(tasks.opened, 2).map(tasks.does, ["a"]))
    assert cluster._users == 0
    return str(refused.value)


def _stands_in(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def init(**_: object) -> None:
        raise error

    fake = SimpleNamespace(init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", fake)


def test_without_the_package_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "'make ray' installs it" in _refused()


def test_another_version_is_told_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.ADDRESS, "auto")
    said = "Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.9.1"
    _stands_in(monkeypatch, RuntimeError(said))
    told = _refused()
    assert "auto is of another Ray or Python" in told and "Ray: 2.9.0 Python: 3.9.1" in told
    assert "\n" not in told


def test_a_cluster_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _stands_in(monkeypatch, ConnectionError("no such file"))
    monkeypatch.setenv(cluster.ADDRESS, "auto")
    assert "No Ray cluster answers at RAY_ADDRESS=auto" in _refused()
    _stands_in(monkeypatch, AssertionError("it would wait for minutes"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv(cluster.ADDRESS, address)
        told = _refused()
    assert f"No Ray cluster answers at RAY_ADDRESS={address}" in told and "refused" in told
    monkeypatch.setenv(cluster.ADDRESS, "ray://nowhere:10001")
    assert "address of Ray's client" in _refused()


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_of_workers_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    monkeypatch.setenv(ray.WORKERS, number)
    with pytest.raises(UserError, match=f"MM_POOL_WORKERS={number} is no number of workers"):
        open_pool(tasks.opened, 2)


def test_one_worker_stays_on_this_machine() -> None:
    assert isinstance(open_pool(tasks.opened, 1), Local)


def test_nothing_of_ray_is_imported_for_a_pool_without_work() -> None:
    code = (
        "import sys; from mm_model.run.pools.table import open_pool\n"
        "pool = open_pool(print, 2); assert list(pool.map(print, [])) == []; pool.close()\n"
        "assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
