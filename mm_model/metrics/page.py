"""The page of all metrics, written from the table: `python -m mm_model.metrics.page FILE`."""

import sys
from collections.abc import Iterable
from pathlib import Path

from mm_model.metrics import goals, subject, table
from mm_model.metrics.goals import Goal
from mm_model.metrics.port import Column, Evident, Metric

_HEAD = """# Metrics

What is measured of every clip, real or generated. This page is written by
`python -m mm_model.metrics.page docs/metrics.md`; change the metrics instead
([ports.md](ports.md#a-metric)). How they are meant, and the controls beside them:
[evaluation.md](evaluation.md).

Each is a column of `cells.parquet`, a row a clip. A value that cannot be had is null, never 0.
Where it has a mean, `metrics.json` holds that over people, with its interval and under that name,
for every variant. A bare number (a cosine, a share, a length over another) has no unit. Better says
which way is good, where one is. Bounds are what the audit asks.
"""
_ROWS = ("| Column | is | unit | better | mean | bounds | needs |", "|---" * 7 + "|")
_SUBJECT = """## Of a clip of a subject

Magic-Me's metrics, of any clip against photographs and a sentence, with a face in it or without:
`python -m mm_model measure CLIP --photos DIR --prompt TEXT --clip DIR --dino DIR`. They are no
columns of `cells.parquet`. The first four need CLIP or DINO from a folder; without it they are null
and the output says why. Proxies need none. Smoothness is highest where nothing moves: read it
beside the motion.

| Value | is | unit | better | bounds | how |
|---|---|---|---|---|---|"""
_GOALS = """## Goals

Figures of the study, under `goals` in `metrics.json`, and the range each should lie in. A release
must pass those that decide.

| Goal | is | range | decides |
|---|---|---|---|"""
_NEEDS = """## Needs

| Need | is |
|---|---|"""
_MEANT = {
    Evident.FRAMES: "the frames, as a viewer gets them from the file, and how many a second",
    Evident.FACES: "box and five landmarks of each frame's largest face, by the pipeline's pack",
    Evident.EMBEDDINGS: "the judge's embedding of that face",
    Evident.REFERENCE: "the person's pictures, those shown to the model and those withheld",
    Evident.EVERYBODY: "the judge's mean embedding of every tested person's pictures",
    Evident.PROMPT: "the prompt",
}


def text() -> str:
    """The whole page."""
    parts = [_HEAD, *_ROWS, *_rows(one for one in table.METRICS if not one.proxy)]
    if stand_ins := [one for one in table.METRICS if one.proxy]:
        parts += ["", _PROXIES, *_ROWS, *_rows(stand_ins)]
    shown = (*subject.COLUMNS, *subject.PROXIES)
    of_subject = [
        f"| `{one.name}` | {one.meaning} | {one.unit} | {one.better or ''} | {_bounds(one)} | "
        f"{one.convention or ''} |"
        for one in shown
    ]
    needs = [f"| {need} | {_MEANT[need]} |" for need in Evident]
    made = [
        f"| `{goal.name}` | {goal.title} | {_range(goal)} | {_yes(goal.decides)} |"
        for goal in goals.GOALS
    ]
    return "\n".join([*parts, "", _SUBJECT, *of_subject, "", _GOALS, *made, "", _NEEDS, *needs, ""])


_PROXIES = """## Proxies

They stand in for a metric that cannot be had. They are never in one column or one table with it.
"""


def _rows(metrics: Iterable[Metric]) -> list[str]:
    return [_row(one, column) for one in metrics for column in one.columns]


def _row(metric: Metric, column: Column) -> str:
    needs = ", ".join(need for need in Evident if need in metric.needs)
    mean = f"`{column.mean}`" if column.mean else ""
    return (
        f"| `{column.name}` | {column.meaning} | {column.unit} | {column.better or ''} | {mean} | "
        f"{_bounds(column)} | {needs} |"
    )


def _bounds(column: Column) -> str:
    said = _range(column)
    return ", ".join([said] * bool(said) + ["never null"] * column.always)


def _yes(decides: bool) -> str:
    return "yes" if decides else ""


def _range(bounded: Column | Goal) -> str:
    if bounded.least is not None and bounded.most is not None:
        return f"{bounded.least:g} to {bounded.most:g}"
    if bounded.least is not None:
        return f"at least {bounded.least:g}"
    return "" if bounded.most is None else f"at most {bounded.most:g}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
