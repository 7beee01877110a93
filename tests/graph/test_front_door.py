"""`python -m orchestration.run`, as `make run` calls it: words, exit status, and a clean end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from orchestration import home
from tests.graph.conftest import PATIENCE, REPOSITORY, Tree


def _start(tree: Tree, dagster_home: Path) -> subprocess.Popen:
    environment = {
        **os.environ,
        "MM_ROOT": str(tree.root),
        "DAGSTER_HOME": str(dagster_home),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.run"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One Dagster home for the runs of this file, as on a user's machine."""
    return tmp_path_factory.mktemp("dagster")


def test_a_stage_that_stops_gives_its_sentence_and_status_1(
    fresh: Tree, dagster_home: Path
) -> None:
    fresh.behave(sources="audit")
    process = _start(fresh, dagster_home)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "[sources] at work" in out
    assert err.strip().splitlines()[-1] == (
        "Stopped: The audit of sources failed: samples.parquet has 3 rows, 60 are needed."
    )
    assert "Traceback" not in out + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_cancelled_run_leaves_nothing_behind(
    fresh: Tree, dagster_home: Path, number: signal.Signals
) -> None:
    fresh.behave(sources="sleep")
    process = _start(fresh, dagster_home)
    fresh.until_asleep()
    assert fresh.processes(), "the stage is at work"
    process.send_signal(number)
    cancelled = time.monotonic()
    while fresh.processes() and time.monotonic() < cancelled + 3:
        time.sleep(0.05)
    assert fresh.processes() == []
    _, err = process.communicate(timeout=PATIENCE)
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert err.strip().splitlines()[-1].startswith("Interrupted")
        assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.minutes
def test_nothing_to_do_is_said_and_quick(done: Tree, dagster_home: Path) -> None:
    """The stage register is the real one: what it left in the registry is asked for each time."""
    done.behave(register="real")
    process = _start(done, dagster_home)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert done.executed() == ["register"] and done.is_clean()
    process = _start(done, dagster_home)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert done.executed() == []
    assert out.count("unchanged") == 9
    assert "3 in = 2 kept + 1 rejected" in out
    assert "data/tiny/" in out


def test_a_wrong_profile_is_one_sentence(fresh: Tree, dagster_home: Path) -> None:
    params = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace("profile: tiny", "profile: huge"))
    process = _start(fresh, dagster_home)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert err.strip() == "Stopped: There is no profile 'huge': params.yaml may name one of tiny."
    assert "Traceback" not in out


def test_the_home_is_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    folder = home.prepare(tmp_path)
    assert folder == tmp_path / "work" / "dagster"
    assert os.environ["DAGSTER_HOME"] == str(folder)
    written = (folder / "dagster.yaml").stat()
    assert home.prepare(tmp_path) == folder
    assert (folder / "dagster.yaml").stat().st_mtime_ns == written.st_mtime_ns
    (folder / "dagster.yaml").write_text("telemetry: {enabled: true}")
    home.prepare(tmp_path)
    assert "enabled: false" in (folder / "dagster.yaml").read_text()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _take_interrupts() -> None:
    """Undo what a shell does to jobs in its background: ignore Ctrl-C for them and their heirs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _assets(port: int) -> set[str]:
    """Names of the assets that the web page's own interface tells; empty while it starts."""
    query = json.dumps({"query": "{assetNodes {assetKey {path}}}"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", query, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            nodes = json.load(answer)["data"]["assetNodes"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return set()
    return {node["assetKey"]["path"][0] for node in nodes}


def test_make_dev_serves_the_graph(tmp_path: Path) -> None:
    port, nothing = _free_port(), tmp_path / "installed"
    command = [
        *["make", "-o", str(nothing), f"STAMP={nothing}", f"BIN={Path(sys.executable).parent}"],
        *[f"DAGSTER_HOME={tmp_path / 'dagster'}", f"DEV_PORT={port}", "dev"],
    ]
    nothing.touch()
    server = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_take_interrupts,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (found := _assets(port)) and time.monotonic() < deadline:
            assert server.poll() is None, server.communicate()[0]
            time.sleep(0.5)
        assert {"sources", "pretrain", "register"} <= found
    finally:
        processes = psutil.Process(server.pid).children(recursive=True)
        os.killpg(server.pid, signal.SIGINT)
        _, alive = psutil.wait_procs(processes, timeout=60)
        for process in alive:
            process.kill()
    assert not alive, "Ctrl-C ends the page and all it started"
