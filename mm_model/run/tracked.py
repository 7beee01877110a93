"""What MLflow is told of a stage beside its own numbers: its data, its headline, a few clips.

Read off manifests, `dvc.lock` and the candidate; nothing is measured here and nothing changed.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mm_model.run.stage import Job, Report
from mm_model.settings import Params, Profile
from mm_model.store import documents, locked, tables
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.store.manifest import Manifest
from mm_model.tracking.told import (
    EVALUATION,
    MODEL,
    PROCESSING,
    TRAINING,
    RunContext,
    Summary,
    TrackedData,
)

_CONTEXTS = {"pretrain": TRAINING, "finetune": TRAINING, "evaluate": EVALUATION}
_MODELS = frozenset({"pretrain", "finetune"})
_TOLD_WHOLE = _MODELS | {"register"}
"""Stages whose few numbers are worth comparing; those of the others stand at their own runs."""
_RAW = "sources"
_CELLS, _METRICS = "cells.parquet", "metrics.json"


def told(
    stage: str,
    params: Params,
    profile: Profile,
    layout: Layout,
    taken: Mapping[str, Manifest],
    models: Mapping[str, str],
) -> RunContext:
    """What is known of the run of `stage` before it begins.

    taken: manifests of the outputs it reads, by stage. models: digests of its other inputs.
    """
    values = profile.model_dump(mode="json", by_alias=True)
    rules = profile.tracking
    return RunContext(
        data=tuple(_data(stage, params, layout, taken, models)),
        whole={**values, "params": params.model_dump(mode="json")},
        samples=rules.samples,
        system_seconds=rules.system_seconds,
    )


def _data(
    stage: str,
    params: Params,
    layout: Layout,
    taken: Mapping[str, Manifest],
    models: Mapping[str, str],
) -> Iterator[TrackedData]:
    recorded = locked.stages(layout.root)
    context = _CONTEXTS.get(stage, PROCESSING)
    if _RAW in models:
        path = params.sources
        yield TrackedData("raw", path, digest=models[_RAW], context=context)
    for name, made in taken.items():
        path = layout.relative(layout.output(name))
        yield TrackedData(
            f"{layout.profile}/{name}",
            path,
            digest=made.digest,
            context=MODEL if name in _MODELS else context,
            dvc=locked.recorded_output(recorded, path),
            samples=made.report.get("kept"),
        )


def summary(stage: str, report: Report, out: Path, digest: str) -> Summary:
    """What the pipeline's run shows of the finished candidate in `out`, whose digest is given."""
    said: Document = {
        f"{stage}/samples_kept": report.counts.kept,
        f"{stage}/samples_rejected": sum(report.counts.rejected.values()),
    }
    curves: tuple[tuple[int, Document], ...] = ()
    if stage == "evaluate":
        metrics = documents.read_or_empty(out / _METRICS)
        said |= _evaluated(metrics)
        curves = tuple(
            (
                int(point["step"]),
                {f"over_steps/{name}": _value(point.get(name)) for name in _OVER_STEPS},
            )
            for point in metrics.get("curve", ())
        )
    elif stage in _TOLD_WHOLE:
        said |= {f"{stage}/{name}": value for name, value in report.metrics.items()}
    lines = [report.counts.line(), *(f"- {note}" for note in report.notes)]
    return Summary(metrics=said, curves=curves, digest=digest, note="\n".join(lines))


_OVER_STEPS = ("identity", "face_found_rate", "rank1")


_BESIDE = ("identity", "face_found_rate")
"""What is shown of the base and of true clips, to read the candidate's by."""


def _evaluated(metrics: Mapping[str, Any]) -> Document:
    """The candidate's means, some of the base's, the gain and how many goals were passed."""
    variants = metrics.get("variants", {})
    named = {"candidate": metrics.get("candidate"), "base": "base", "true_clip": "true_clip"}
    said: Document = {
        f"{shown}/{name}": _value(entry)
        for shown, variant in named.items()
        for name, entry in variants.get(variant, {}).items()
        if shown == "candidate" or name in _BESIDE
    }
    gain = metrics.get("gain", {}).get("candidate_over_base", {})
    said |= {f"gain/{end}": gain.get(end) for end in ("value", "low", "high")}
    goals = [one for one in metrics.get("goals", ()) if one.get("passed") is not None]
    return said | {
        "evaluate/people": metrics.get("people"),
        "goals/measured": len(goals),
        "goals/passed": sum(bool(one["passed"]) for one in goals),
    }


def _value(entry: Any) -> Any:
    return entry.get("value") if isinstance(entry, Mapping) else entry


def show_samples(job: Job, report: Report) -> None:
    """Some of the clips that an evaluation made of its candidate, a person each, and its sheets.

    They carry numbers, not the people's names.
    """
    if job.stage.name != "evaluate":
        return
    for place in report.pictures:
        job.tracker.picture(job.out / place, Path(place).stem, 0)
    chosen = documents.read_or_empty(job.out / _METRICS).get("candidate")
    wanted = {"variant": str(chosen)}
    cells = tables.rows(job.out / _CELLS, ("identity", "video", "variant"), wanted)
    first = {str(cell["identity"]): cell["video"] for cell in reversed(list(cells))}
    clips = (video for _, video in sorted(first.items()) if video)
    for number, video in enumerate(itertools.islice(clips, job.profile.tracking.sample_clips), 1):
        job.tracker.picture(job.out / video, f"{chosen}-person", number)
