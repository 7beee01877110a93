"""Services of a team are kept at work: started again, logged, and all ended together."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import psutil
import pytest

from orchestration.team import keeping
from orchestration.team.keeping import Keeper
from orchestration.team.services import Service

pytestmark = pytest.mark.capability("team", scale="T")
FIRST_DIES = """
import pathlib, sys, time
mark = pathlib.Path("died")
if not mark.exists():
    mark.touch()
    print("first words"); print("no database"); sys.exit(3)
print("at work", flush=True)
time.sleep(600)
"""


def test_one_that_ends_is_started_again_and_its_last_words_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    came = threading.Event()

    class Log(threading.Thread):
        def run(self) -> None:
            while not came.wait(0.05):
                log = tmp_path / "one.log"
                if log.is_file() and "at work" in log.read_text():
                    came.set()

    one = Service("one", (sys.executable, "-c", FIRST_DIES), dict(os.environ))
    two = Service("two", ("/bin/sh", "-c", "sleep 600 & wait"), dict(os.environ))
    others = set(psutil.Process().children(recursive=True))  # of this process's other tests
    keeper = Keeper([one, two], tmp_path, tmp_path, told.append)
    keeper.start()
    try:
        watch = Log(daemon=True)
        watch.start()
        assert came.wait(120)
        below = list(set(psutil.Process().children(recursive=True)) - others)
    finally:
        keeper.end()
    assert told == ["one ended (3), again in 2 s. Last: no database"]
    lines = (tmp_path / "one.log").read_text().splitlines()
    assert lines[:3] == ["first words", "no database", "at work"]
    gone, left = psutil.wait_procs(below, timeout=60)
    assert len(gone) >= 5 and not left


def test_the_pause_grows_to_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_FIRST", 1.0)
    monkeypatch.setattr(keeping, "_LONGEST", 2.0)
    told: list[str] = []
    thrice = threading.Event()

    def hear(line: str) -> None:
        told.append(line)
        if len(told) == 3:
            thrice.set()

    one = Service("one", ("/bin/sh", "-c", "echo no database; exit 3"), dict(os.environ))
    keeper = Keeper([one], tmp_path, tmp_path, hear)
    keeper.start()
    try:
        assert thrice.wait(120)
    finally:
        keeper.end()
    pauses = [line.partition("again in ")[2].partition(".")[0] for line in told[:3]]
    assert pauses == ["1 s", "2 s", "2 s"]
