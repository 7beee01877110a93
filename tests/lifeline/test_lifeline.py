"""A child ends with whoever started it: whatever ended that one, whatever the child was doing."""

import ast
import multiprocessing
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from mm_model import lifeline
from mm_model.run.pools.table import open_pool
from tests.lifeline import family

FULL_HOUSE = """
import family, multiprocessing, os, signal, sys, threading, time
from mm_model import lifeline
from mm_model.run.pools.port import Limits
from mm_model.run.pools.table import open_pool

for task in (family.hog, family.doze, family.deaf):
    lifeline.process(task).start()
idle = open_pool(family.number, 1)
assert [*idle.map(family.echo, [5])] == [5]
ours, theirs = multiprocessing.Pipe()
for _ in range(2):
    lifeline.process(family.receive, theirs).start()
late = open_pool(family.slow_start, 1)
threading.Thread(target=lambda: [*late.map(family.echo, [5])], daemon=True).start()
confined = open_pool(family.number, 1, Limits(60, 1024, confined=True))
assert [*confined.map(family.echo, [5])] == [5]
time.sleep(0.5)
print("ready", flush=True)
time.sleep(300)
"""
MEMBERS = 4 + 2 + 1 + 1 + 1  # and the standard library's tracker of semaphores


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_everybody_ends_whatever_the_parent_died_of(death: signal.Signals) -> None:
    parent = family.started(FULL_HOUSE)
    children = family.below(parent)
    assert len(children) == MEMBERS
    family.killed(parent, death)
    assert family.left(children) == []


@pytest.mark.parametrize("wait", [0.0, 0.03, 0.1, 0.2, 0.4])
def test_a_child_that_was_just_being_started_ends_too(wait: float) -> None:
    code = (
        "import family, sys, time; from mm_model import lifeline\n"
        "for _ in range(2): lifeline.process(family.doze).start()\n"
        f"time.sleep({wait}); print('ready', flush=True); time.sleep(300)"
    )
    parent = family.started(code)
    children = family.below(parent)
    assert len(children) >= 2
    family.killed(parent)
    # a busy machine may take its time until Python has started far enough to ask the kernel
    assert family.left(children, within=15.0) == []


def test_children_live_on_when_only_the_thread_that_started_them_ended() -> None:
    made = []

    def start() -> None:
        pool = open_pool(family.number, 2)
        made.append((pool, {*pool.map(family.where, range(2))}))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    pool, before = made[0]
    time.sleep(0.3)
    with closing(pool):
        assert {*pool.map(family.where, range(2))} == before


def test_a_forked_copy_does_not_keep_the_line_whole() -> None:
    code = (
        "import family, os, sys, time; from mm_model.run.pools.table import open_pool\n"
        "pool = open_pool(family.number, 1); list(pool.map(family.echo, [1]))\n"
        "if os.fork() == 0: time.sleep(300)\n"
        "print('ready', flush=True); time.sleep(300)"
    )
    parent = family.started(code)
    spawned = [p for p in family.below(parent) if "--multiprocessing-fork" in p.cmdline()]
    copy = [
        p for p in family.below(parent) if p.cmdline()[1] == "-c" and "os.fork" in p.cmdline()[2]
    ]
    assert len(spawned) == len(copy) == 1
    family.killed(parent)
    assert family.left(spawned) == []
    copy[0].kill()


def test_without_the_kernels_signal_a_thread_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, time; from mm_model import lifeline\n"
        "lifeline._F_SETSIG = None\n"  # what a system without it comes to: the call is refused
        "lifeline.fcntl.fcntl = lambda *_: (_ for _ in ()).throw(OSError())\n"
        "lifeline.hold(int(sys.argv[1])); print('held', flush=True); time.sleep(300)"
    )
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(ours.fileno())],
        pass_fds=[ours.fileno()],
        stdout=subprocess.PIPE,
        text=True,
        cwd=family.ROOT,
    )
    assert child.stdout.readline() == "held\n"
    theirs.close()
    assert child.wait(family.GRACE) == -signal.SIGKILL
    child.stdout.close()
    ours.close()


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    theirs.close()
    code = (
        "import sys; from mm_model import lifeline; lifeline.hold(int(sys.argv[1])); print('lives')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ours.fileno())],
        pass_fds=[ours.fileno()],
        capture_output=True,
        cwd=family.ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_a_command_started_by_hand_follows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARK", raising=False)
    before = len(lifeline._held)
    lifeline.follow("MARK", "dvc")
    assert len(lifeline._held) == before


_FOLLOWER = (
    "import ctypes, os, sys, time; from mm_model import lifeline\n"
    "while sys.argv[1:] and os.getppid() == int(sys.argv[1]): time.sleep(0.01)\n"
    "lifeline.follow('MARK', 'dvc'); print('follows', flush=True)\n"
)
_HOGGING = _FOLLOWER + "ctypes.PyDLL(None).sleep(300)"
_WATCHING = "import os; del os.pidfd_open\n" + _FOLLOWER + "time.sleep(300)"


@pytest.mark.parametrize(
    ("follower", "members"), [(_HOGGING, 4), (_WATCHING, 3)], ids=["keeper", "thread"]
)
def test_a_process_ends_with_the_marker_behind_two_shells(follower: str, members: int) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        f"inner = [sys.executable, '-c', {follower!r}]\n"
        "outer = ['/bin/sh', '-c', '/bin/sh -c \\'\"$@\"; true\\' sh \"$@\"; true', 'sh', *inner]\n"
        "child = subprocess.Popen(outer, env={**os.environ, 'MARK': 'x'}, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print('ready', flush=True); time.sleep(300)"
    )
    parent = family.started(code)
    children = family.below(parent)
    assert len(children) == members  # two shells, the follower, and its keeper
    family.killed(parent)
    assert family.left(children) == []


def test_the_keeper_ends_with_whom_it_keeps() -> None:
    code = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {_HOGGING!r}], stdout=subprocess.PIPE,\n"
        "    env={**os.environ, 'MARK': 'x'})\n"
        "child.stdout.readline(); print('ready', flush=True); time.sleep(300)"
    )
    parent = family.started(code)
    follower, keeper = family.below(parent)
    follower.kill()
    assert family.left([keeper]) == []
    family.killed(parent)


def test_a_process_whose_marker_is_gone_is_refused(tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = (
        "import os, subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {_HOGGING!r}, str(os.getpid())],\n"
        f"    env={{**os.environ, 'MARK': 'x'}}, stderr=open({str(said)!r}, 'w'))\n"
        "print('ready', flush=True)"
    )
    parent = family.started(code)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 120
    while "has ended: start the stage again" not in said.read_text():
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)


_FOLLOWS = _FOLLOWER.replace("sys.argv[1:] and", "sys.argv[1:2] != ['0'] and")
_FIRST = (  # a container's first process, which starts a stage itself or through one that leaves
    "import os, subprocess, sys\n"
    f"stage = [sys.executable, '-c', {_FOLLOWS!r}]\n"
    "os.environ['MARK'] = 'x'\n"
    "through = 'import os, subprocess, sys; subprocess.Popen(sys.argv[1:] + [str(os.getpid())])'\n"
    "if sys.argv[1] == 'through': subprocess.run([sys.executable, '-c', through, *stage])\n"
    "else: subprocess.run([*stage, '0'])\n"
    "try: os.wait()\n"
    "except ChildProcessError: pass\n"
)


@pytest.mark.parametrize(
    ("name", "way", "said"),
    [
        ("init", "through", "has ended: start the stage again"),  # the session is everybody's
        ("init", "itself", "has ended: start the stage again"),  # DVC was never there
        ("dvc", "itself", "follows"),
    ],
)
def test_in_a_container_its_first_process_is_no_marker(name: str, way: str, said: str) -> None:
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    tried = shutil.which("unshare") and subprocess.run([*inside, "true"], check=False).returncode
    if tried != 0:
        pytest.skip("this system lets nobody make a process namespace (unshare)")
    done = subprocess.run(
        [*inside, sys.executable, "-c", _FIRST, way, name],
        capture_output=True,
        text=True,
        cwd=family.ROOT,
        check=False,
        timeout=60,
    )
    assert said in done.stdout + done.stderr


STARTERS = {
    "Popen",
    "ProcessPoolExecutor",
    "Pool",
    "Process",
    "DataLoader",
    "fork",
    "forkpty",
    "posix_spawn",
    "system",
    "popen",
    "spawnv",
    "spawnvp",
}
"""Calls that start a process which may outlive the caller."""
HARMLESS = {"psutil.Process", "platform.system"}
KNOWN = {
    ("lifeline.py", "Process"),
    ("lifeline.py", "Popen"),
    ("loading.py", "DataLoader"),
    ("launch.py", "Popen"),
    ("doors.py", "Popen"),
}
"""Readers of samples are torch's own, and look for their parent: `tests/train/test_loading.py`. The
processes of a training follow the stage: `tests/seams/test_processes_of_training.py`. Doors hold
the line of who follows the champion: `tests/serving/test_follow.py`."""


def test_no_module_starts_a_process_but_through_the_line() -> None:
    found = set()
    for path in (family.ROOT / "mm_model").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in STARTERS and ast.unparse(node.func) not in HARMLESS:
                    found.add((path.name, name))
    assert found == KNOWN
