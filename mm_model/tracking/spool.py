"""The folder of one execution's events, and the thread that ships it.

An event is one line of JSON with the time in milliseconds. Nothing here knows what an event says.
"""

import fcntl
import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import IO, NamedTuple

from mm_model.errors import first_line
from mm_model.store import documents
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout

_BATCH_SECONDS = 1.0
_RETRY_SECONDS = 2.0
_SERVER_GRACE = 10.0
_LOCAL_GRACE = 60.0
_FAULTY_GRACE = 30.0
_LOOK_SECONDS = 0.1
_MAX_SPOOL_BYTES = 256 << 20
STATE = "state.json"
"""What has reached MLflow of a folder (`mm_model.tracking.ship`)."""


class MlflowRuns(NamedTuple):
    """Ids of MLflow's runs: of this execution, and of the pipeline's it belongs to."""

    own: str | None
    pipeline: str | None


NO_RUNS = MlflowRuns(None, None)


class Spool:
    """The folder of one execution, its lock, and the thread that ships it."""

    def __init__(self, layout: Layout, stage: str) -> None:
        self._layout = layout
        self._stage = stage
        self._parent = layout.root / "work" / layout.profile / "spool"
        self.folder = self._parent / f"{time.time_ns():020d}-{stage}-{os.getpid()}"
        self.files = self.folder / "files"
        self.files.mkdir(parents=True)
        self._lock: IO[str] = (self.folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._events = (self.folder / "events.jsonl").open("ab", buffering=0)
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._all_shipped = False
        self._fault = "the tracking store was slow"
        self._faulty = False
        self._dropped = 0
        self._thread = threading.Thread(target=self._ship, name="tracking", daemon=True)
        self._thread.start()

    def append(self, event: Document) -> None:
        """Write one event to disk; when the spool is full, points are counted instead of kept."""
        line = json.dumps({"time": int(time.time() * 1000), **event}).encode() + b"\n"
        with self._guard:
            if event["kind"] == "points" and self._events.tell() > _MAX_SPOOL_BYTES:
                self._dropped += 1
                return
            self._events.write(line)
        self._wake.set()

    def poke(self) -> None:
        """There may be events that somebody else wrote."""
        self._wake.set()

    def runs(self, seconds: float) -> MlflowRuns:
        """The ids, once the store knows the run; none where it does not within `seconds`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._thread.is_alive():
            state = documents.read_or_empty(self.folder / STATE)
            if state.get("offset"):
                return MlflowRuns(state.get("run_id"), state.get("parent_id"))
            self._wake.set()
            time.sleep(_LOOK_SECONDS)
        return NO_RUNS

    def close(self) -> None:
        """Wait for the thread within the grace, then leave the rest to a later execution."""
        from mm_model.tracking.store import local_file

        self._closing.set()
        self._wake.set()
        local = local_file(self._layout.tracking_uri) is not None
        patience = _FAULTY_GRACE if self._faulty else _LOCAL_GRACE
        self._thread.join(patience if local else _SERVER_GRACE)
        self._events.close()
        if not self._all_shipped:
            print(
                f"[{self._stage}] note: this run's points are kept in "
                f"{self._layout.relative(self.folder)} and shipped by the next run "
                f"({self._fault}).",
                flush=True,
            )
        if self._dropped:
            print(f"[{self._stage}] note: {self._dropped} points did not fit the spool.")

    def _ship(self) -> None:
        """The thread. It holds the lock to its end, so that no one else ships beside it."""
        try:
            self._ship_until_closed()
        finally:
            if self._all_shipped:
                shutil.rmtree(self.folder, ignore_errors=True)
            self._lock.close()

    def _ship_until_closed(self) -> None:
        """Ship, sleep, try again; the last try is made after `close` was called."""
        shipper = None
        while True:
            closing = self._closing.is_set()
            pause = _BATCH_SECONDS
            self._wake.clear()
            try:
                if shipper is None:
                    from mm_model.tracking.ship import Shipper

                    shipper = Shipper(self._layout)
                self._all_shipped = shipper.ship(self.folder)
                shipper.adopt(self._parent)
                self._faulty = False
            except Exception as error:
                self._fault = f"{type(error).__name__}: {first_line(error)}"
                self._faulty = True
                pause = _RETRY_SECONDS
            if closing:
                return
            self._closing.wait(pause)
            if pause == _BATCH_SECONDS:
                self._wake.wait()


class JoinedSpool:
    """The folder of an execution that another process tracks: a line a write, in one piece."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, folder / "files"
        self._events = (folder / "events.jsonl").open("ab", buffering=0)

    def append(self, event: Document) -> None:
        """Write one event to disk."""
        line = json.dumps({"time": int(time.time() * 1000), **event}).encode() + b"\n"
        self._events.write(line)

    def poke(self) -> None:
        """Whoever made the folder ships it."""

    def runs(self, seconds: float) -> MlflowRuns:
        """The other process knows them."""
        return NO_RUNS

    def close(self) -> None:
        """The other process ends its run itself."""
