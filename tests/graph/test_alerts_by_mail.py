"""Mail goes with the password that the address holds, over TLS, to nobody else's server."""

import base64
import os
import shutil
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import alerts
from orchestration.alerts import EMAIL, WEBHOOK, Alert

pytestmark = pytest.mark.capability("alerts", scale="T")
LOGIN = base64.b64encode(b"\0me\0p@ss word").decode()


class _Server(socketserver.ThreadingTCPServer):
    """Says hello as a server that wants TLS first and then a password; `heard` are its lines."""

    daemon_threads = True

    def __init__(self, certificate: Path, key: Path, at_once: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.heard: list[str] = []
        self.at_once = at_once
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us hangs up."""


class _Talk(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        talk, safe = self.request, self.server.at_once
        if safe:
            talk = self.server.context.wrap_socket(talk, server_side=True)
        talk.sendall(b"220 here\r\n")
        inside, rest = False, b""
        while block := talk.recv(4096):
            *lines, rest = (rest + block).split(b"\r\n")
            for raw in lines:
                line = raw.decode()
                self.server.heard.append(line)
                word = line.split(" ")[0].upper()
                inside = inside and line != "."
                if inside:
                    continue
                if word == "EHLO":
                    offered = "AUTH PLAIN" if safe else "STARTTLS"
                    talk.sendall(f"250-here\r\n250 {offered}\r\n".encode())
                elif word == "STARTTLS":
                    talk.sendall(b"220 go on\r\n")
                    talk, safe = self.server.context.wrap_socket(talk, server_side=True), True
                elif word == "AUTH":
                    talk.sendall(b"235 welcome\r\n" if LOGIN in line else b"535 no\r\n")
                elif word == "DATA":
                    inside = True
                    talk.sendall(b"354 go on\r\n")
                else:
                    talk.sendall(b"250 good\r\n")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that nobody else trusts, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("There is no openssl here: apt-get install openssl.")
    folder = tmp_path_factory.mktemp("pair")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    made = [*words.split(), "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True)
    return certificate, key


@pytest.fixture(params=["smtp", "smtps"])
def server(
    request: pytest.FixtureRequest, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[_Server]:
    with _Server(*pair, at_once=request.param == "smtps") as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        monkeypatch.delenv(WEBHOOK, raising=False)
        place = f"me:p%40ss%20word@127.0.0.1:{made.server_address[1]}"
        monkeypatch.setenv(EMAIL, f"{request.param}://{place}/?from=mm@a.org&to=me@b.org")
        yield made
        made.shutdown()


def test_a_trusted_server_gets_password_and_message(
    server: _Server, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
    assert alerts.tell(tmp_path, Alert("one", "This is one.")) == []
    assert f"AUTH PLAIN {LOGIN}" in server.heard
    assert "This is one." in server.heard


def test_a_server_that_nobody_vouches_for_gets_neither(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    (problem,) = alerts.tell(tmp_path, Alert("one", "This is one."))
    assert "its certificate is not trusted here" in problem and "p@ss" not in problem
    assert not [line for line in server.heard if "AUTH" in line or "This is one." in line]
    assert alerts.waiting(tmp_path)


def test_a_wrong_password_is_a_problem_and_stays_unsaid(
    server: _Server, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
    wrong = os.environ[EMAIL].replace("p%40ss", "other")
    monkeypatch.setenv(EMAIL, wrong)
    (problem,) = alerts.tell(tmp_path, Alert("one", "This is one."))
    assert "could not be reached" in problem and "other" not in problem
    assert "This is one." not in server.heard
