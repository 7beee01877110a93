"""Carries spooled tracking events to MLflow: in order, in batches, each once.

What a stage says goes to its own run, and in short to the run of its pipeline. A spool folder
holds `events.jsonl` (written by `mm_model.tracking.tracker`), copies of pictures and `state.json`
(the runs and how far it was shipped). This module never writes events.
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
from mm_model.tracking import parents, places, store
from mm_model.tracking.sent import (
    METRICS_A_BATCH,
    refused,
    send_data,
    send_params,
    send_points,
    send_tags,
    unless_refused,
)
from mm_model.tracking.spool import STATE
from mm_model.tracking.told import EVALUATION, TRAINING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

EVENTS = "events.jsonl"
LOCK = "lock"
_KEY_TAG = "magic_mirror.execution"
_PARENT_TAG = "mlflow.parentRunId"
_KINDS = ("start", "data", "points", "picture", "report", "summary", "end")
_OF_THE_MACHINE = "system/"


@dataclass
class _State:
    """What has reached MLflow: the runs and the byte offset behind the last shipped event.

    samples: where pictures may go. began: when the stage did, and last: when it was heard of last,
    in milliseconds.
    """

    run_id: str | None = None
    parent_id: str | None = None
    stage: str = ""
    samples: str = "tree"
    began: int = 0
    last: int = 0
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
        path = folder / STATE
        state = _state(path)
        for group, behind in _groups(folder / EVENTS, state.offset):
            try:
                self._send(folder, state, group)
            except Exception as error:
                if not refused(error):
                    raise  # a run deleted by hand must not hold up what follows for ever
            state.ended = group[0]["kind"] == "end"
            state.last = max(state.last, group[-1]["time"])
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
                if not self.ship(folder):
                    self._kill(_state(folder / STATE))
                shutil.rmtree(folder, ignore_errors=True)

    def _kill(self, state: _State) -> None:
        """Mark a run that nobody lives to end: it did when it was heard of last."""
        if state.run_id is None:
            return
        client = self._connect()
        with unless_refused():
            client.set_terminated(state.run_id, "KILLED", state.last)
        self._settle(client, state)

    def _settle(self, client: "MlflowClient", state: _State) -> None:
        if state.parent_id is not None:
            with unless_refused():
                parents.settle(client, self._layout, self._experiment, state.parent_id)

    def _send(self, folder: Path, state: _State, group: list[Document]) -> None:
        client = self._connect()
        first = group[0]
        kind = first["kind"]
        if kind == "start":
            self._start(client, folder, state, first)
        elif state.run_id is None:
            return  # its first line was damaged: there is no run to send to
        elif kind == "data":
            self._data(client, state, first)
        elif kind == "points":
            self._points(client, state, group)
        elif kind == "picture":
            self._picture(client, folder, state, first)
        elif kind == "report":
            send_points(client, state.run_id, map(_point, group))
            text = folder / "report.json"
            text.write_text(first["text"])
            self._artifacts(client, state.run_id).log_artifact(str(text))
        elif kind == "summary":
            self._summary(client, state, first)
        elif kind == "end":
            client.set_terminated(state.run_id, first["status"], first["time"])
            self._end(client, state, first["time"])

    def _artifacts(self, client: "MlflowClient", run_id: str) -> "ArtifactRepository":
        run = client.get_run(run_id)
        return places.artifacts(self._layout, run.info.artifact_uri)

    def _start(self, client: "MlflowClient", folder: Path, state: _State, event: Document) -> None:
        state.stage, state.began = event["name"], event["time"]
        state.samples = event.get("samples", state.samples)
        below = self._parent(client, folder, state, event)
        if state.attempted:  # the answer to an earlier attempt may have been lost
            found = client.search_runs(
                [self._experiment], f"tags.`{_KEY_TAG}` = '{folder.name}'", max_results=1
            )
            state.run_id = found[0].info.run_id if found else None
        if state.run_id is None:
            state.attempted = True
            atomic.write_json(folder / STATE, vars(state))
            tags = {**event["tags"], **below, _KEY_TAG: folder.name}
            run = client.create_run(self._experiment, event["time"], tags, event["name"])
            state.run_id = run.info.run_id
        send_params(client, state.run_id, event["params"])
        self._settle(client, state)

    def _parent(
        self, client: "MlflowClient", folder: Path, state: _State, event: Document
    ) -> dict[str, str]:
        """The tag that puts a run below its pipeline's; nothing where a stage was run alone."""
        if not (wanted := event.get("pipeline")):
            return {}
        state.parent_id = parents.found_or_made(
            client, self._layout, self._experiment, wanted, parents.began(folder, event)
        )
        return {_PARENT_TAG: state.parent_id}

    def _picture(
        self, client: "MlflowClient", folder: Path, state: _State, event: Document
    ) -> None:
        """What may not leave the tree is not sent to a server."""
        goes = state.samples == "all" or (state.samples == "tree" and store.is_own(self._layout))
        if not goes:
            return
        picture = folder / "files" / event["file"]
        if picture.is_file():
            self._artifacts(client, str(state.run_id)).log_artifact(str(picture), "samples")

    def _data(self, client: "MlflowClient", state: _State, event: Document) -> None:
        send_data(client, str(state.run_id), event["data"])
        of_models = [one for one in event["data"] if one["context"] in (TRAINING, EVALUATION)]
        if state.parent_id is not None:
            with unless_refused():
                send_data(client, state.parent_id, of_models)

    def _points(self, client: "MlflowClient", state: _State, events: list[Document]) -> None:
        """To the stage's run, and below the stage's name to the pipeline's: there two runs are
        compared. Readings of the machine stay with the stage."""
        points = [_point(event) for event in events]
        send_points(client, str(state.run_id), points)
        if state.parent_id is not None:
            with unless_refused():
                send_points(client, state.parent_id, (_below(state.stage, one) for one in points))

    def _summary(self, client: "MlflowClient", state: _State, event: Document) -> None:
        send_tags(client, str(state.run_id), event["tags"])
        if state.parent_id is not None:
            curves = [(event["time"], int(step), values) for step, values in event["curves"]]
            with unless_refused():
                send_points(client, state.parent_id, [_point(event), *curves])

    def _end(self, client: "MlflowClient", state: _State, time: int) -> None:
        if state.parent_id is not None:
            taken = {f"seconds/{state.stage}": (time - state.began) / 1000}
            with unless_refused():
                send_points(client, state.parent_id, [(time, 0, taken)])
            self._settle(client, state)


_Point = tuple[int, int, dict[str, float]]


def _point(event: Document) -> _Point:
    return event["time"], event["step"], event["metrics"]


def _below(stage: str, point: _Point) -> _Point:
    time, step, numbers = point
    kept = {name: one for name, one in numbers.items() if not name.startswith(_OF_THE_MACHINE)}
    return time, step, {f"{stage}/{name}": one for name, one in kept.items()}


def _state(path: Path) -> _State:
    """What was shipped; a torn record counts as an attempt whose answer was lost."""
    if not path.is_file():
        return _State()
    try:
        return _State(**documents.read(path))
    except (UserError, TypeError):
        return _State(attempted=True)


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
            full = sum(len(known["metrics"]) for known in group) >= METRICS_A_BATCH
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
