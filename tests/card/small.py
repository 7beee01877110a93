"""Small tables of the data stages, published as a run would publish them, for tests of the card."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mm_model import records
from mm_model.decisions import faces, ingest, pairs
from mm_model.decisions.port import types
from mm_model.records import Counts
from mm_model.store import manifest, tables
from mm_model.store.layout import Layout
from tests.profiles import whole

_COUNTS = dict.fromkeys(("width", "height", "num_frames", "bytes", "seed"), "count")
_COLUMNS = {
    "sources": ("inventory.parquet", records.SOURCES_COLUMNS, {}),
    "ingest": ("samples.parquet", records.INGEST_COLUMNS, types(ingest.MEASURES)),
    "faces": (
        "samples.parquet",
        records.FACES_COLUMNS,
        types((*faces.MEASURES, *faces.SECOND_LOOK)) | {"embedding_row": "count"},
    ),
    "pairs": ("pairs.parquet", records.PAIRS_COLUMNS, types(pairs.MEASURES)),
}


def layout_at(root: Path, place: Path) -> Layout:
    """A tree with the shipped profile and weights, in which nothing has run."""
    (place / "profiles").mkdir(parents=True)
    params = yaml.safe_load((root / "params.yaml").read_text())
    for name in ("facepack", "judge", "backbone"):
        params[name] = str(root / params[name])
    (place / "params.yaml").write_text(yaml.safe_dump(params))
    (place / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(whole(root), sort_keys=False))
    return Layout(place, "tiny")


def publish(
    layout: Layout, stage: str, rows: Sequence[dict[str, Any]], more: Sequence[str] = ()
) -> None:
    """A stage's output of `rows`, with columns `more` besides, and its manifest."""
    folder = layout.output(stage)
    folder.mkdir(parents=True, exist_ok=True)
    name, columns, measured = _COLUMNS[stage]
    flags = {"synthetic": "flag", "fps": "number", "frames_examined": "count"}
    kinds = {**_COUNTS, **flags, "frames_found": "count", **measured, **tables.DECISION_TYPES}
    given = [{"status": "kept", **row} for row in rows]
    tables.write(folder / name, given, tuple(dict.fromkeys((*columns, *more))), kinds)
    counts = Counts.of_rows([r["status"] for r in given], [r.get("reason") for r in given])
    report = {
        "total": counts.total,
        "kept": counts.kept,
        "rejected": dict(counts.rejected),
        "failed": dict(counts.failed),
        "line": counts.line(),
    }
    manifest.seal(folder, manifest.Manifest(stage, 1, "print", {}, "settings", report))


def face(number: int, sharpness: float | None, **more: Any) -> dict[str, Any]:
    """A row of stage `faces`."""
    return {
        "sample_id": f"s{number:05d}",
        "name": f"p{number}.jpg",
        "media": "image",
        "identity": f"id-{number // 4}",
        "split": "train" if number % 3 else "held_out",
        "sharpness": sharpness,
        **more,
    }


def refused(reason: str, value: float | None, threshold: float | None) -> dict[str, Any]:
    """The decision columns of a rejected row."""
    return {
        "status": "rejected",
        "reason": reason,
        "reason_value": value,
        "reason_threshold": threshold,
    }
