"""A command never outlives whoever started it, and never holds a run open."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from orchestration.process_group import ProcessGroup

FAMILY = """
import subprocess, sys, time, signal
if "deaf" in sys.argv: signal.signal(signal.SIGINT, signal.SIG_IGN)
print("started", flush=True)
child = "import time; time.sleep(300)"
subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], stderr=subprocess.DEVNULL)
if "leave" not in sys.argv: time.sleep(300)
"""


def _family(mark: Path, *how: str) -> list[str]:
    return [sys.executable, "-c", FAMILY, str(mark), *how]


def _left(mark: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if str(mark) in (process.info["cmdline"] or [])
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _gone(mark: Path, within: float) -> bool:
    deadline = time.monotonic() + within
    while _left(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not _left(mark)


@pytest.mark.parametrize("how", ["", "deaf"])
def test_an_interrupt_ends_the_whole_family(tmp_path: Path, how: str) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        ProcessGroup(_family(tmp_path, how), tmp_path, os.environ) as group,
    ):
        assert next(group.lines()) == "started"
        raise KeyboardInterrupt
    assert _gone(tmp_path, within=1)


def test_a_child_left_behind_does_not_hold_the_output_open(tmp_path: Path) -> None:
    with ProcessGroup(_family(tmp_path, "leave"), tmp_path, os.environ) as group:
        assert list(group.lines()) == ["started"]
        assert group.wait() == 0
    assert _gone(tmp_path, within=1)


def test_it_ends_even_when_the_starter_is_killed(tmp_path: Path, root: Path) -> None:
    starter = (
        "import os, sys; from pathlib import Path;"
        "from orchestration.process_group import ProcessGroup\n"
        f"with ProcessGroup({_family(tmp_path, 'deaf')!r}, Path('.'), os.environ) as group:\n"
        "    for line in group.lines(): print(line, flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", starter, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert _gone(tmp_path, within=3)


def test_output_and_status_come_through(tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    with ProcessGroup([sys.executable, "-c", code], tmp_path, os.environ) as group:
        assert sorted(group.lines()) == ["err", "out"]
        assert group.wait() == 3
