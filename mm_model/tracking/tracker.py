"""One MLflow run for each execution of a stage, without the stage ever waiting or failing for it.

Every call appends one line to a spool on disk; a background thread, the only one that loads
mlflow, ships it within seconds. A server that is down costs nothing: the spool stays, and this or
a later execution ships it. Nothing here raises into a stage.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from mm_model.errors import first_line
from mm_model.store import experiment
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout

_BATCH_SECONDS = 1.0
_RETRY_SECONDS = 2.0
_SERVER_GRACE = 10.0
_LOCAL_GRACE = 60.0
_FAULTY_GRACE = 30.0
_MAX_SPOOL_BYTES = 256 << 20
_RESULT = ":(exclude)dvc.lock"
"""What a run writes is no change of what it was made from."""
_ILLEGAL = re.compile(r"[^\w\-. :/]")


class Tracker:
    """Tracking of one stage. Calls outside `running` do nothing.

    With the `folder` of another process's tracker it adds to that one's run, which ships what it
    finds when it is poked.
    """

    def __init__(self, layout: Layout, stage: str, folder: Path | None = None) -> None:
        self._layout = layout
        self._stage = stage
        self._spool: _Spool | _JoinedSpool | None = None
        if folder is not None:
            self._spool = _quietly(lambda: _JoinedSpool(folder))

    @property
    def folder(self) -> Path | None:
        """Where the events of this run lie, for a tracker that joins it."""
        return self._spool.folder if self._spool is not None else None

    def poke(self) -> None:
        """Ship what a tracker that joined this one has added."""
        if self._spool is not None:
            self._spool.poke()

    @contextlib.contextmanager
    def running(self, tags: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[None]:
        """One run for the length of the block: FINISHED, FAILED (exception) or KILLED (signal).

        It carries `tags` beside its own, and `settings` as parameters named by their path.

        At the end it waits until all is shipped: at most ten seconds for a server, a minute for
        the local file, half of it when that just refused. What is left then stays in
        `work/<profile>/spool`.
        """
        self._spool = _quietly(lambda: _Spool(self._layout, self._stage))
        status = "FINISHED"
        try:
            self._add(lambda: self._start(tags, settings))
            yield
        except Exception:
            status = "FAILED"
            raise
        except BaseException:
            status = "KILLED"
            raise
        finally:
            self._add(lambda: {"kind": "end", "status": status})
            if (spool := self._spool) is not None:
                _quietly(spool.close)
            self._spool = None

    def log(self, metrics: Mapping[str, float | int | None], step: int) -> None:
        """Numbers at one step; None (unavailable) is left out."""
        self._add(lambda: {"kind": "points", "step": int(step), "metrics": _numbers(metrics)})

    def picture(self, path: Path, name: str, step: int) -> None:
        """A copy of the file `path` becomes the artifact `samples/<name>-<step>.<suffix>`."""

        def event() -> Document:
            clean = re.sub(r"[^\w\-.]", "_", name)
            file = f"{clean}-{int(step):07d}{Path(path).suffix}"
            if self._spool is not None:
                shutil.copyfile(path, self._spool.files / file)
            return {"kind": "picture", "file": file}

        self._add(event)

    def report(self, said: Mapping[str, Any]) -> None:
        """Counts and numbers of a report as `final/...`, and the whole as `report.json`."""

        def event() -> Document:
            counts = {f"samples_{name}": said[name] for name in ("total", "kept")}
            counts |= {
                f"samples_{name}": sum(said[name].values()) for name in ("rejected", "failed")
            }
            final = {f"final/{name}": value for name, value in (said["metrics"] | counts).items()}
            text = json.dumps(said, indent=1, sort_keys=True)
            return {"kind": "report", "step": 0, "metrics": _numbers(final), "text": text}

        self._add(event)

    def _start(self, tags: Mapping[str, str], settings: Mapping[str, Any]) -> Document:
        asked = experiment.current()
        own = {
            "profile": self._layout.profile,
            "git_revision": git_revision(self._layout.root),
            "dvc.stage": os.environ.get("DVC_STAGE"),
            "dagster.run_id": os.environ.get("DAGSTER_RUN_ID"),
            "dvc.experiment": asked.name if asked else None,
            "dvc.baseline": asked.baseline if asked else None,
        }
        return {
            "kind": "start",
            "name": self._stage,
            "tags": {name: value for name, value in {**tags, **own}.items() if value},
            "params": dict(_flat(settings)),
        }

    def _add(self, event: Any) -> None:
        if (spool := self._spool) is not None:
            _quietly(lambda: spool.append(event()))


class _Spool:
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


class _JoinedSpool:
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

    def close(self) -> None:
        """The other process ends its run itself."""


def _quietly(act: Any) -> Any:
    """The result of `act`, or None when tracking has a fault: a stage never fails for it."""
    try:
        return act()
    except Exception:
        return None


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Finite or not, but numbers: texts, None and names MLflow refuses are left out or mended."""
    return {
        _ILLEGAL.sub("_", name)[:200]: float(value)
        for name, value in metrics.items()
        if value is not None and not isinstance(value, str)
    }


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield _ILLEGAL.sub("_", name), str(value)[:500]


def git_revision(root: Path) -> str | None:
    """The commit checked out at `root`, with `+changed` when tracked files differ; None without.

    A tree that was merely unpacked inside another repository has none.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "params.yaml")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", _RESULT)
        return git("rev-parse", "HEAD") + ("+changed" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
