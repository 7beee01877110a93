"""Tracking: one run an execution, seen while it lasts, never in the way of the stage."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_model.records import Counts
from mm_model.run.stage import Report
from mm_model.settings import load_profile
from mm_model.store.layout import Layout
from mm_model.tracking.tracker import Tracker

pytestmark = pytest.mark.capability("tracking", scale="T")

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: Any) -> Path:
    """A store with its tables and nothing else, made once (it takes seconds)."""
    from mm_model.tracking.store import open_client

    root = tmp_path_factory.mktemp("store")
    open_client(Layout(root, "tiny"))
    return root / "mlflow.db"


@pytest.fixture
def layout(tmp_path: Path, empty_store: Path, monkeypatch: Any) -> Layout:
    """A root with an empty store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    return Layout(tmp_path, "tiny")


def running(tracker: Tracker) -> Any:
    """A run as the runner begins it."""
    return tracker.running({"fingerprint": "f" * 64}, load_profile(ROOT, "tiny").part("pretrain"))


def runs(layout: Layout) -> list[Any]:
    """All runs of the experiment, oldest first."""
    from mm_model.tracking import store

    client = store.open_client(layout)
    return client.search_runs(
        [store.experiment_id(client, layout)], order_by=["attributes.start_time ASC"]
    )


def history(layout: Layout, run: Any, metric: str) -> list[tuple[int, float]]:
    from mm_model.tracking import store

    points = store.open_client(layout).get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in points]


def eventually(find: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := find():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come to be seen")


def spooled(layout: Layout) -> list[Path]:
    return sorted((layout.root / "work" / "tiny" / "spool").glob("*"))


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_points_are_seen_while_the_stage_runs(layout: Layout) -> None:
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        tracker.log({"loss": 0.5, "gone": None}, step=1)
        run = eventually(lambda: [run for run in runs(layout) if "loss" in run.data.metrics])[0]
        assert run.info.status == "RUNNING"
        assert "gone" not in run.data.metrics


def test_a_finished_run_says_what_it_was_and_gave(layout: Layout, monkeypatch: Any) -> None:
    monkeypatch.setenv("DVC_STAGE", "pretrain")
    monkeypatch.setenv("DAGSTER_RUN_ID", "abc-1")
    picture = layout.root / "look.jpg"
    picture.write_bytes(b"a picture")
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        for step in range(2500):
            tracker.log({"loss": 1 / (step + 1)}, step)
        tracker.picture(picture, "step", 2500)
        picture.unlink()
        metrics = {"score": 0.25, "word": "text", "absent": None}
        tracker.report(Report(Counts(3, 2, {"IO_EMPTY": 1}), metrics).as_dict())
    (run,) = (one for one in runs(layout) if one.info.run_name == "pretrain")
    assert (run.info.status, run.info.run_name) == ("FINISHED", "pretrain")
    assert run.data.tags["dvc.stage"] == "pretrain"
    assert run.data.tags["dagster.run_id"] == "abc-1"
    assert run.data.tags["fingerprint"] == "f" * 64
    assert run.data.params["pretrain.batch_size"] == str(
        load_profile(ROOT, "tiny").pretrain.batch_size
    )
    assert run.data.metrics["final/score"] == 0.25
    assert run.data.metrics["final/samples_rejected"] == 1
    assert history(layout, run, "loss") == [(step, 1 / (step + 1)) for step in range(2500)]
    artifacts = layout.root / run.info.artifact_uri
    assert (artifacts / "samples" / "step-0002500.jpg").read_bytes() == b"a picture"
    assert json.loads((artifacts / "report.json").read_text())["metrics"] == metrics
    assert not spooled(layout)


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_the_stage_s_own_error_passes_and_marks_the_run(
    layout: Layout, error: BaseException, status: str
) -> None:
    tracker = Tracker(layout, "pretrain")
    with pytest.raises(type(error)), running(tracker):
        raise error
    assert [run.info.status for run in runs(layout)] == [status]


def test_a_dead_server_costs_nothing_and_its_points_are_shipped_later_once(
    layout: Layout, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        for step in range(300):
            tracker.log({"loss": float(step)}, step)
        trained = True
    assert trained
    assert "shipped by the next run" in capsys.readouterr().out
    assert len(spooled(layout)) == 1

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    for _ in range(2):
        later = Tracker(layout, "pretrain")
        with running(later):
            later.log({"loss": -1.0}, 0)
    first, *others = runs(layout)
    assert history(layout, first, "loss") == [(step, float(step)) for step in range(300)]
    assert first.info.status == "FINISHED"
    assert [history(layout, run, "loss") for run in others] == [[(0, -1.0)]] * 2
    assert not spooled(layout)


def test_the_server_comes_back_during_the_run(layout: Layout, monkeypatch: Any) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        tracker.log({"loss": 1.0}, 1)
        time.sleep(0.5)
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        tracker.log({"loss": 2.0}, 2)
        eventually(lambda: runs(layout) and "loss" in runs(layout)[0].data.metrics)
    assert history(layout, runs(layout)[0], "loss") == [(1, 1.0), (2, 2.0)]


def test_an_answer_that_got_lost_doubles_nothing(layout: Layout, monkeypatch: Any) -> None:
    from mm_model.tracking.ship import Shipper

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        for step in range(5):
            tracker.log({"loss": float(step)}, step)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (folder,) = spooled(layout)
    assert Shipper(layout).ship(folder)
    lost = {"run_id": None, "offset": 0, "attempted": True, "ended": False}
    (folder / "state.json").write_text(json.dumps(lost))
    assert Shipper(layout).ship(folder)
    (run,) = runs(layout)
    assert history(layout, run, "loss") == [(step, float(step)) for step in range(5)]


@pytest.mark.parametrize("damage", ["state", "line"])
def test_a_damaged_spool_holds_up_nobody(layout: Layout, monkeypatch: Any, damage: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        for step in range(5):
            tracker.log({"loss": float(step)}, step)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (folder,) = spooled(layout)
    if damage == "state":
        (folder / "state.json").write_bytes(b"{")
    else:
        lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
        lines[2] = b"\xff" + lines[2][1:]
        (folder / "events.jsonl").write_bytes(b"".join(lines))
    later = Tracker(layout, "pretrain")
    with running(later):
        pass
    assert not spooled(layout)
    lost = 0 if damage == "state" else 1
    assert len(history(layout, runs(layout)[0], "loss")) == 5 - lost


def test_a_run_deleted_by_hand_does_not_hold_up_the_next(layout: Layout) -> None:
    from mm_model.tracking import store

    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        (run,) = eventually(lambda: runs(layout))
        store.open_client(layout).delete_run(run.info.run_id)
        tracker.log({"loss": 1.0}, 1)
    assert not spooled(layout)


def test_tracking_without_a_place_to_write_is_silent(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file where a folder should be")
    layout = Layout(tmp_path, "tiny")
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        tracker.log({"loss": 1.0}, 1)
        tracker.picture(tmp_path / "absent.jpg", "x", 1)
    tracker.log({"loss": 1.0}, 2)


SCRIPT = """
    import sys, time
    from pathlib import Path
    from mm_model.store.layout import Layout
    from mm_model.tracking.tracker import Tracker
    from test_tracking import running
    assert "mlflow" not in sys.modules
    layout = Layout(Path(sys.argv[1]), "tiny")
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        for step in range(50):
            tracker.log({"loss": float(step)}, step)
        print("logged", flush=True)
        time.sleep(float(sys.argv[2]))
"""


def start(layout: Layout, seconds: float) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = os.environ.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), str(ROOT / "tests"), *([before] if before else [])]
    )
    environment.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(layout.root), str(seconds)],
        env=environment,
        cwd=layout.root,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_four_processes_race_for_a_store_that_does_not_exist(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "tiny")
    processes = [start(layout, 0) for _ in range(4)]
    assert [process.wait(180) for process in processes] == [0] * 4
    found = runs(layout)
    assert [run.info.status for run in found] == ["FINISHED"] * 4
    assert all(run.data.metrics["loss"] == 49 for run in found)
    assert not list(tmp_path.glob(".mlflow.db*"))
    assert not (tmp_path / "mlruns").exists()


def test_a_killed_process_leaves_its_points_to_the_next(layout: Layout) -> None:
    process = start(layout, 600)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    tracker = Tracker(layout, "pretrain")
    with running(tracker):
        pass
    killed, finished = runs(layout)
    assert (killed.info.status, finished.info.status) == ("KILLED", "FINISHED")
    assert len(history(layout, killed, "loss")) == 50
    assert not spooled(layout)


TWO_THREADS = """
    import sys, threading, time
    from pathlib import Path
    from mm_model.register import versions
    from mm_model.tracking import store
    from mm_model.store.layout import Layout
    layout, failed = Layout(Path(sys.argv[1]), "tiny"), []
    def ship():
        try:
            store.open_client(layout)
        except BaseException as error:
            failed.append(error)
    thread = threading.Thread(target=ship)
    thread.start()
    time.sleep(float(sys.argv[2]))
    with versions.registry(layout):
        pass
    thread.join()
    sys.exit(str(failed) if failed else 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("late", [0.0, 0.01, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8])
def test_the_registry_and_the_shipping_thread_load_mlflow_together(
    tmp_path: Path, late: float
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(TWO_THREADS), str(tmp_path), str(late)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
