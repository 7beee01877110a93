"""The SQL catalogue: sources, samples, decisions and runs, for queries.

A derived, disposable view: `rebuild` makes it anew from the published outputs, so a change of
schema means one command. SQLite below `work/` by default, SQLite or PostgreSQL at an address.
Nothing in the pipeline reads it, and no table of another application is ever dropped.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from mm_model.errors import UserError, first_line, of_machine
from mm_model.report import database
from mm_model.report.catalogue_tables import Filled, filling, mark_metadata, metadata
from mm_model.store import atomic, manifest
from mm_model.store.layout import Layout

_SIDE_FILES = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database."""


def _published(layout: Layout) -> Iterator[tuple[str, manifest.Manifest]]:
    for folder in sorted(layout.data.glob("[!.]*")) if layout.data.is_dir() else ():
        if (folder / manifest.NAME).is_file():
            yield folder.name, manifest.read(folder)


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
        if given is None:
            where, counts = f"sqlite:///{layout.catalogue}", _replaced(layout)
        else:
            address = database.address(given)
            where, counts = database.shown(address), database.filled(address, _portions(layout))
    return f"{where}: " + ", ".join(f"{number} {name}" for name, number in counts.items())


def _portions(layout: Layout) -> partial[Iterator[Filled]]:
    return partial(filling, layout, dict(_published(layout)))


def _replaced(layout: Layout) -> Mapping[str, int]:
    """Write the file at the default place anew; how many rows each table has."""
    file = layout.catalogue
    if not _is_ours(file):
        _set_aside(file)
    with atomic.written_aside(file) as aside:
        aside.touch()  # SQLite would not say why it cannot
        url = sa.URL.create("sqlite", database=str(aside))
        counts = database.filled(url, _portions(layout), quick=True)
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
        said = database.hidden(first_line(cause), given)
        mend = "free it or name another with --url" if given else "remove it"
        raise UserError(
            f"The catalogue's database cannot be used ({said}): {mend}, then run "
            "'python -m mm_model catalogue'."
        ) from None


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
            known = {*metadata.tables, *mark_metadata.tables}
            return found <= known and not database.foreign(connection)
    except sa.exc.SQLAlchemyError:
        return False
    finally:
        engine.dispose()


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
