"""`python -m mm_model serve`: the release's own code behind the door, in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from mm_model.register import served
from mm_model.serving import example, launch
from mm_model.settings import load_profile
from tests.serving.conftest import Server
from tests.serving.doorway import until
from tests.serving.house import House


@pytest.fixture(scope="module")
def good(served_house: House) -> dict[str, Any]:
    record = example.record(load_profile(served_house.root, "tiny"))
    return {**record, "num_inference_steps": 3}


def test_door_and_stock_server_reply_alike(server: Server, behind_door: Server, good: dict) -> None:
    for change in ({}, {"seed": 99, "num_frames": 1}, {"guidance_scale": 1.0}):
        through_door, stock = (one.ask({**good, **change}) for one in (behind_door, server))
        assert through_door[0] == 200, through_door[1][:300]
        assert through_door == stock
    for change in ({"seed": -1}, {"prompt": "mountains at dawn"}, {"reference_images": ["AAAA"]}):
        through_door, stock = (one.ask({**good, **change}) for one in (behind_door, server))
        assert through_door[0] == 400 and through_door == stock


def test_every_form_of_a_record_is_understood_by_both(
    server: Server, behind_door: Server, good: dict
) -> None:
    table = {"columns": list(good), "data": [list(good.values())]}
    forms = [
        {"dataframe_records": [good]},
        {"inputs": [good]},
        {"instances": [good]},
        {"dataframe_split": table},
    ]
    replies = {one.post(form) for one in (server, behind_door) for form in forms}
    assert [status for status, _ in replies] == [200]


def test_the_log_holds_nothing_of_prompt_or_picture(behind_door: Server, good: dict) -> None:
    for change in ({}, {"prompt": "kumquat without anybody"}, {"kumquat": good["prompt"]}):
        behind_door.ask({**good, "prompt": "a man with a remarkable kumquat smiles", **change})
    behind_door.post(None, raw=b"{kumquat")
    log = behind_door.log.read_text()
    assert "kumquat" not in log
    assert good["reference_images"][0][:40] not in log


def test_the_releases_own_code_runs_and_nothing_is_added_to_it(
    behind_door: Server, served_house: House, good: dict, tmp_path: Path
) -> None:
    assert behind_door.ask(good)[0] == 200
    (tmp_path / "mm_model").mkdir()
    (tmp_path / "mm_model" / "__init__.py").write_text("raise SystemExit('another code')\n")
    folder = served.checked_folder(served_house.layout, "magic-mirror")
    command, environment = launch.door_command(folder, "127.0.0.1", 1)
    at = command.index("-m")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    said = subprocess.run(
        [*command[:at], "-c", "import mm_model; print(mm_model.__file__)"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(folder.rglob("__pycache__")) == []
    assert said.stdout.strip() == str(folder / "code" / "mm_model" / "__init__.py")
    every = psutil.Process(behind_door.process.pid).children()
    (door,) = [one for one in every if str(folder) in one.cmdline()]
    running = f"/proc/{door.pid}"
    if os.path.exists(running):  # noqa: PTH110
        with open(f"{running}/environ") as read:  # noqa: PTH123
            assert f"PYTHONPATH={folder / 'code'}" in read.read()


def test_clips_of_senders_who_have_gone_are_not_made(behind_door: Server, good: dict) -> None:
    made = behind_door.log.read_text().count("served 9 frames")
    body = json.dumps({"dataframe_records": [{**good, "num_inference_steps": 100}]})
    asked = []
    for _ in range(8):
        one = http.client.HTTPConnection("127.0.0.1", behind_door.port, timeout=60)
        one.request("POST", "/invocations", body, {"content-type": "application/json"})
        asked.append(one)
    for one in asked:
        one.close()
    until(lambda: behind_door.log.read_text().count("the sender has gone") == len(asked))
    assert behind_door.log.read_text().count("served 9 frames") == made
    assert behind_door.ask(good)[0] == 200


def test_a_port_in_use_is_said_before_anything_is_loaded(served_house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "mm_model", "serve", "--port", str(port)],
            cwd=served_house.root,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Stopped: Port {port} of 127.0.0.1 cannot be opened")
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_ends_it_with_a_clip_under_way_and_others_waiting(
    behind_door: Server, good: dict
) -> None:
    """Last of the file: nothing is served after it."""
    long = {**good, "num_inference_steps": 100}
    replies: list[tuple[int, str]] = []
    threads = [
        threading.Thread(target=lambda: replies.append(behind_door.ask(long))) for _ in range(3)
    ]
    before = behind_door.log.read_text().count(" consent ")
    for thread in threads:
        thread.start()
    until(lambda: behind_door.log.read_text().count(" consent ") == before + 1)
    time.sleep(0.5)  # the others are inside
    started = time.monotonic()
    os.kill(behind_door.process.pid, signal.SIGINT)
    assert behind_door.process.wait(30) == 0
    took = time.monotonic() - started
    for thread in threads:
        thread.join()
    assert {json.loads(body).get("refusal") for _, body in replies} == {"stopping"}, took
    assert [status for status, _ in replies] == [503] * 3
    log = behind_door.log.read_text()
    assert "Traceback" not in log, log[-3000:]
    assert log.rstrip().endswith("Serving has ended.")
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", behind_door.port).request("GET", "/ping")
