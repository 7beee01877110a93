"""nginx in front of a team's pages: who passes, what passes, and what nobody behind it hears."""

from __future__ import annotations

import http.server
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mm_model.errors import UserError
from orchestration import home
from orchestration.team import proxy
from orchestration.team import settings as team
from tests.graph import teams

pytestmark = pytest.mark.capability("team", scale="T")


class Heard:
    """Servers that stand behind the proxy and keep what they are asked."""

    def __init__(self, settings: team.Settings) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        heard = self.requests

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                heard.append((self.command, self.path, dict(self.headers)))
                if self.headers.get("Upgrade") == "websocket":
                    self.send_response(101)
                    self.send_header("Upgrade", "websocket")
                    self.send_header("Connection", "upgrade")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_POST = do_GET
            do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._servers = [
            http.server.ThreadingHTTPServer(("127.0.0.1", settings.port(f"INNER_{page}")), Answers)
            for page in team.PAGES
        ]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> team.Settings:
    teams.needs_nginx()
    root = tmp_path_factory.mktemp("a team's") / "tree, with blanks"
    proxy.let_in(root, teams.NAME, teams.PASSWORD)
    return team.Settings(root, {**team.lines_of(team.FILE), **teams.ports()})


@pytest.fixture(scope="module")
def behind(settings: team.Settings) -> Iterator[Heard]:
    heard = Heard(settings)
    with teams.passing(settings):
        yield heard
    heard.close()


@pytest.fixture
def heard(behind: Heard) -> Heard:
    behind.requests.clear()
    return behind


@pytest.mark.parametrize("page", team.PAGES)
def test_only_who_has_the_password_reaches_a_page(
    heard: Heard, settings: team.Settings, page: str
) -> None:
    port = settings.port(page)
    for said in ("", teams.basic("ada", "wrong"), teams.basic("eve", teams.PASSWORD), "Bearer x"):
        headers = {"Authorization": said} if said else {}
        for path in ("/", "/health", "/ping", "/graphql", "/invocations", "//", "/../etc"):
            assert teams.ask(port, path, "POST", b"{}", **headers)[0] in (400, 401), path
    assert heard.requests == []
    assert teams.ask(port, **teams.KNOWN) == (200, b"ok")
    ((_, _, told),) = heard.requests
    assert "Authorization" not in told, "the password ends at the proxy"
    assert told["Host"] == settings.inner(page)


@pytest.mark.parametrize("page", team.PAGES)
def test_another_page_s_browser_is_refused_though_it_sends_the_password(
    heard: Heard, settings: team.Settings, page: str
) -> None:
    port = settings.port(page)
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{port}.evil.example"):
        assert teams.ask(port, Origin=origin, **teams.KNOWN)[0] == 403
    assert heard.requests == []
    assert teams.ask(port, Origin=f"http://127.0.0.1:{port}", **teams.KNOWN)[0] == 200


def test_a_websocket_of_dagster_s_page_passes(heard: Heard, settings: team.Settings) -> None:
    port = settings.port("DAGSTER")
    asked = {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert teams.ask(port, "/graphql", **asked)[0] == 401
    assert heard.requests == []
    assert teams.ask(port, "/graphql", **asked, **teams.KNOWN)[0] == 101
    ((_, _, told),) = heard.requests
    assert told["Connection"].lower() == "upgrade"


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow/webhooks/create",
        "/ajax-api/3.0/mlflow/jobs",
        "/ajax-api/2.0/mlflow/gateway-proxy",
        "/api/2.0/mlflow/runs/..%2fwebhooks/create",
        "/api/2.0/mlflow/runs/../../../3.0/mlflow/gateway/endpoints",
        "/ajax-api/3.0/mlflow/assistant/sessions",
        "/api/3.0/mlflow/mcp-servers",
        "/api/2.0/mlflow/runsandmore",
    ],
)
def test_what_reaches_out_of_mlflow_is_not_there(
    heard: Heard, settings: team.Settings, path: str
) -> None:
    port = settings.port("MLFLOW")
    assert teams.ask(port, path, "POST", b"{}", **teams.KNOWN)[0] == 404
    assert heard.requests == []
    used = "/api/2.0/mlflow/runs/create"
    assert teams.ask(port, used, "POST", b"{}", **teams.KNOWN)[0] == 200
    assert heard.requests[0][1] == used


def test_the_door_gets_no_more_than_its_limit(heard: Heard, settings: team.Settings) -> None:
    port = settings.port("DOOR")
    large = {"Content-Length": str(65 * 1024 * 1024), **teams.KNOWN}
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sent:
        lines = "".join(f"{name}: {value}\r\n" for name, value in large.items())
        sent.sendall(f"POST /invocations HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
        assert b" 413 " in sent.recv(100)
    assert heard.requests == []


def test_passwords_come_and_go_while_it_runs(heard: Heard, settings: team.Settings) -> None:
    eve = {"Authorization": teams.basic("eve", "another of 12 letters")}
    port = settings.port("MLFLOW")
    assert teams.ask(port, **eve)[0] == 401
    proxy.let_in(settings.root, "eve", "another of 12 letters")
    assert teams.ask(port, **eve)[0] == 200
    proxy.keep_out(settings.root, "eve")
    assert teams.ask(port, **eve)[0] == 401
    with pytest.raises(UserError, match="'eve' has no password here; ada has"):
        proxy.keep_out(settings.root, "eve")
    assert teams.ask(port, **teams.KNOWN)[0] == 200


def test_a_password_stands_nowhere_in_the_clear(settings: team.Settings) -> None:
    command = [sys.executable, "-m", "orchestration.team", "let-in", "bo"]
    said = subprocess.run(
        command,
        input="a secret of bo's\n",
        cwd=home.REPOSITORY,
        env={"MM_ROOT": str(settings.root), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
    )
    assert (said.returncode, said.stdout) == (0, "bo may pass from now on.\n"), said.stderr
    folder = team.folder(settings.root)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text(errors="replace")
            assert "a secret of bo's" not in text and teams.PASSWORD not in text
    assert proxy.known(settings.root)["bo"].startswith("$6$")


@pytest.mark.parametrize(
    ("name", "password", "sentence"),
    [
        ("a:b", "long enough a word", "is no name"),
        ("", "long enough a word", "is no name"),
        ("ada", "short", "at least 12 characters"),
        ("ada", "twelve and\nmore", "printable"),
    ],
)
def test_what_cannot_be_a_name_or_a_password(
    tmp_path: Path, name: str, password: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        proxy.let_in(tmp_path, name, password)
    assert not proxy.passwords(tmp_path).exists()
