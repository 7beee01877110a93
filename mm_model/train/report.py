"""What a training says of itself: who it learned from, how the loss fell, what stayed unlearned."""

import pandas as pd

from mm_model.records import TARGETS_COLUMNS, Counts
from mm_model.run.stage import Job, Report
from mm_model.settings import TrainSettings
from mm_model.store import figures, tables
from mm_model.train.shards import ShardSet


def write_targets(job: Job, data: ShardSet) -> None:
    """Who is in the batches: every target that is drawn from."""
    with tables.writing(
        job.out / "targets.parquet", TARGETS_COLUMNS, {"references": "count"}
    ) as writer:
        for batch in tables.batches(data.index, TARGETS_COLUMNS):
            writer.add(batch.to_pylist())


def report_of(
    job: Job,
    settings: TrainSettings,
    data: ShardSet,
    *,
    curve: pd.DataFrame,
    unreached: list[str],
) -> Report:
    """The report; `unreached` names trained tensors that no gradient ever reached."""
    people, tail = data.people, max(1, len(curve) // 10)
    notes = []
    if unreached:
        notes.append(
            f"{len(unreached)} trained tensors never received a gradient and stayed as "
            f"they began: {', '.join(unreached)}."
        )
    if people < 20:
        notes.append(
            f"only {people} people to learn from: the adapter will copy them rather than learn to "
            "follow a reference."
        )
    pictures = sorted(f"samples/{p.name}" for p in (job.out / "samples").glob("step_*.jpg"))
    last = [p for p in pictures if not p.endswith(".strip.jpg")][-1:]
    metrics = {
        "targets": len(data),
        "people": people,
        "steps": settings.steps,
        "loss_first": float(curve["loss_velocity"].head(tail).mean()),
        "loss_last": float(curve["loss_velocity"].tail(tail).mean()),
    }
    _write_figures(job, curve, {name: metrics[name] for name in ("loss_first", "loss_last")})
    return Report(Counts(len(data), len(data)), metrics, tuple(last), tuple(notes))


def _write_figures(job: Job, curve: pd.DataFrame, losses: dict[str, float]) -> None:
    """The curve as DVC draws it: the losses, and the identity loss's cosine where it was taken."""
    figures.write(job.out, losses)
    columns = ["step", *(name for name in curve.columns if name.startswith(("loss", "identity")))]
    rows: list[figures.Point] = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in curve[columns].to_dict("records")
    ]
    figures.plot(job.out, "curve", figures.thinned(rows, by="step"))
