"""A stage of this tree's graph runs on another machine, and both trees agree afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mm_model.errors import UserError
from orchestration import turn
from orchestration.dvc_command import environment
from orchestration.worker import client, named
from tests.graph import machines, stores
from tests.graph.conftest import PATIENCE, Tree
from tests.graph.machines import Machine
from tests.graph.stores import SECRET, Store
from tests.graph.test_object_store import clone, contents, well
from tests.graph.test_object_store import named as named_store
from tests.graph.test_runs import _failures, _metadata

pytestmark = [pytest.mark.slow, pytest.mark.capability("two machines, one graph", scale="T")]
SERVER = "http://127.0.0.1:9"
"""Where runs would be kept; toy stages keep none."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with stores.s3(tmp_path_factory.mktemp("store"), "people") as running:
        yield running


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machines.ssh(tmp_path_factory.mktemp("ssh")) as running:
        yield running


@pytest.fixture
def box(
    done: Tree, store: Store, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Tree:
    """A clone of `done` on the other machine, which trains for it."""
    for key in store.keys("people"):
        store.client.delete_object(Bucket="people", Key=key)
    stores.be_user(monkeypatch, tmp_path)
    box = machines.set_up(named_store(clone(named_store(done, store), tmp_path / "box"), store))
    monkeypatch.setenv("MM_WORKER", machine.url(box.root))
    monkeypatch.setenv("MM_WORKER_SSH", machine.ssh)
    monkeypatch.setenv("MM_WORKER_STAGES", "pretrain")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    return box


def _log(tree: Tree, result: dg.ExecuteInProcessResult) -> str:
    return "\n".join(str(one.user_message) for one in tree.instance.all_logs(result.run_id))


def _gone(tree: Tree, within: float) -> bool:
    until = time.monotonic() + within
    while tree.processes() and time.monotonic() < until:
        time.sleep(0.1)
    return not tree.processes()


def test_a_stage_runs_there_and_is_seen_here(done: Tree, box: Tree) -> None:
    done.set("pretrain", "steps", 7)
    result = done.dagster()
    assert result.success, _failures(result)
    assert box.executed() == ["pretrain"]
    assert done.executed() == ["finetune", "evaluate", "register"]
    log = _log(done, result)
    assert "[pretrain] at work" in log and "[pretrain] at work" not in _log_of_others(done, result)
    assert SECRET not in log
    shown = _metadata(result, "pretrain")
    assert shown["how"] == "computed" and shown["worker"] == os.environ["MM_WORKER"]
    assert "worker" not in _metadata(result, "evaluate")
    told = (box.root / "told.txt").read_text().split()
    assert told == [SERVER, result.run_id], "which server and which run the stage was told"
    assert done.is_clean() and done.stale() == {}
    made = contents(box)
    assert "tiny/pretrain/result.txt" in made
    assert all(
        contents(done)[name] == held for name, held in made.items() if "tiny/pretrain/" in name
    )
    again = done.dagster()
    assert again.success and box.executed() == done.executed() == []
    well(done, "push")
    well(box, "pull")
    assert (box.root / "dvc.lock").read_bytes() == (done.root / "dvc.lock").read_bytes()
    assert box.is_clean()
    box.tick_outside_runs()
    assert box.stale() == {}
    assert contents(box) == contents(done)
    for tree in (box, done):
        for path in tree.root.rglob("*"):
            if path.is_file() and path.stat().st_size < 1 << 20:
                assert SECRET.encode() not in path.read_bytes(), path


def _log_of_others(tree: Tree, result: dg.ExecuteInProcessResult) -> str:
    logs = tree.instance.all_logs(result.run_id)
    return "\n".join(str(one.user_message) for one in logs if one.step_key != "pretrain")


def test_a_failed_audit_there_is_told_here(done: Tree, box: Tree) -> None:
    done.set("pretrain", "steps", 7)
    box.behave(pretrain="audit")
    before = (done.root / "dvc.lock").read_bytes()
    result = done.dagster("pretrain")
    assert "3 rows, 60 are needed" in _failures(result)["pretrain"]
    checks = result.get_asset_check_evaluations()
    assert [check.passed for check in checks if check.asset_key == dg.AssetKey("pretrain")] == [
        False
    ]
    assert (done.root / "data/tiny/pretrain/result.txt").is_file(), "what stood here stays"
    assert b"pretrain" in before


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.endurance)]
)
def test_who_goes_away_ends_the_work_there(done: Tree, box: Tree, number: int) -> None:
    done.set("pretrain", "steps", 7)
    box.behave(pretrain="sleep")
    home = {"DAGSTER_HOME": str(done.root / "work" / "dagster")}
    with subprocess.Popen(
        [sys.executable, "-m", "orchestration.run"],
        cwd=done.root,
        env=environment(done.root) | home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        box.until_asleep("pretrain")
        run.send_signal(number)
        said = run.communicate(timeout=PATIENCE)[0]
    assert "Traceback" not in said
    assert _gone(box, within=60), box.processes()
    if number == signal.SIGKILL:
        box.behave()
        assert done.dagster("pretrain").success, "and the next run is not in anybody's way"


def test_another_profile_is_begun_with_the_worker(done: Tree, box: Tree, store: Store) -> None:
    shutil.copy(done.root / "profiles/tiny.yaml", done.root / "profiles/second.yaml")
    params = (done.root / "params.yaml").read_text()
    (done.root / "params.yaml").write_text(params.replace("tiny", "second"))
    before = (done.root / "dvc.lock").read_bytes()
    done.dvc("repro", "--single-item", "settings", "sources")
    worker, heard = named.read(), []
    assert worker is not None
    order = client.Order(worker, done.root, "ingest")

    def meddle(line: str) -> None:
        if line.startswith("ingest runs on"):
            (key,) = [key for key in store.keys("people") if key.endswith("/second/dvc.lock")]
            store.client.put_object(Bucket="people", Key=key, Body=b"stages: {}\n")

    with pytest.raises(UserError, match="On the worker: Somebody else pushed profile second"):
        client.bring_up(order, meddle)
    assert client.bring_up(order, heard.append).status == 0, heard
    assert box.executed() == ["ingest"]
    assert (done.root / "data/second/ingest/result.txt").is_file()
    assert (done.root / "data/tiny/ingest/result.txt").is_file(), "the other's is left alone"
    kept = [path.read_bytes() for path in (done.root / "work/locks").iterdir()]
    assert any(b"data/tiny/pretrain" in lock for lock in kept) and b"data/tiny/pretrain" in before
    assert (box.root / "dvc.lock").read_bytes() == (done.root / "dvc.lock").read_bytes()


def test_what_keeps_a_stage_from_running_there(
    done: Tree, box: Tree, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    done.set("pretrain", "steps", 7)

    def refused() -> str:
        failed = _failures(done.dagster("pretrain"))
        assert box.executed() == []
        return failed["pretrain"]

    (box.root / "weights/backbone/first").write_text("another")
    assert "weights/backbone (backbone in params.yaml) on the worker is not" in refused()
    (box.root / "weights/backbone/first").write_text("weights/backbone")
    with turn.held(box.root, "Somebody"):
        assert "On the worker: Somebody is at work here since" in refused()
    with monkeypatch.context() as other:
        other.delenv("MLFLOW_TRACKING_URI")
        assert "MLFLOW_TRACKING_URI names no server" in refused()
        other.setenv("MLFLOW_TRACKING_URI", SERVER)
        other.setenv("MM_WORKER", machine.url(box.root / "nowhere"))
        assert "nowhere" in (said := refused()) and "make setup" in said
        other.setenv("MM_WORKER", f"ssh://127.0.0.1:{stores.free_port()}/tree")
        assert "did not answer" in (said := refused()) and "refused" in said
        other.setenv("MM_WORKER", "laptop:/tree")
        assert "is no address of a clone" in refused()
    (box.root / "weights/backbone/first").write_text("weights/backbon!")
    said = _failures(done.dagster("pretrain"))["pretrain"]
    assert "with another weights/backbone than lies here" in said, "the bytes are looked at too"
    assert box.executed() == ["pretrain"]
    done.change_code("train/pretrain.py", "version=", "version=100 + ")
    assert "mm_model/train/pretrain.py (code) on the worker is not what lies here" in refused()
