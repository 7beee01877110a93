"""What a team is told, and what is refused in one sentence before anything is started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.store import lease
from orchestration import home
from orchestration.team import proxy, services
from orchestration.team import settings as team
from tests.graph import teams

URL = "postgresql+psycopg2://me:hidden-word@host/name"
BOTH = {home.BOOKS: URL, team.BACKEND: URL}


def said(root: Path, **values: str) -> team.Settings:
    return team.Settings(root, {**team.lines_of(team.FILE), **teams.ports(), **BOTH, **values})


def test_files_and_environment_go_over_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = team.private_folder(tmp_path) / "secrets.env"
    path.write_text(f"# mine\n\n{team.BACKEND}={URL}?a=b\nMM_TEAM_DOOR=9000\nMM_TEAM_MLFLOW=9001\n")
    path.chmod(0o600)
    monkeypatch.setenv("MM_TEAM_MLFLOW", "9002")
    settings = team.read(tmp_path)
    assert settings.values[team.BACKEND] == f"{URL}?a=b"
    assert (settings.port("DOOR"), settings.port("MLFLOW")) == (9000, 9002)
    assert settings.port("DAGSTER") == 8300
    assert settings.artifacts == str(tmp_path / "work" / "team" / "artifacts")


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = team.private_folder(tmp_path) / "secrets.env"
    path.write_text(f"{team.BACKEND}={URL}\n")
    path.chmod(0o644)
    with pytest.raises(UserError, match=f"chmod 600 {path}"):
        team.read(tmp_path)
    path.write_text("a hidden-word alone\n")
    path.chmod(0o600)
    with pytest.raises(UserError, match=r"Line 1 of .*secrets\.env is no NAME=value") as told:
        team.read(tmp_path)
    assert "hidden-word" not in str(told.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({home.BOOKS: ""}, "MM_DAGSTER_URL must name a PostgreSQL database"),
        ({team.BACKEND: "sqlite:///mlflow.db"}, "MLFLOW_BACKEND_STORE_URI must name a PostgreSQL"),
        ({"MM_TEAM_ADDRESS": "10.0.0.1"}, "cross the network in the clear"),
        ({"MM_TEAM_ADDRESS": "0.0.0.0"}, "cross the network in the clear"),
        ({"MM_TEAM_ADDRESS": "everywhere"}, "name an address in numbers"),
        ({"MM_TEAM_CERTIFICATE": "no.pem"}, r"MM_TEAM_CERTIFICATE: there is no file .*no\.pem"),
        ({"MM_TEAM_DOOR": "70000"}, "MM_TEAM_DOOR is '70000': name a port"),
        ({"MM_TEAM_DOOR": "8399", "MM_TEAM_MLFLOW": "8399"}, "are one port, 8399"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, values: dict[str, str], sentence: str) -> None:
    pytest.importorskip("dagster_postgres", reason="no dagster-postgres here (make cluster)")
    with pytest.raises(UserError, match=sentence) as told:
        team.check(said(tmp_path, **values))
    assert "hidden-word" not in str(told.value)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    pytest.importorskip("dagster_postgres", reason="no dagster-postgres here (make cluster)")
    settings = said(tmp_path)
    team.check(settings)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.port("INNER_MLFLOW")))
        taken.listen()
        with pytest.raises(UserError, match=r"MM_TEAM_INNER_MLFLOW.* cannot be opened"):
            team.check(settings)


def test_who_has_no_password_yet_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make team-user WHO="):
        proxy.write(said(tmp_path))


def test_each_service_is_told_what_it_needs_and_no_more(tmp_path: Path) -> None:
    teams.needs_nginx()
    proxy.let_in(tmp_path, teams.NAME, teams.PASSWORD)
    given = {"AWS_SECRET_ACCESS_KEY": "hidden-key", "MLFLOW_TRACKING_PASSWORD": "hidden-too"}
    found = {one.name: one for one in services.of(said(tmp_path, **given))}
    for one in found.values():
        assert "hidden" not in " ".join(one.command)
        assert "hidden-too" not in one.environment.values()
    knows = {n for n, one in found.items() if URL in one.environment.values()}
    assert knows == {"mlflow", "code", "dagster", "daemon"}
    assert found["dagster"].environment.keys().isdisjoint({team.BACKEND})
    assert found["mlflow"].environment.keys().isdisjoint({home.BOOKS})
    keys = {n for n, one in found.items() if "hidden-key" in one.environment.values()}
    assert keys == {"mlflow", "code"}


def test_a_second_team_in_a_tree_is_told_of_the_first(tmp_path: Path) -> None:
    with lease.held(tmp_path / "work" / "team.lease", "make team"):
        done = subprocess.run(
            [sys.executable, "-m", "orchestration.team", "start"],
            cwd=home.REPOSITORY,
            env={**os.environ, "MM_ROOT": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == os.EX_TEMPFAIL
    assert "make team is at work here since" in done.stderr


def test_a_certificate_is_used_where_one_is_named(tmp_path: Path) -> None:
    teams.needs_nginx()
    proxy.let_in(tmp_path, teams.NAME, teams.PASSWORD)
    made = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2".split()
    subprocess.run(
        [*made, "-keyout", "key.pem", "-out", "own.pem"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    settings = said(tmp_path, MM_TEAM_CERTIFICATE="own.pem", MM_TEAM_CERTIFICATE_KEY="key.pem")
    nginx = [team.program("nginx", "nginx-light"), "-t", "-e", "stderr", "-c"]
    looked = subprocess.run([*nginx, proxy.write(settings)], capture_output=True, text=True)
    assert "syntax is ok" in looked.stderr, looked.stderr
    assert settings.address("DOOR").startswith("https://127.0.0.1:")
    assert " ssl;" in (team.folder(tmp_path) / "pages.conf").read_text()
