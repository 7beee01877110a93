"""The tables of the SQL catalogue, and how their rows are read from the published outputs.

Rows pass a few thousand at a time. Texts have no longest length and no table asks for a row of
another one: outputs of different moments stand side by side here, and a name is as long as it is.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mm_model.records import INGEST_MEASURES, Row, Status
from mm_model.store import manifest, tables
from mm_model.store.layout import Layout
from mm_model.store.lookup import Lookup

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 2
"""Rises when a table below changes; the tables of another number are dropped, not refilled."""

_AT_ONCE = 8_192

metadata = sa.MetaData()
mark_metadata = sa.MetaData()
mark = sa.Table("magic_mirror_catalogue", mark_metadata, sa.Column("schema", sa.Integer))
"""Says that the tables beside it are ours."""

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("sha256", sa.Text, index=True),
    sa.Column("subject", sa.Text),
    sa.Column("split", sa.Text),
    sa.Column("synthetic", sa.Boolean, nullable=False),
    sa.Column("consent", sa.Text),
    sa.Column("consent_digest", sa.Text),
    sa.Column("source", sa.Text, index=True),
    sa.Column("licence", sa.Text),
    sa.Column("origin", sa.Text),
)

samples = sa.Table(
    "samples",
    metadata,
    sa.Column("sample_id", sa.Text, primary_key=True),
    sa.Column("source_id", sa.Text, index=True),
    sa.Column("media", sa.Text),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("num_frames", sa.Integer),
    sa.Column("caption", sa.Text),
    sa.Column("caption_origin", sa.Text),
    sa.Column("caption_problem", sa.Text, index=True),
    sa.Column("identity", sa.Text, index=True),
    sa.Column("split", sa.Text),
)
"""Kept samples: join `sources` on source_id."""

measures = sa.Table(
    "measures",
    metadata,
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("media", sa.Text),
    sa.Column("codec", sa.Text),
    sa.Column("num_frames", sa.Integer),
    sa.Column("fps", sa.Double),
    *(sa.Column(name, sa.Double) for name in INGEST_MEASURES),
)
"""What stage `ingest` measured in every file, kept or not: join `decisions` on item."""

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("item", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False, index=True),
    sa.Column("reason", sa.Text, index=True),
    sa.Column("reason_value", sa.Double),
    sa.Column("reason_threshold", sa.Double),
    sa.Column("message", sa.Text),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("kept", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
)

_TABLES_OF = {
    "sources": ("inventory.parquet", "source_id"),
    "ingest": ("samples.parquet", "source_id"),
    "faces": ("samples.parquet", "sample_id"),
    "pairs": ("pairs.parquet", "pair_id"),
}
"""Of each stage that decides: its table, and what names an item there."""

Filled = tuple[sa.Table, list[Row]]


def filling(layout: Layout, found: dict[str, manifest.Manifest]) -> Iterator[Filled]:
    """All rows of all tables in portions, from the published outputs `found`.

    A sample that stands twice comes twice; the first is meant.
    """
    if "sources" in found:
        yield from _portions(sources, _path(layout, "sources"))
    if (ingest := _path(layout, "ingest")).is_file():
        yield from _samples(ingest, _path(layout, "faces"))
        yield from _portions(measures, ingest)
    for stage in _TABLES_OF:
        if stage in found:
            key = _TABLES_OF[stage][1]
            yield from _portions(decisions, _path(layout, stage), {"item": key}, stage=stage)
    if found:
        yield runs, [_run_row(one) for one in found.values()]


def _path(layout: Layout, stage: str) -> Path:
    return layout.output(stage) / _TABLES_OF[stage][0]


def _portions(
    table: sa.Table, path: Path, named: dict[str, str] | None = None, **fixed: str
) -> Iterator[Filled]:
    """The columns of `table` from a file: those that `named` says have another name there."""
    told = {column.name: (named or {}).get(column.name, column.name) for column in table.columns}
    for batch in tables.batches(path, list(told.values()), size=_AT_ONCE):
        yield table, _rows({name: _column(batch, there) for name, there in told.items()}, fixed)


def _samples(ingest: Path, faces: Path) -> Iterator[Filled]:
    """Kept samples; who each shows and on which side he is was found by stage `faces`."""
    names = [column.name for column in samples.columns]
    found = ("identity", "split")
    people = Lookup(faces, "sample_id", found) if faces.is_file() else None
    kept = {"status": str(Status.KEPT)}
    for batch in tables.batches(ingest, names, kept, _AT_ONCE):
        columns = {name: _column(batch, name) for name in names if name not in found}
        joined = people.joined(batch["sample_id"]) if people else None
        columns |= {name: joined[name].combine_chunks() if joined else None for name in found}
        yield samples, _rows(columns, {})


def _column(batch: "pa.RecordBatch", name: str) -> "pa.Array | None":
    return batch[name] if name in batch.schema.names else None


def _rows(columns: dict[str, "pa.Array | None"], fixed: dict[str, str]) -> list[Row]:
    length = next(len(values) for values in columns.values() if values is not None)
    plain: dict[str, list[Any]] = {
        name: [fixed.get(name)] * length if values is None else _plain(values)
        for name, values in columns.items()
    }
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _plain(values: "pa.Array") -> list[Any]:
    """As both databases take them: no NaN, and no text with a NUL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    elif pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = pc.replace_substring(values, "\x00", "\ufffd")
    return values.to_pylist()


def _run_row(known: manifest.Manifest) -> Row:
    report = known.report
    return {
        "stage": known.stage,
        "fingerprint": known.fingerprint,
        "version": known.version,
        "total": report["total"],
        "kept": report["kept"],
        "rejected": sum(report["rejected"].values()),
        "failed": sum(report["failed"].values()),
    }
