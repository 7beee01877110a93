"""A command in a process group of its own that never outlives whoever started it.

The group's first member is a keeper that waits on a pipe: when this process goes, however it
goes, the pipe closes and the keeper ends the group. Knows nothing of DVC or Dagster.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

_KEEPER = "trap '' INT; cat >/dev/null; kill -INT 0; sleep 1; kill -KILL 0"


class ProcessGroup:
    """Context manager around one command.

    Leaving the block by an exception interrupts the whole group, so that each program can put
    its own files in order, and kills what is left of it after `grace` seconds. With `hears` the
    command's standard input stays open for `tell` until `hang_up` or the end of the block.
    """

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        grace: float = 1.5,
        *,
        hears: bool = False,
    ) -> None:
        self._command, self._cwd, self._env, self._grace = command, cwd, env, grace
        self._input = subprocess.PIPE if hears else subprocess.DEVNULL

    def __enter__(self) -> "ProcessGroup":
        self._reaper = threading.Thread(target=self._reap, daemon=True)
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=dict(self._env),
                stdin=self._input,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                bufsize=1,
                process_group=self._keeper.pid,
            )
        except BaseException:
            self._end()
            raise
        self._reaper.start()
        return self

    def _reap(self) -> None:
        """End what the command left behind: it would hold the output open, or a GPU."""
        self._process.wait()
        self._let_end()
        self._signal(signal.SIGKILL)

    def _let_end(self) -> None:
        """Wait until the group is empty, but no longer than the grace."""
        deadline = time.monotonic() + self._grace
        while self._living() and time.monotonic() < deadline:
            time.sleep(0.05)

    def lines(self) -> Iterator[str]:
        """Each line of output as it comes, stdout and stderr together, without its end."""
        for line in self._process.stdout or ():
            yield line.rstrip()

    def tell(self, text: str) -> bool:
        """Write to the command's standard input; False if it listens no more."""
        if self._process.stdin is None:
            return False
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def hang_up(self, patience: float) -> None:
        """Close the command's standard input, and give it so many seconds for its end."""
        self._close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def interrupt(self) -> None:
        """Interrupt the whole group, from another thread; whoever reads its lines sees the end."""
        self._signal(signal.SIGINT)

    def wait(self) -> int:
        """Exit status of the command."""
        return self._process.wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._signal(signal.SIGINT)
            self._let_end()
        self._end()

    def _end(self) -> None:
        self._signal(signal.SIGKILL)
        if self._reaper.ident:
            self._reaper.join()
        self._keeper.wait()
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        if hasattr(self, "_process"):
            self._process.wait()
            self._close_input()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._keeper.pid, number)

    def _living(self) -> list[int]:
        """Members of the group besides the keeper that are not yet dead."""
        found = []
        for process in psutil.process_iter(["status"]):
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess, PermissionError):
                mine = os.getpgid(process.pid) == self._keeper.pid != process.pid
                if mine and process.info["status"] != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
        return found
