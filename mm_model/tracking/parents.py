"""The one run of a whole pipeline in MLflow, with the runs of its stages below it.

It is made by whichever stage's events reach the store first, found by the others by its key, and
its state is read off its stages each time one of them begins or ends: nobody must live to its end.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import UnixFileLock

from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.tracking.sent import send_params, unless_refused

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KEY_TAG = "magic_mirror.pipeline"
_LOCK, _LOCK_SECONDS = "work/mlflow-pipelines.lock", 60.0
_PARENT, _NOTE = "mlflow.parentRunId", "mlflow.note.content"
_HEAD = "### What the stages say"
_LONGEST_NOTE = 5000
_MOST = 1000
_WORST = ("FINISHED", "FAILED", "KILLED")


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """One process of this tree looks for a pipeline's run, makes or settles it at a time."""
    path = layout.root / _LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with UnixFileLock(path, timeout=_LOCK_SECONDS, fallback_to_soft=False):
        yield


def found_or_made(
    client: "MlflowClient", layout: Layout, experiment: str, wanted: Document, began: int
) -> str:
    """The id of the run that `wanted` (`key`, `by`, `tags`, `params`) describes.

    began: milliseconds since 1970, when its first stage did.
    """
    with _alone(layout):
        mark = f"tags.`{KEY_TAG}` = '{wanted['key']}'"
        order = ["attributes.start_time ASC"]
        found = client.search_runs([experiment], mark, max_results=1, order_by=order)
        if found:
            run = found[0]
        else:
            at = datetime.fromtimestamp(began / 1000, UTC).strftime("%Y-%m-%d %H:%M")
            tags = {
                **wanted["tags"],
                KEY_TAG: wanted["key"],
                "mlflow.source.name": wanted["by"],
                "mlflow.source.type": "PROJECT",
            }
            run = client.create_run(experiment, began, tags, f"pipeline {at}")
        if not run.data.params:
            with unless_refused():
                send_params(client, run.info.run_id, wanted["params"])
        return run.info.run_id


def began(folder: Path, event: Document) -> int:
    """When the pipeline did whose stage began with `event`: the earliest of the spooled starts."""
    times = [event["time"]]
    for path in folder.parent.glob("*/events.jsonl"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError), path.open() as handle:
            other = json.loads(handle.readline())
            if other["pipeline"]["key"] == event["pipeline"]["key"]:
                times.append(other["time"])
    return min(times)


def settle(client: "MlflowClient", layout: Layout, experiment: str, parent: str) -> None:
    """Give the run the state that follows from its stages: at work while one is, else as the worst
    of the last tries of each, ended with the last of them.
    """
    with _alone(layout):
        run = client.get_run(parent)
        below = f"tags.`{_PARENT}` = '{parent}'"
        order = ["attributes.start_time ASC"]
        children = client.search_runs([experiment], below, max_results=_MOST, order_by=order)
        last = {child.info.run_name: child for child in children}
        if any(child.info.status == "RUNNING" for child in children):
            if run.info.status != "RUNNING":
                client.update_run(parent, status="RUNNING")
        elif children:
            worst = max((child.info.status for child in last.values()), key=_rank)
            ends = [child.info.end_time for child in children if child.info.end_time is not None]
            client.set_terminated(parent, worst, max(ends, default=int(time.time() * 1000)))
        _describe(client, run, list(last.values()))


def _rank(status: str) -> int:
    return _WORST.index(status) if status in _WORST else 0


def _describe(client: "MlflowClient", run: "Run", stages: "list[Run]") -> None:
    """The stages' sentences as the run's description, unless somebody wrote another."""
    before = run.data.tags.get(_NOTE, "")
    if before and not before.startswith(_HEAD):
        return
    said = [
        f"**{stage.info.run_name}**: {note}"
        for stage in stages
        if (note := stage.data.tags.get(_NOTE))
    ]
    text = "\n\n".join([_HEAD, *said])[:_LONGEST_NOTE]
    if said and text != before:
        with unless_refused():
            client.set_tag(run.info.run_id, _NOTE, text)
