"""The SQL catalogue: sources, samples, decisions and runs, for queries.

A derived, disposable view: `rebuild` drops and refills it from the published outputs, so a
change of schema means one command. SQLite below `work/` by default, any SQLAlchemy URL
otherwise. Nothing in the pipeline reads it.
"""

import os
from collections.abc import Iterator
from typing import Any

import pandas as pd
import sqlalchemy as sa

from mm_model.errors import UserError
from mm_model.store import manifest
from mm_model.store.layout import Layout

metadata = sa.MetaData()

sources = sa.Table(
    "sources", metadata,
    sa.Column("source_id", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("sha256", sa.String(64), index=True),
    sa.Column("subject", sa.Text),
    sa.Column("split", sa.String(16)),
    sa.Column("synthetic", sa.Boolean, nullable=False),
    sa.Column("consent", sa.Text),
)  # fmt: skip

samples = sa.Table(
    "samples", metadata,
    sa.Column("sample_id", sa.String(64), primary_key=True),
    sa.Column("source_id", sa.String(64), sa.ForeignKey("sources.source_id"), index=True),
    sa.Column("media", sa.String(16)),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("num_frames", sa.Integer),
    sa.Column("caption", sa.Text),
    sa.Column("identity", sa.String(64), index=True),
    sa.Column("split", sa.String(16)),
)  # fmt: skip

decisions = sa.Table(
    "decisions", metadata,
    sa.Column("stage", sa.String(16), primary_key=True),
    sa.Column("item", sa.String(96), primary_key=True),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.String(32), index=True),
    sa.Column("reason_value", sa.Float),
    sa.Column("reason_threshold", sa.Float),
    sa.Column("message", sa.Text),
)  # fmt: skip

runs = sa.Table(
    "runs", metadata,
    sa.Column("stage", sa.String(16), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("kept", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
)  # fmt: skip

_TABLES_OF = {
    "sources": ("inventory.parquet", "source_id"),
    "ingest": ("samples.parquet", "source_id"),
    "faces": ("samples.parquet", "sample_id"),
    "pairs": ("pairs.parquet", "pair_id"),
}


def _rows(frame: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    plain = frame.reindex(columns=columns).astype(object)
    return plain.where(plain.notna(), None).to_dict("records")


def _published(layout: Layout) -> Iterator[tuple[str, manifest.Manifest]]:
    for folder in sorted(layout.data.glob("*")) if layout.data.is_dir() else ():
        if (folder / manifest.NAME).is_file():
            yield folder.name, manifest.read(folder)


def _fill_samples(connection: sa.Connection, layout: Layout) -> None:
    path = layout.output("ingest") / "samples.parquet"
    if not path.is_file():
        return
    kept = pd.read_parquet(path).query("status == 'kept'").drop_duplicates("sample_id")
    faces = layout.output("faces") / "samples.parquet"
    kept = kept.drop(columns="split")
    if faces.is_file():
        known = pd.read_parquet(faces)[["sample_id", "identity", "split"]]
        kept = kept.merge(known, on="sample_id", how="left")
    if rows := _rows(kept, [column.name for column in samples.columns]):
        connection.execute(samples.insert(), rows)


def _fill_decisions(connection: sa.Connection, layout: Layout, stage: str) -> None:
    table, key = _TABLES_OF[stage]
    frame = pd.read_parquet(layout.output(stage) / table).rename(columns={key: "item"})
    frame["stage"] = stage
    if rows := _rows(frame, [column.name for column in decisions.columns]):
        connection.execute(decisions.insert(), rows)


def rebuild(layout: Layout, url: str | None = None) -> str:
    """Drop and refill the catalogue from the published outputs; return a summary line.

    The address is `url`, else the environment's `MM_CATALOGUE_URL`, else SQLite below `work/`.
    One transaction: a reader sees the old catalogue or the new one.

    Raises:
        UserError: the address is none, or the database there cannot be written.
    """
    address = url or os.environ.get("MM_CATALOGUE_URL") or f"sqlite:///{layout.catalogue}"
    try:
        where = sa.make_url(address).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        raise UserError(
            f"The catalogue's address {address!r} is no database URL: write for instance "
            "sqlite:///<file>."
        ) from None
    try:
        layout.catalogue.parent.mkdir(parents=True, exist_ok=True)
        counts = _refilled(layout, address)
    except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
        said = getattr(error, "orig", None) or error
        raise UserError(
            f"The catalogue at {where} cannot be rebuilt ({said}): mend that, or name another "
            "database with --url or MM_CATALOGUE_URL."
        ) from None
    return f"{where}: " + ", ".join(f"{number} {name}" for name, number in counts.items())


def _refilled(layout: Layout, address: str) -> dict[str, int]:
    """Drop and refill; how many rows each table holds."""
    engine = sa.create_engine(address)
    found = dict(_published(layout))
    with engine.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        if "sources" in found:
            frame = pd.read_parquet(layout.output("sources") / "inventory.parquet")
            if rows := _rows(frame, [column.name for column in sources.columns]):
                connection.execute(sources.insert(), rows)
        _fill_samples(connection, layout)
        for stage in _TABLES_OF:
            if stage in found:
                _fill_decisions(connection, layout, stage)
        if found:
            connection.execute(runs.insert(), [_run_row(m) for m in found.values()])
        counts = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return counts


def _run_row(known: manifest.Manifest) -> dict[str, Any]:
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
