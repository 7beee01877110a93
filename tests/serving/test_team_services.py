"""`make team` as a team meets it: real nginx, PostgreSQL, Dagster, MLflow and the door."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from mm_model.tracking.store import open_client
from orchestration import home
from orchestration.team import proxy
from orchestration.team import settings as team
from tests.graph import teams
from tests.report import servers
from tests.serving.house import House, metrics

pytestmark = [pytest.mark.slow, pytest.mark.capability("team", scale="T")]
START_SECONDS = 900
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "graphql-ws",
}


@contextlib.contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Two databases of a server of the test's own, as `make team` is told of them."""
    psycopg = pytest.importorskip("psycopg", reason="no psycopg here (make postgres)")
    pytest.importorskip("dagster_postgres", reason="no dagster-postgres here (make cluster)")
    with servers.postgres() as url:
        with psycopg.connect(url, autocommit=True) as opened:
            opened.execute("CREATE DATABASE mlflow")
        before, _, folder = url.partition("/postgres?host=")
        before = before.replace("postgresql:", "postgresql+psycopg2:", 1)
        end = f"?host={quote(folder, safe='')}"
        yield {home.BOOKS: f"{before}/postgres{end}", team.BACKEND: f"{before}/mlflow{end}"}


@dataclass
class Team:
    """A running team."""

    settings: team.Settings
    house: House
    process: subprocess.Popen

    def until(self, page: str, path: str, status: int = 200) -> bytes:
        """Ask with the password until that status comes; the body."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None
            with contextlib.suppress(OSError):
                got, body = teams.ask(self.settings.port(page), path, **teams.KNOWN)
                if got == status:
                    return body
            time.sleep(0.2)
        logs = team.folder(self.house.root).glob("*.log")
        raise AssertionError("\n".join(path.read_text()[-1500:] for path in logs))


@pytest.fixture(scope="module")
def running(tmp_path_factory: Any, pack_and_size: tuple[Path, int]) -> Iterator[Team]:
    teams.needs_nginx()
    house = House(tmp_path_factory.mktemp("team") / "root", *pack_and_size)
    proxy.let_in(house.root, teams.NAME, teams.PASSWORD)
    with databases() as told:
        given = {**teams.ports(), "MM_ROOT": str(house.root)}
        secrets = team.secrets(house.root)
        secrets.write_text("".join(f"{name}={value}\n" for name, value in told.items()))
        secrets.chmod(0o600)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DAGSTER_"))}
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.team", "start"],
            cwd=home.REPOSITORY,
            env={**kept, **given},
            stdout=subprocess.DEVNULL,
        )
        try:
            yield Team(team.Settings(house.root, team.lines_of(team.FILE) | given), house, process)
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def as_ada(running: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """Programs of this process speak to the team's MLflow with ada's password."""
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running.settings.address("MLFLOW"))
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", teams.NAME)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", teams.PASSWORD)
    return running


def test_a_release_is_registered_through_it_and_the_door_serves_it(as_ada: Team) -> None:
    as_ada.until("MLFLOW", "/health")
    house = as_ada.house
    house.real_weights()
    house.evaluated(metrics([0.3, 0.4, 0.5, 0.4]))
    assert house.register()["aliases"] == ["champion"]
    client = open_client(house.layout)
    (version,) = client.search_model_versions("name='magic-mirror'")
    assert int(version.version) == 1
    assert list((team.folder(house.root) / "artifacts").rglob("card.json")), "the server has it"
    assert not house.layout.database.exists() and not (house.root / "mlruns").exists()
    as_ada.until("DOOR", "/ping")


def test_a_run_that_is_logged_through_it_arrives(as_ada: Team, tmp_path: Path) -> None:
    as_ada.until("MLFLOW", "/health")
    client = open_client(as_ada.house.layout)
    made = client.create_run(client.create_experiment("of ada"))
    client.log_metric(made.info.run_id, "loss", 0.5)
    (tmp_path / "notes.txt").write_text("mine")
    client.log_artifact(made.info.run_id, str(tmp_path / "notes.txt"))
    run = client.get_run(made.info.run_id)
    assert run.data.metrics == {"loss": 0.5}
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    assert Path(client.download_artifacts(run.info.run_id, "notes.txt")).read_text() == "mine"
    assert teams.PASSWORD not in json.dumps(run.to_dictionary())


def test_dagster_s_page_shows_the_graph_and_its_news_come(running: Team) -> None:
    running.until("DAGSTER", "/server_info")
    port = running.settings.port("DAGSTER")
    asked = json.dumps({"query": "{assetNodes {assetKey {path}}}"}).encode()
    kind = {"Content-Type": "application/json", **teams.KNOWN}
    end = time.monotonic() + START_SECONDS
    while b'"register"' not in (said := teams.ask(port, "/graphql", "POST", asked, **kind)[1]):
        assert time.monotonic() < end, said
        time.sleep(0.5)
    assert teams.ask(port, "/graphql", **UPGRADE)[0] == 401
    assert teams.ask(port, "/graphql", **UPGRADE, **teams.KNOWN)[0] == 101


@pytest.mark.parametrize("page", team.PAGES)
def test_nobody_passes_without_the_password(running: Team, page: str) -> None:
    port = running.settings.port(page)
    path = "/ping" if page == "DOOR" else "/"
    running.until(page, path)
    for said in ({}, {"Authorization": teams.basic(teams.NAME, "not the password")}):
        assert teams.ask(port, path, **said)[0] == 401
    assert teams.ask(port, path, **teams.KNOWN)[0] == 200


def test_no_password_stands_in_a_list_of_processes_or_a_log(running: Team) -> None:
    everybody = psutil.Process(running.process.pid).children(recursive=True)
    assert len(everybody) > 6
    for word in (teams.PASSWORD, servers.PASSWORD):
        assert not [one for one in everybody if word in " ".join(one.cmdline())]
        for path in team.folder(running.house.root).rglob("*.log"):
            assert word not in path.read_text(), path
    listening = {
        one.laddr.ip.removeprefix("::ffff:")
        for process in everybody
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_nobody_is_left_when_it_is_killed(running: Team) -> None:
    """The last of this file: the team is gone after it."""
    everybody = psutil.Process(running.process.pid).children(recursive=True)
    running.process.kill()
    gone, left = psutil.wait_procs(everybody, timeout=START_SECONDS)
    assert len(gone) > 6 and not left
