"""How this project calls DVC: this environment's own, in the right folder, waiting for its locks.

Knows nothing of Dagster and reads no output but DVC's own.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from assets.graph import SETTINGS
from mm_model.errors import UserError
from mm_model.store import atomic, lease
from mm_model.store.layout import Layout
from orchestration import dvc_inputs
from orchestration.process_group import ProcessGroup

_WAY_OUT = "wait for its end, or stop it there."


def environment(root: Path) -> dict[str, str]:
    """This process's environment with its own `bin` first on PATH and `root` as the root."""
    own = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    covered = lease.handed_on(Layout(root, "").lease)
    return {
        **os.environ,
        **covered,
        "PATH": own,
        "MM_ROOT": str(root),
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
    }


def dvc(*arguments: str) -> list[str]:
    """The command line of this environment's DVC, waiting for its lock instead of failing."""
    return [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]


def ran(command: list[str], root: Path) -> "subprocess.CompletedProcess[str]":
    """A short command of this environment, in the tree and to its end; what it said is kept."""
    return subprocess.run(
        command,
        cwd=root,
        env=environment(root),
        capture_output=True,
        text=True,
        check=False,
    )


def mend_lock(root: Path) -> None:
    """Free DVC's list of locks from what a kill left there, which DVC never gets over.

    That is a list half written, and names of processes that are gone while another process has
    their number: DVC would wait for that one for ever.
    """
    path = root / ".dvc" / "tmp" / "rwlock"
    for _ in range(3):
        try:
            said = json.loads(path.read_text())
            break
        except FileNotFoundError:
            return
        except ValueError:
            time.sleep(0.3)  # a living DVC rewrites it in an instant
    else:
        path.unlink(missing_ok=True)
        return
    if any(_process(known, root) is None for known in _owners(said)):
        with contextlib.suppress(OSError), path.with_name("rwlock.lock").open("a") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)  # DVC's own guard of the list
            _forget_the_dead(path, root)


def _forget_the_dead(path: Path, root: Path) -> None:
    said = json.loads(path.read_text())
    writers, readers = said.get("write", {}), said.get("read", {})
    living = {name: one for name, one in writers.items() if _process(one, root) is not None}
    reading = {
        name: left
        for name, some in readers.items()
        if (left := [one for one in some if _process(one, root) is not None])
    }
    atomic.write_text(path, json.dumps({"write": living, "read": reading}))


def _owners(said: dict) -> list[dict]:
    """Everybody that DVC's list of locks names: process number and command."""
    readers = [one for some in said.get("read", {}).values() for one in some]
    return [*said.get("write", {}).values(), *readers]


def _process(owner: dict, root: Path) -> psutil.Process | None:
    """The living process that the list names; None when its number is nobody's or another's."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(int(owner["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        try:  # in this tree: a copied list names those at work in the original
            inside = Path(process.cwd()).is_relative_to(root.resolve())
        except psutil.AccessDenied:
            inside = any(Path(part).name == "dvc" for part in process.cmdline()[:4])
        return process if inside else None
    return None


def at_work(root: Path, patience: float = 30.0) -> str | None:
    """The sentence on a DVC command that somebody else runs in this tree; None without one.

    A command that only looks (`dvc status`) is over in an instant: that long it is waited for.
    """
    until = time.monotonic() + patience
    told = False
    while True:
        mend_lock(root)
        with contextlib.suppress(FileNotFoundError, ValueError):
            for owner in _owners(json.loads((root / ".dvc" / "tmp" / "rwlock").read_text())):
                words = " ".join(str(owner["cmd"]).split()[1:])
                return f"dvc {words} (process {owner['pid']}) is at work here: {_WAY_OUT}"
        holder = _repository_lock(root)
        if holder is None:
            return None
        if time.monotonic() >= until:
            return f"A DVC command (process {holder}) is at work here: {_WAY_OUT}"
        if not told:
            print(f"A DVC command (process {holder}) is at work; looking again.", flush=True)
        told = True
        time.sleep(0.5)


def _repository_lock(root: Path) -> str | None:
    """Number of the process that holds DVC's lock on the whole tree; None when it is free."""
    path = root / ".dvc" / "tmp" / "lock"
    try:
        with path.open("r+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return handle.read().strip() or "unknown"
    except OSError:
        pass
    return None


def status(root: Path) -> dict[str, dict[str, dict[str, str]]]:
    """DVC's word on each stage that is not up to date: kind of change -> path -> change.

    Raises:
        UserError: DVC cannot tell, or cannot digest an input.
    """
    dvc_inputs.check(root)
    mend_lock(root)
    with ProcessGroup(dvc("status", "--json"), root, environment(root)) as group:
        lines = list(group.lines())
        failed = group.wait()
    if failed:
        raise UserError(f"dvc status failed in {root}: {' '.join(lines)}")
    said = next((line for line in reversed(lines) if line.startswith("{")), "{}")
    told: dict[str, dict[str, dict[str, str]]] = {}
    for stage, changes in json.loads(said).items():
        told[stage] = {}
        for change in changes:
            if isinstance(change, dict):
                told[stage] |= change
    return told


def settled(root: Path) -> dict[str, dict[str, dict[str, str]]]:
    """`status`, after what the profile says was written down where it was not yet.

    Raises:
        UserError: as `status`, or the profile is not valid.
    """
    told = status(root)
    if SETTINGS not in told:
        return told
    with ProcessGroup(dvc("repro", "--single-item", SETTINGS), root, environment(root)) as group:
        lines = list(group.lines())
        failed = group.wait()
    if failed:
        raise UserError(f"The profile could not be written down in {root}: {' '.join(lines)}")
    return status(root)
