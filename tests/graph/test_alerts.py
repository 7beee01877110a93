"""What somebody is told of a run that failed: once, with what and where, by each way there is."""

import datetime
import errno
import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest

from orchestration import alerts, runs, watching
from orchestration.alerts import EMAIL, WEBHOOK, Alert
from tests.graph.conftest import Tree

pytestmark = pytest.mark.capability("alerts", scale="T")
SECRET = "services/T0/B0/secret"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the name is http.server's
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(self.server.answer)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _webhook(port: int = 0) -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", port), _Hook)
    server.heard, server.answer = [], 200  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Post(socketserver.StreamRequestHandler):
    """As much of SMTP as one message takes."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        inside: list[str] | None = None
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if inside is not None and line != ".":
                inside.append(line)
                continue
            if inside is not None:
                self.server.heard.append("\n".join(inside))  # type: ignore[attr-defined]
                inside = None
            elif line.upper() == "DATA":
                inside = []
                self.wfile.write(b"354 go on\r\n")
                continue
            self.wfile.write(b"250 good\r\n")


@pytest.fixture
def mailbox() -> Iterator[socketserver.ThreadingTCPServer]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Post)
    server.daemon_threads = True
    server.heard = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (WEBHOOK, EMAIL):
        monkeypatch.delenv(name, raising=False)


def _url(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/{SECRET}"


def _lines(root: Path) -> list[str]:
    return alerts.log(root).read_text().splitlines()


def test_one_alert_reaches_every_address_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mailbox: socketserver.ThreadingTCPServer
) -> None:
    told = Alert("run-1", "The audit of faces failed.", job="everything", stage="faces", run_id="r")
    with _webhook() as hook:
        monkeypatch.setenv(WEBHOOK, _url(hook))
        port = mailbox.server_address[1]
        monkeypatch.setenv(EMAIL, f"smtp://127.0.0.1:{port}/?from=mm@a.org&to=me@b.org,you@c.org")
        assert alerts.tell(tmp_path, told) == []
        assert alerts.tell(tmp_path, told) == []
        assert alerts.send_waiting(tmp_path) == []
        (heard,) = hook.heard
    assert heard["sentence"] == "The audit of faces failed."
    assert (heard["job"], heard["stage"], heard["run_id"]) == ("everything", "faces", "r")
    assert "Magic Mirror: everything in faces" in heard["text"]
    assert heard["tree"] == str(tmp_path)
    (mail,) = mailbox.heard
    assert "Subject: Magic Mirror: everything in faces" in mail
    assert "To: me@b.org, you@c.org" in mail
    assert "The audit of faces failed." in mail
    (line,) = _lines(tmp_path)
    assert "faces: The audit of faces failed." in line


def test_what_could_not_be_sent_waits_and_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _webhook() as hook:
        port = hook.server_port
    monkeypatch.setenv(WEBHOOK, f"http://127.0.0.1:{port}/{SECRET}")
    for key in ("one", "two"):
        (problem,) = alerts.tell(tmp_path, Alert(key, f"This is {key}."))
        assert problem.startswith("MM_ALERT_WEBHOOK could not be reached")
        assert "secret" not in problem
    assert alerts.waiting(tmp_path)
    with _webhook(port) as hook:
        hook.answer = 500
        assert alerts.send_waiting(tmp_path) == [
            "MM_ALERT_WEBHOOK could not be reached: it answered 500"
        ]
        hook.answer, hook.heard = 200, []
        assert alerts.send_waiting(tmp_path) == []
        assert [one["sentence"] for one in hook.heard] == ["This is one.", "This is two."]
    assert not alerts.waiting(tmp_path)
    assert len(_lines(tmp_path)) == 2


@pytest.mark.parametrize("when", ["before it is written down", "before that is noted"])
def test_a_full_disk_is_told_of_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told = Alert("one", "There is no space left.")
    with _webhook() as hook:
        monkeypatch.setenv(WEBHOOK, _url(hook))
        if when == "before that is noted":
            hook.answer = 500
            assert len(alerts.tell(tmp_path, told)) == 1
            hook.answer, hook.heard = 200, []
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            said = " ".join(alerts.tell(tmp_path, told))
            assert ("cannot be written" in said) is (when == "before it is written down")
            alerts.tell(tmp_path, told)
            alerts.send_waiting(tmp_path)
        alerts.tell(tmp_path, told)
        assert [one["sentence"] for one in hook.heard] == ["There is no space left."]
    assert not alerts.waiting(tmp_path)
    assert len(_lines(tmp_path)) == 1, "the log has it once there is space again"


def test_no_folder_to_write_in_keeps_nobody_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").write_text("in the way")
    with _webhook() as hook:
        monkeypatch.setenv(WEBHOOK, _url(hook))
        (problem,) = alerts.tell(tmp_path, Alert("one", "This is one."))
        assert "cannot be written" in problem
        assert [one["sentence"] for one in hook.heard] == ["This is one."]


def test_an_address_that_is_named_later_hears_nothing_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mailbox: socketserver.ThreadingTCPServer
) -> None:
    mail = f"smtp://127.0.0.1:{mailbox.server_address[1]}/?to=me@b.org"
    alerts.tell(tmp_path, Alert("old", "Nobody was to be told."))
    with _webhook() as hook:
        monkeypatch.setenv(WEBHOOK, _url(hook))
        assert not alerts.waiting(tmp_path)
        alerts.tell(tmp_path, Alert("heard", "The webhook heard it."))
        hook.answer = 500
        alerts.tell(tmp_path, Alert("deaf", "Nobody heard it."))
        monkeypatch.delenv(WEBHOOK)
        monkeypatch.setenv(EMAIL, mail)
        assert alerts.waiting(tmp_path)
        assert alerts.send_waiting(tmp_path) == []
    assert next(iter(hook.heard))["sentence"] == "The webhook heard it."
    (letter,) = mailbox.heard  # type: ignore[attr-defined]
    assert "Nobody heard it." in letter


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (EMAIL, "mail.b.org/secret"),
        (EMAIL, "smtp://b.org/secret"),
        (EMAIL, "ftp://b.org/secret?to=me@b.org"),
        (EMAIL, "smtp://me:secret@b.org:99999/?to=me@b.org"),
        (WEBHOOK, "hooks.b.org/secret"),
        (WEBHOOK, "ftp://hooks.b.org/secret"),
        (WEBHOOK, "https:///secret"),
        (WEBHOOK, "https://hooks.b.org:port/secret"),
    ],
)
def test_an_address_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setenv(name, address)
    (problem,) = alerts.tell(tmp_path, Alert("one", "This is one."))
    assert f"{name} must read {'smtp' if name == EMAIL else 'https'}://" in problem
    assert "secret" not in problem
    assert len(_lines(tmp_path)) == 1, "the log has it all the same"


def _failed(tree: Tree, run: dg.DagsterRun, event: dg.DagsterEvent) -> None:
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_instance=tree.instance,
        dagster_run=run,
        dagster_event=event,
        resources={"stages": tree.client},
    )
    watching.failed_runs(context.for_run_failure())


@pytest.mark.slow
def test_a_failed_stage_is_told_with_its_own_sentence(done: Tree) -> None:
    done.behave(faces="audit")
    done.set("faces", "min_face", 30)
    result = done.dagster()
    (event,) = result.filter_events(lambda one: one.is_run_failure)
    _failed(done, result.dagster_run, event)
    (line,) = _lines(done.root)
    assert (
        "everything in faces: The audit of faces failed: samples.parquet has 3 rows, 60 are needed."
        in line
    )
    assert result.run_id in line


def test_a_lost_run_is_told_unless_it_begins_again(fresh: Tree) -> None:
    for again in ("true", "false"):
        run = fresh.instance.create_run_for_job(
            fresh.definitions().resolve_job_def("everything"), status=dg.DagsterRunStatus.STARTED
        )
        fresh.instance.add_run_tags(run.run_id, {"dagster/will_retry": again})
        event = fresh.instance.report_run_failed(run, "Its process ended without a word.")
        _failed(fresh, run, event)
    (line,) = _lines(fresh.root)
    assert "everything: Its process ended without a word." in line
    assert run.run_id in line


def test_each_old_model_is_told_of_once(
    fresh: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick() -> str:
        with dg.build_sensor_context(fresh.instance, resources={"stages": fresh.client}) as context:
            return watching.overdue.evaluate_tick(context).skip_message

    (tmp_path / "home").mkdir()
    fresh.instance = dg.DagsterInstance.local_temp(str(tmp_path / "home"))
    fresh.set("automation", "fresh_hours", 36)
    assert tick() == "Nothing is left to be told.", "there was no model yet"
    now = runs.now()
    for late in (35, 37, 38):  # the last two grow old, one after the other
        fresh.instance.report_runless_asset_event(dg.AssetMaterialization("register"))
        for hours in (1, late, late + 1):
            monkeypatch.setattr(runs, "now", lambda hours=hours: now + hours * 3600)
            tick()
    first, second = _lines(fresh.root)
    assert "more than 36 hours ago" in first and "more than 36 hours ago" in second
    policy = fresh.definitions().resolve_asset_graph().get(dg.AssetKey("register")).freshness_policy
    assert policy.fail_window.to_timedelta() == datetime.timedelta(hours=36)
