"""One MLflow run for each execution of a stage, without the stage ever waiting or failing for it.

Every call appends one line to a spool on disk; a background thread, the only one that loads
mlflow, ships it within seconds. A server that is down costs nothing: the spool stays, and this or
a later execution ships it. Nothing here raises into a stage.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mm_model.store import experiment
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.tracking import pipeline, system
from mm_model.tracking.spool import NO_RUNS, JoinedSpool, MlflowRuns, Spool
from mm_model.tracking.told import RunContext, Summary, flat

_LONGEST_VALUE, _LONGEST_NOTE = 500, 5000
_NOTE = "mlflow.note.content"
_RESULT = ":(exclude)dvc.lock"
"""What a run writes is no change of what it was made from."""
_ILLEGAL = re.compile(r"[^\w\-. :/]")


class Tracker:
    """Tracking of one stage. Calls outside `running` do nothing.

    `told` is what else MLflow is told. With the `folder` of another process's tracker it adds to
    that one's run, which ships what it finds when it is poked.
    """

    def __init__(
        self,
        layout: Layout,
        stage: str,
        folder: Path | None = None,
        *,
        told: RunContext | None = None,
    ) -> None:
        self._layout = layout
        self._stage = stage
        self._told = told
        self._spool: Spool | JoinedSpool | None = None
        if folder is not None:
            self._spool = _quietly(lambda: JoinedSpool(folder))

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
        self._spool = _quietly(lambda: Spool(self._layout, self._stage))
        status, readings = "FINISHED", None
        try:
            self._add(lambda: self._start(tags, settings))
            self._add(self._data)
            readings = _quietly(self._readings)
            yield
        except Exception:
            status = "FAILED"
            raise
        except BaseException:
            status = "KILLED"
            raise
        finally:
            if readings is not None:
                _quietly(readings.close)
            self._add(lambda: {"kind": "end", "status": status})
            if (spool := self._spool) is not None:
                _quietly(spool.close)
            self._spool = None

    def log(self, metrics: Mapping[str, float | int | None], step: int) -> None:
        """Numbers at one step; None (unavailable) is left out."""
        self._add(lambda: {"kind": "points", "step": int(step), "metrics": _numbers(metrics)})

    def picture(self, path: Path, name: str, step: int) -> None:
        """A copy of the file `path`, a picture or a clip, becomes the artifact
        `samples/<name>-<step>.<suffix>`, where the profile lets such pictures go."""

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

    def summary(self, said: Summary) -> None:
        """What the pipeline's run shows of this stage, and the note on the stage's own."""
        self._add(
            lambda: {
                "kind": "summary",
                "step": 0,
                "metrics": _numbers(said.metrics),
                "curves": [[step, _numbers(values)] for step, values in said.curves],
                "tags": {
                    "output_digest": said.digest,
                    _NOTE: said.note[:_LONGEST_NOTE],
                },
            }
        )

    def runs(self, seconds: float) -> MlflowRuns:
        """MLflow's runs of this execution; none where the store does not know them in time."""
        return self._spool.runs(seconds) if self._spool is not None else NO_RUNS

    def _data(self) -> Document:
        data = self._told.data if self._told is not None else ()
        return {"kind": "data", "data": [one.as_document() for one in data]}

    def _readings(self) -> "system.SystemReadings | None":
        if self._told is None or self._told.system_seconds is None:
            return None
        return system.SystemReadings(self._told.system_seconds, self.log)

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
        shown = {
            "mlflow.source.name": f"python -m mm_model run {self._stage}",
            "mlflow.source.type": "LOCAL",
        }
        return {
            "kind": "start",
            "name": self._stage,
            "tags": {name: value for name, value in {**tags, **own, **shown}.items() if value},
            "params": _params(settings),
            "samples": self._told.samples if self._told is not None else "tree",
            "pipeline": self._pipeline(own),
        }

    def _pipeline(self, own: Mapping[str, str | None]) -> Document | None:
        """The pipeline's run as it is to be made, by whichever stage reaches the store first."""
        if (found := pipeline.of_process()) is None:
            return None
        kept = ("profile", "git_revision", "dagster.run_id", "dvc.experiment", "dvc.baseline")
        tags = {name: own[name] for name in kept if own.get(name)}
        whole = _params(self._told.whole) if self._told is not None else {}
        return {"key": found.key, "by": found.by, "tags": tags, "params": whole}

    def _add(self, event: Any) -> None:
        if (spool := self._spool) is not None:
            _quietly(lambda: spool.append(event()))


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


def _params(settings: Mapping[str, Any]) -> dict[str, str]:
    return {_ILLEGAL.sub("_", name): text[:_LONGEST_VALUE] for name, text in flat(settings)}


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
