"""Checks untrusted media in child processes that may hang, crash or be killed; the parent lives.

One long-lived child serves many files and is replaced when a file brings it down. The verdict on
such a file is reached after a second try in a fresh child. Nothing is decoded in this process.
"""

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import mm_model
from mm_model import lifeline
from mm_model.media.failure import MediaError
from mm_model.media.patience import Patience
from mm_model.records import Reason

_START_SECONDS = 120
_TRIES = 2
_REPLY_BYTES = 1 << 16


@dataclass(frozen=True)
class Allowance:
    """What one file may cost: seconds of processor time, memory, pixels, frames; and its shape."""

    seconds: float
    memory_mb: int
    max_pixels: int
    max_frames: int
    max_aspect: float | None = None


class _Gone(Exception):
    """The child ended or went silent; `hung` tells which."""

    def __init__(self, hung: bool) -> None:
        super().__init__("hung" if hung else "ended")
        self.hung = hung


class Sandbox:
    """One child process. Use as a context manager; not for several threads at once."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._child: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def check(self, path: Path, thumbnail: bool = False) -> dict[str, Any]:
        """Facts of the file, as `media.examine.examine` lists them.

        Raises:
            MediaError: its reason; VID_DECODE_TIMEOUT when it hangs the child and
                SYS_WORKER_CRASH when it brings the child down, each on both of two tries.
        """
        _refuse_odd_files(path)
        gone = _Gone(False)
        for _ in range(_TRIES):
            try:
                return _facts(self._ask(path, thumbnail))
            except _Gone as ended:
                gone = ended
                self.close()
        if gone.hung:
            seconds = self._allowance.seconds
            raise MediaError(
                Reason.VID_DECODE_TIMEOUT, "decoding did not end in time", seconds, seconds
            )
        raise MediaError(Reason.SYS_WORKER_CRASH, "the decoder crashed on this file, twice")

    def _ask(self, path: Path, thumbnail: bool) -> dict[str, Any]:
        if self._child is None:
            self._start()
        request = {
            "path": os.fsencode(path.absolute()).hex(),
            "max_pixels": self._allowance.max_pixels,
            "max_frames": self._allowance.max_frames,
            "max_aspect": self._allowance.max_aspect,
            "seconds": self._allowance.seconds,
            "thumbnail": thumbnail,
        }
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise _Gone(False) from None
        return self._reply(self._allowance.seconds)

    def _start(self) -> None:
        package_parent = str(Path(mm_model.__file__).resolve().parent.parent)
        paths = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
        quiet = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1",
                 "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
        self._pending = b""
        line = lifeline.line().fileno()
        limits = [str(self._allowance.memory_mb), str(line)]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "mm_model.media.worker", *limits],
            pass_fds=[line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | quiet,
        )
        self._reply(_START_SECONDS)

    def _reply(self, seconds: float) -> dict[str, Any]:
        """The child's next line; `_Gone` when it has worked, or stood still, for `seconds`."""
        patience = Patience(self._child.pid, seconds)
        output = self._child.stdout.fileno()
        while b"\n" not in self._pending:
            if not select.select([output], [], [], patience.step)[0]:
                if patience.over():
                    raise _Gone(True)
                continue
            part = os.read(output, _REPLY_BYTES)
            if not part:
                raise _Gone(False)
            self._pending += part
        line, self._pending = self._pending.split(b"\n", 1)
        try:
            return json.loads(line)
        except ValueError:
            raise _Gone(False) from None

    def close(self) -> None:
        """End the child, whatever it is doing."""
        if self._child is None:
            return
        child, self._child = self._child, None
        child.kill()
        with contextlib.suppress(OSError):
            child.stdin.close()
        child.stdout.close()
        child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()


def _refuse_odd_files(path: Path) -> None:
    """Only regular files are opened: a pipe would block, a device may do anything."""
    if not os.path.lexists(path):
        raise MediaError(Reason.SYS_IO, "the file is gone")
    if not path.is_file():
        raise MediaError(Reason.IO_UNREADABLE, "not a regular file")


def _facts(reply: dict[str, Any]) -> dict[str, Any]:
    if "facts" in reply:
        return reply["facts"]
    raise MediaError(
        Reason(reply["reason"]), reply["message"], reply["value"], reply["threshold"],
        reply["measured"],
    )  # fmt: skip


class Sandboxes:
    """Several children that check files side by side. Use as a context manager."""

    def __init__(self, allowance: Allowance, number: int) -> None:
        self._all = [Sandbox(allowance) for _ in range(number)]
        self._free: queue.Queue[Sandbox] = queue.Queue()
        for sandbox in self._all:
            self._free.put(sandbox)
        self._threads = ThreadPoolExecutor(number)

    def check_all(self, requests: list[tuple[Path, bool]]) -> Iterator[dict[str, Any] | MediaError]:
        """For each (path, thumbnail), in order: its facts, or the failure, returned."""
        return self._threads.map(self._one, requests)

    def _one(self, request: tuple[Path, bool]) -> dict[str, Any] | MediaError:
        sandbox = self._free.get()
        try:
            return sandbox.check(*request)
        except MediaError as failure:
            return failure
        finally:
            self._free.put(sandbox)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._threads.shutdown(cancel_futures=True)
        for sandbox in self._all:
            sandbox.close()
