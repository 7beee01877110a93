"""The SQL catalogue: sources, samples, decisions and runs, for queries.

A derived, disposable view: `rebuild` makes it anew from the published outputs, so a change of
schema means one command. SQLite below `work/` by default, any SQLAlchemy URL otherwise. Nothing in
the pipeline reads it, and no table of another application is ever dropped.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from mm_model.errors import UserError, first_line, of_machine
from mm_model.records import INGEST_MEASURES, Row
from mm_model.store import atomic, manifest, tables
from mm_model.store.layout import Layout

_SIDE_FILES = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database."""

metadata = sa.MetaData()
_mark = sa.MetaData()
sa.Table("magic_mirror_catalogue", _mark, sa.Column("schema", sa.Integer))  # says: ours

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("source_id", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("sha256", sa.String(64), index=True),
    sa.Column("subject", sa.Text),
    sa.Column("split", sa.String(16)),
    sa.Column("synthetic", sa.Boolean, nullable=False),
    sa.Column("consent", sa.String(128)),
    sa.Column("consent_digest", sa.String(64)),
    sa.Column("source", sa.String(32), index=True),
    sa.Column("licence", sa.Text),
    sa.Column("origin", sa.Text),
)

samples = sa.Table(
    "samples",
    metadata,
    sa.Column("sample_id", sa.String(64), primary_key=True),
    sa.Column("source_id", sa.String(64), sa.ForeignKey("sources.source_id"), index=True),
    sa.Column("media", sa.String(16)),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("num_frames", sa.Integer),
    sa.Column("caption", sa.Text),
    sa.Column("caption_origin", sa.String(16)),
    sa.Column("caption_problem", sa.String(32), index=True),
    sa.Column("identity", sa.String(64), index=True),
    sa.Column("split", sa.String(16)),
)

measures = sa.Table(
    "measures",
    metadata,
    sa.Column("source_id", sa.String(64), sa.ForeignKey("sources.source_id"), primary_key=True),
    sa.Column("media", sa.String(16)),
    sa.Column("codec", sa.String(32)),
    sa.Column("num_frames", sa.Integer),
    sa.Column("fps", sa.Float),
    *(sa.Column(name, sa.Float) for name in INGEST_MEASURES),
)
"""What stage `ingest` measured in every file, kept or not: join `decisions` on item."""

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("stage", sa.String(16), primary_key=True),
    sa.Column("item", sa.String(96), primary_key=True),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.String(32), index=True),
    sa.Column("reason_value", sa.Float),
    sa.Column("reason_threshold", sa.Float),
    sa.Column("message", sa.Text),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("stage", sa.String(16), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
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


def _rows(frame: pd.DataFrame, columns: list[str]) -> list[Row]:
    plain = frame.reindex(columns=columns).astype(object)
    rows = plain.where(plain.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _published(layout: Layout) -> Iterator[tuple[str, manifest.Manifest]]:
    for folder in sorted(layout.data.glob("*")) if layout.data.is_dir() else ():
        if (folder / manifest.NAME).is_file():
            yield folder.name, manifest.read(folder)


def _fill_samples(connection: sa.Connection, layout: Layout) -> None:
    path = layout.output("ingest") / "samples.parquet"
    if not path.is_file():
        return
    kept = tables.read(path).query("status == 'kept'").drop_duplicates("sample_id")
    faces = layout.output("faces") / "samples.parquet"
    kept = kept.drop(columns="split")
    if faces.is_file():
        known = tables.read(faces)[["sample_id", "identity", "split"]]
        kept = kept.merge(known, on="sample_id", how="left")
    if rows := _rows(kept, [column.name for column in samples.columns]):
        connection.execute(samples.insert(), rows)


def _fill_measures(connection: sa.Connection, layout: Layout) -> None:
    path = layout.output("ingest") / "samples.parquet"
    if not path.is_file():
        return
    if rows := _rows(tables.read(path), [column.name for column in measures.columns]):
        connection.execute(measures.insert(), rows)


def _fill_decisions(connection: sa.Connection, layout: Layout, stage: str) -> None:
    table, key = _TABLES_OF[stage]
    frame = tables.read(layout.output(stage) / table).rename(columns={key: "item"})
    frame["stage"] = stage
    if rows := _rows(frame, [column.name for column in decisions.columns]):
        connection.execute(decisions.insert(), rows)


def rebuild(layout: Layout, url: str | None = None) -> str:
    """Make the catalogue anew from the published outputs; return a summary line.

    The address is `url`, else the environment's `MM_CATALOGUE_URL`, else SQLite below `work/`. A
    reader sees the old catalogue or the new one. The file at the default place is written aside and
    renamed, so that neither a lock nor damage of the old one is in the way; what is not ours there
    is moved aside. A database that somebody names is never replaced, only its tables of ours are.

    Raises:
        UserError: the database cannot be used, or has tables of another application.
    """
    given = url or os.environ.get("MM_CATALOGUE_URL")
    with _sentences(given):
        address = sa.make_url(given or f"sqlite:///{layout.catalogue}")
        if given is None:
            counts = _replaced(layout)
        else:
            counts = _filled(address, layout)
    where = address.render_as_string(hide_password=True)
    return f"{where}: " + ", ".join(f"{number} {name}" for name, number in counts.items())


def _replaced(layout: Layout) -> dict[str, int]:
    """Write the file at the default place anew; how many rows each table has."""
    file = layout.catalogue
    if not _is_ours(file):
        _set_aside(file)
    with atomic.written_aside(file) as aside:
        aside.touch()  # SQLite would not say why it cannot
        counts = _filled(sa.URL.create("sqlite", database=str(aside)), layout)
        for left in _SIDE_FILES:
            file.with_name(file.name + left).unlink(missing_ok=True)
    return counts


@contextlib.contextmanager
def _sentences(given: str | None) -> Iterator[None]:
    """Faults of the database as one sentence each."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, ImportError) as error:
        cause = getattr(error, "orig", None) or error
        if of_machine(cause):
            raise
        mend = "free it or name another with --url" if given else "remove it"
        raise UserError(
            f"The catalogue's database cannot be used ({first_line(cause)}): {mend}, then run "
            "'python -m mm_model catalogue'."
        ) from error


def _is_ours(file: Path) -> bool:
    """Whether a SQLite file holds our tables only, or nothing; looked at past any lock."""
    if not file.exists():
        return True
    log = file.with_name(f"{file.name}-wal")  # not read past a lock; a catalogue of ours has none
    if not file.is_file() or (log.is_file() and log.stat().st_size):
        return False
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"{file.absolute().as_uri()}?immutable=1", uri=True),
    )
    try:
        with engine.connect() as connection:
            found = set(sa.inspect(connection).get_table_names())
            known = {*metadata.tables, *_mark.tables}
            return found <= known and not _foreign(connection)
    except sa.exc.SQLAlchemyError:
        return False
    finally:
        engine.dispose()


def _foreign(connection: sa.Connection) -> list[str]:
    """Tables that have one of our names and other columns, in a database without our mark."""
    look = sa.inspect(connection)
    found = set(look.get_table_names())
    if found & set(_mark.tables):
        return []
    return [
        name
        for name, table in metadata.tables.items()
        if name in found
        and {column["name"] for column in look.get_columns(name)} != set(table.columns.keys())
    ]


def _set_aside(file: Path) -> None:
    place = file.with_name(f"{file.name}.set-aside")
    number = 1
    while place.exists():
        place, number = file.with_name(f"{file.name}.set-aside-{number}"), number + 1
    file.rename(place)
    for left in _SIDE_FILES:
        if (side := file.with_name(file.name + left)).exists():
            side.rename(place.with_name(place.name + left))
    print(f"{file} was no catalogue of ours, or damaged: it lies in {place.name} now.", flush=True)


def _filled(address: sa.URL, layout: Layout) -> dict[str, int]:
    """Drop and refill our tables in one transaction; how many rows each has."""
    engine = sa.create_engine(address)
    found = dict(_published(layout))
    try:
        with engine.begin() as connection:
            if foreign := _foreign(connection):
                raise UserError(
                    f"{address.render_as_string(hide_password=True)} holds the table {foreign[0]} "
                    "of another application: name another database with --url."
                )
            metadata.drop_all(connection)
            metadata.create_all(connection)
            _mark.create_all(connection)
            _fill(connection, layout, found)
            return {
                table.name: connection.execute(
                    sa.select(sa.func.count()).select_from(table)
                ).scalar_one()
                for table in metadata.sorted_tables
            }
    finally:
        engine.dispose()


def _fill(connection: sa.Connection, layout: Layout, found: dict[str, manifest.Manifest]) -> None:
    if "sources" in found:
        frame = tables.read(layout.output("sources") / "inventory.parquet")
        if rows := _rows(frame, [column.name for column in sources.columns]):
            connection.execute(sources.insert(), rows)
    _fill_samples(connection, layout)
    _fill_measures(connection, layout)
    for stage in _TABLES_OF:
        if stage in found:
            _fill_decisions(connection, layout, stage)
    if found:
        connection.execute(runs.insert(), [_run_row(m) for m in found.values()])


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
