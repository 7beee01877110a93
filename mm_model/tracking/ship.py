"""Carries spooled tracking events to MLflow: in order, in batches, each once.

A spool folder holds `events.jsonl` (written by `mm_model.tracking.tracker`), copies of pictures and
`state.json` (the run and how far it was shipped). This module never writes events.
"""

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.store import atomic, documents
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.tracking import places, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

EVENTS = "events.jsonl"
LOCK = "lock"
_STATE = "state.json"
_KEY_TAG = "magic_mirror.execution"
_METRICS_A_BATCH = 1000
_PARAMS_A_BATCH = 100
_KINDS = ("start", "points", "picture", "report", "end")
_REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST"}


@dataclass
class _State:
    """What has reached MLflow: the run and the byte offset behind the last shipped event."""

    run_id: str | None = None
    offset: int = 0
    attempted: bool = False
    ended: bool = False


class Shipper:
    """One connection to the store; `ship` may be called again after any failure."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._client: MlflowClient | None = None
        self._experiment: str  # known with the client

    def _connect(self) -> "MlflowClient":
        if self._client is None:
            client = store.open_client(self._layout)
            self._experiment = store.experiment_id(client, self._layout)
            self._client = client
        elif not store.reachable(self._layout.tracking_uri):
            raise ConnectionError("the tracking server does not answer")
        return self._client

    def ship(self, folder: Path) -> bool:
        """Send what `folder` holds and MLflow lacks; True when the run's end has been sent.

        Raises:
            Exception: whatever the store raised; what was sent before is recorded and not sent
                again.
        """
        path = folder / _STATE
        state = _state(path)
        for group, behind in _groups(folder / EVENTS, state.offset):
            try:
                self._send(folder, state, group)
            except Exception as error:
                if not _refused(error):
                    raise  # a run deleted by hand must not hold up what follows for ever
            state.ended = group[0]["kind"] == "end"
            state.offset = behind
            atomic.write_json(path, vars(state))
        return state.ended

    def adopt(self, spool: Path) -> None:
        """Send what ended processes left behind, oldest first; runs without an end are KILLED."""
        for folder in sorted(path for path in spool.glob("*") if (path / EVENTS).is_file()):
            with contextlib.suppress(FileNotFoundError), (folder / LOCK).open("r+") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue  # its process lives and ships for itself
                if not self.ship(folder) and (run_id := _state(folder / _STATE).run_id):
                    self._kill(run_id)
                shutil.rmtree(folder, ignore_errors=True)

    def _kill(self, run_id: str) -> None:
        try:
            self._connect().set_terminated(run_id, "KILLED")
        except Exception as error:
            if not _refused(error):
                raise

    def _send(self, folder: Path, state: _State, group: list[Document]) -> None:
        client = self._connect()
        kind = group[0]["kind"]
        if kind == "start":
            self._start(client, folder, state, group[0])
        elif state.run_id is None:
            return  # its first line was damaged: there is no run to send to
        elif kind == "points":
            self._points(client, state.run_id, group)
        elif kind == "picture":
            picture = folder / "files" / group[0]["file"]
            if picture.is_file():
                self._artifacts(client, state.run_id).log_artifact(str(picture), "samples")
        elif kind == "report":
            self._points(client, state.run_id, group)
            text = folder / "report.json"
            text.write_text(group[0]["text"])
            self._artifacts(client, state.run_id).log_artifact(str(text))
        elif kind == "end":
            client.set_terminated(state.run_id, group[0]["status"], group[0]["time"])

    def _artifacts(self, client: "MlflowClient", run_id: str) -> "ArtifactRepository":
        run = client.get_run(run_id)
        return places.artifacts(self._layout, run.info.artifact_uri)

    def _start(self, client: "MlflowClient", folder: Path, state: _State, event: Document) -> None:
        from mlflow.entities import Param

        if state.attempted:  # the answer to an earlier attempt may have been lost
            found = client.search_runs(
                [self._experiment], f"tags.`{_KEY_TAG}` = '{folder.name}'", max_results=1
            )
            state.run_id = found[0].info.run_id if found else None
        if state.run_id is None:
            state.attempted = True
            atomic.write_json(folder / _STATE, vars(state))
            tags = {**event["tags"], _KEY_TAG: folder.name}
            run = client.create_run(self._experiment, event["time"], tags, event["name"])
            state.run_id = run.info.run_id
        params = [Param(name, value) for name, value in event["params"].items()]
        for first in range(0, len(params), _PARAMS_A_BATCH):
            client.log_batch(state.run_id, params=params[first : first + _PARAMS_A_BATCH])

    def _points(self, client: "MlflowClient", run_id: str, events: list[Document]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, float(value), event["time"], event["step"])
            for event in events
            for name, value in event["metrics"].items()
        ]
        for first in range(0, len(metrics), _METRICS_A_BATCH):
            client.log_batch(run_id, metrics=metrics[first : first + _METRICS_A_BATCH])


def _state(path: Path) -> _State:
    """What was shipped; a torn record counts as an attempt whose answer was lost."""
    if not path.is_file():
        return _State()
    try:
        return _State(**documents.read(path))
    except (UserError, TypeError):
        return _State(attempted=True)


def _refused(error: Exception) -> bool:
    """Whether the store answered and will answer the same again."""
    return getattr(error, "error_code", None) in _REFUSALS


def _event(line: bytes) -> Document | None:
    try:
        event = json.loads(line)
        return event if event["kind"] in _KINDS and event["time"] >= 0 else None
    except (ValueError, TypeError, KeyError):
        return None


def _groups(path: Path, offset: int) -> Iterator[tuple[list[Document], int]]:
    """Whole events behind `offset`, neighbouring points together, each with the offset after it.

    A damaged line is left out: it must not hold up what follows for ever.
    """
    group: list[Document] = []
    with path.open("rb") as handle:
        handle.seek(offset)
        for line in handle:
            if not line.endswith(b"\n"):
                break  # being written
            event = _event(line)
            if event is None:
                offset += len(line)
                continue
            full = sum(len(known["metrics"]) for known in group) >= _METRICS_A_BATCH
            if group and (event["kind"] != "points" or full):
                yield group, offset
                group = []
            offset += len(line)
            if event["kind"] == "points":
                group.append(event)
            else:
                yield [event], offset
    if group:
        yield group, offset
