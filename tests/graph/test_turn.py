"""One at a time in a tree: who comes second is told who is at work, and ends at once."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from mm_model.store import lease
from mm_model.store.layout import Layout
from orchestration import dvc_command, home, runs
from tests.graph.conftest import PATIENCE, REPOSITORY, STAGES, Tree

pytestmark = pytest.mark.capability("one at a time", scale="T")

BUSY = os.EX_TEMPFAIL


def _environment(tree: Tree) -> dict[str, str]:
    ours = {"MM_ROOT": str(tree.root), "DAGSTER_HOME": str(tree.root / "work" / "dagster")}
    return {**os.environ, **ours, "PYTHONPATH": str(REPOSITORY)}


@contextlib.contextmanager
def _started(tree: Tree, *command: str, cwd: Path = REPOSITORY) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=_environment(tree),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _run(tree: Tree, *command: str) -> tuple[int, str, str]:
    with _started(tree, *command) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def _gone(tree: Tree, within: float) -> bool:
    deadline = time.monotonic() + within
    while tree.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not tree.processes()


def _one_sentence(text: str) -> str:
    (line,) = text.strip().splitlines()
    assert line.startswith("Stopped: ") and line.endswith(".")
    return line


def test_a_second_run_is_told_of_the_first_and_works_once_that_was_killed(fresh: Tree) -> None:
    fresh.behave(sources="sleep")
    with _started(fresh, "orchestration.run") as first:
        fresh.until_asleep()
        before = (fresh.root / "params.yaml").read_bytes()
        status, _, err = _run(fresh, "orchestration.run")
        assert status == BUSY
        told = _one_sentence(err)
        assert "make run is at work here since 20" in told
        assert f"(at stage sources, process {first.pid} on " in told
        for command in (("run", "sources"), ("use", "--profile", "tiny")):
            status, _, err = _run(fresh, "mm_model", *command)
            assert (status, "make run is at work here" in _one_sentence(err)) == (BUSY, True)
        assert (fresh.root / "params.yaml").read_bytes() == before
        first.kill()
        first.wait()
    fresh.behave(sources="audit")
    status, out, err = _run(fresh, "orchestration.run")
    assert status == 1 and "The audit of sources failed" in _one_sentence(err)
    assert "Closed 1 run whose process is gone." in out


def test_a_run_beside_a_plain_dvc_repro_is_told_of_it(fresh: Tree) -> None:
    fresh.behave(sources="sleep")
    with _started(fresh, "dvc", "repro", cwd=fresh.root) as repro:
        fresh.until_asleep()
        status, _, err = _run(fresh, "orchestration.run")
        assert status == BUSY
        assert f"dvc repro (process {repro.pid}) is at work here" in _one_sentence(err)
        failure = fresh.dagster("sources").filter_events(lambda event: event.is_step_failure)[0]
        told = failure.step_failure_data.user_failure_data.description
        assert f"dvc repro (process {repro.pid}) is at work here" in told
        for process in psutil.Process(repro.pid).children(recursive=True):
            process.kill()


def test_a_run_beside_another_is_told_of_it(fresh: Tree) -> None:
    who = "The stage sources"
    with lease.held(Layout(fresh.root, "tiny").lease, who):
        status, _, err = _run(fresh, "orchestration.run")
    assert status == BUSY
    assert f"Stopped: {who} is at work here" in _one_sentence(err)


@pytest.mark.slow
def test_a_dagster_run_beside_a_run_fails_with_the_sentence(fresh: Tree) -> None:
    fresh.behave(sources="sleep")
    with _started(fresh, "orchestration.run") as first:
        fresh.until_asleep()
        result = fresh.dagster("sources")
        (failure,) = result.filter_events(lambda event: event.is_step_failure)
        told = failure.step_failure_data.user_failure_data.description
        assert told.startswith("make run is at work here since")
        first.terminate()
        assert first.wait(30) == 130
    fresh.behave()
    assert fresh.dagster("sources").success


def test_locks_of_a_process_that_is_gone_are_not_waited_for(done: Tree) -> None:
    """After a restart of a container, the number in DVC's list belongs to somebody else."""
    somebody = psutil.Process(os.getpid())
    assert not any(Path(part).name == "dvc" for part in somebody.cmdline()[:4])
    owner = f'{{"pid": {somebody.pid}, "cmd": "dvc repro"}}'
    raw = done.root / "raw"
    listed = done.root / ".dvc" / "tmp" / "rwlock"
    listed.write_text(f'{{"write": {{"{raw}": {owner}}}, "read": {{"{raw}": [{owner}]}}}}')
    assert dvc_command.at_work(done.root) is None
    assert done.dagster("sources").success


@pytest.mark.slow
def test_a_dvc_that_is_killed_alone_takes_its_stage_along(fresh: Tree) -> None:
    fresh.behave(sources="sleep")
    with _started(fresh, "orchestration.run") as run:
        fresh.until_asleep()
        (dvc,) = [one for one in fresh.processes() if "dvc" in one.cmdline()[:3]]
        dvc.kill()
        assert _gone(fresh, within=3)
        _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("after", [0.3, 0.6, 1.0, 1.5, 2.5, 4.0, 6.0])
def test_a_signal_ends_it_whenever_it_comes(
    fresh: Tree, number: signal.Signals, after: float
) -> None:
    fresh.behave(sources="sleep")
    with _started(fresh, "orchestration.run") as run:
        time.sleep(after)
        os.killpg(run.pid, number)  # as a terminal does
        _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    assert err.strip() == "Interrupted; finished work is kept and the next run resumes."
    assert _gone(fresh, within=3)


def test_a_signal_ends_it_while_dvc_s_lock_is_awaited(fresh: Tree) -> None:
    import zc.lockfile

    (fresh.root / ".dvc" / "tmp").mkdir(exist_ok=True)
    lock = zc.lockfile.LockFile(str(fresh.root / ".dvc" / "tmp" / "lock"))
    try:
        with _started(fresh, "orchestration.run") as run:
            assert f"A DVC command (process {os.getpid()}) is at work" in run.stdout.readline()
            os.killpg(run.pid, signal.SIGINT)
            _, err = run.communicate(timeout=PATIENCE)
    finally:
        lock.close()
    assert run.returncode == 130
    assert err.strip().startswith("Interrupted")


@pytest.mark.slow
def test_a_run_of_dagster_s_command_line_is_named(fresh: Tree) -> None:
    fresh.behave(sources="sleep")
    (fresh.root / "work" / "dagster").mkdir(parents=True)
    select = ("--select", "sources")
    command = ("dagster", "asset", "materialize", "-m", "orchestration.definitions", *select)
    with _started(fresh, *command) as dagster:
        fresh.until_asleep()
        status, _, err = _run(fresh, "orchestration.run")
        assert status == BUSY
        told = _one_sentence(err)
        assert "A Dagster run is at work here since 20" in told
        assert f"(at stage sources, process {dagster.pid} on " in told
        dagster.kill()
    assert _gone(fresh, within=3)


@pytest.mark.slow
def test_books_left_by_a_killed_container_do_not_hold_a_run_up(
    done: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead run of another host name with the GPU's place, and one that never began."""
    monkeypatch.setenv("DAGSTER_HOME", str(done.root / "work" / "dagster"))
    home.prepare(done.root)
    with dg.DagsterInstance.get() as books:
        job = done.definitions().resolve_job_def("everything")
        dead = books.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={"magic_mirror/process": "gone:7:1.00"}
        )
        books.event_log_storage.set_concurrency_slots("gpu", 1)
        assert books.event_log_storage.claim_concurrency_slot("gpu", dead.run_id, "x").is_claimed
        books.create_run_for_job(job, status=dg.DagsterRunStatus.NOT_STARTED)
        status, out, err = _run(done, "orchestration.run")
        assert (status, err) == (0, "")
        assert "Closed 2 runs whose process is gone." in out
        assert not runs.under_way(books)
        for stage in STAGES:
            event = books.get_latest_materialization_event(dg.AssetKey(stage))
            assert str(done.root) not in str(event), "the books go with the tree"
