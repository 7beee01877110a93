"""What each judge says: a row a clip and judge, people named right, identity beside its ceiling.

Arithmetic on cells; the judges looked elsewhere. Judges' cosines are never averaged together.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mm_model.evaluate import ladder
from mm_model.evaluate.cells import Cell
from mm_model.judges.shelf import Bench
from mm_model.metrics import table as metrics
from mm_model.metrics.intervals import mean_interval, wilson_interval
from mm_model.records import JUDGED_COLUMNS, JUDGED_MEASURES
from mm_model.store import tables
from mm_model.store.atomic import Document

METRICS = ("similarity", "rank")
"""The metrics that every judge answers; the others are of the clip alone."""

OWN_FACE = "own_face_found_rate"
"""Share of frames in which an outsider's own detector finds a face; null for who has none."""

SHORT = {
    "true_clip": "true",
    "vae_round_trip": "vae",
    "base": "base",
    "pretrain": "pretrain",
    "finetune": "finetune",
    ladder.TRAINING_PEOPLE: "training",
}
"""Variants in which people are named, and their short names in `named`."""

_CEILING = "vae_round_trip"


def columns() -> tuple[str, ...]:
    """The columns of cells that each judge fills anew."""
    return tuple(c.name for one in metrics.METRICS if one.name in METRICS for c in one.columns)


def write(path: Path, cells: Sequence[Cell]) -> None:
    """`judged.parquet`."""
    rows = [
        {"cell_id": cell.cell_id, "judge": judge, **values}
        for cell in cells
        for judge, values in cell.judged.items()
    ]
    tables.write(path, rows, JUDGED_COLUMNS, dict.fromkeys(JUDGED_MEASURES, "number"))


def hits_of(cells: Sequence[Cell], judge: str) -> dict[str, tuple[float, int]]:
    """By variant: people that `judge` names right (a person's clips share one hit), and people."""
    frame = pd.DataFrame(
        [
            {"v": c.variant, "person": c.identity, "named": c.judged[judge]["rank1"]}
            for c in cells
            if judge in c.judged
        ],
        columns=["v", "person", "named"],
    )
    shares = frame.groupby(["v", "person"], sort=False)["named"].mean().groupby("v", sort=False)
    return {str(variant): (float(named.sum()), len(named)) for variant, named in shares}


def named(hits: Mapping[str, tuple[float, int]]) -> Document:
    """People named right by short name of a variant, with Wilson's 95% interval of their share
    (None below four people)."""
    found = {}
    for variant, short in SHORT.items():
        right, people = hits.get(variant) or (0.0, 0)
        if people:
            low, high = wilson_interval(right, people) or (None, None)
            found[short] = {"hits": right, "people": people, "low": low, "high": high}
    return found


def _per_person(frame: pd.DataFrame, column: str, people: Sequence[str]) -> list[float | None]:
    values = frame.groupby("person")[column].mean().reindex(list(people))
    return [None if pd.isna(value) else float(value) for value in values]


def by_variant(cells: Sequence[Cell], judge: str) -> Document:
    """Identity by one judge for every variant, and the percentage it is of the VAE's true clips.

    `face_found` is by the judge's own detector, where it has one.
    """
    frame = pd.DataFrame(
        [{"v": c.variant, "person": c.identity, **c.judged[judge]} for c in cells]
    ).astype(dict.fromkeys((*columns(), OWN_FACE), "float64"))
    people, limits = sorted(frame["person"].unique()), metrics.limits()["identity"]
    found: dict[str, Document] = {}
    for variant, group in frame.groupby("v", sort=False):
        values = _per_person(group, "identity_similarity_penalised", people)
        found[str(variant)] = {"identity": mean_interval(values, within=limits)}
        if group[OWN_FACE].notna().any():
            seen = _per_person(group, OWN_FACE, people)
            found[str(variant)]["face_found"] = mean_interval(seen, within=(0, 1))
    best = found.get(_CEILING, {}).get("identity", {}).get("value")
    for measured in found.values():
        value = measured["identity"]["value"]
        share = 100 * value / best if value is not None and best and best > 0 else None
        measured["ceiling"] = share if share is not None and np.isfinite(share) else None
    return found


def summary(
    cells: Sequence[Cell],
    known: Sequence[Cell],
    bench: Bench,
    candidate: str,
) -> Document:
    """The part of `metrics.json` that says what each judge said.

    The ladder is climbed by the `candidate`, a training stage. `known` are its clips of people
    that it was trained on: they count as named, no more.
    """
    judges, headline = bench.judges, bench.headline
    hits = {one.name: hits_of([*cells, *known], one.name) for one in judges}
    ladders = {name: _rungs(found, name, candidate) for name, found in hits.items()}
    return {
        "judges": {one.name: one.told() for one in judges},
        "headline": headline.name,
        "named": {name: named(found) for name, found in hits.items()},
        "ladder": ladders[headline.name],
        "ladders": ladders,
        "by_judge": {one.name: by_variant(cells, one.name) for one in judges},
    }


def _rungs(hits: Mapping[str, tuple[float, int]], judge: str, candidate: str) -> list[Document]:
    return [{**rung, "judge": judge} for rung in ladder.climb(hits, candidate)]
