"""The database of the catalogue: SQLite or PostgreSQL by one address, filled in one transaction.

Who reads sees what stood there before until all is written, also where the writer is killed. No
password is ever shown, and no table of another application is dropped or changed.
"""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mm_model.errors import UserError
from mm_model.report.catalogue_tables import SCHEMA, Filled, mark, mark_metadata, metadata

_ONE_AT_A_TIME = 4_163_002_511
"""Number of the lock that importers on one PostgreSQL server hold (design choice)."""

_SECRET = re.compile("pass|secret|token", re.IGNORECASE)
_DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg"}


def address(url: str) -> sa.URL:
    """The address `url`, with our driver where it names none.

    Raises:
        UserError: it is no address, of neither database, or the driver is not installed.
    """
    try:
        found = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # their words may repeat a password
        raise UserError(
            "The address of the catalogue's database cannot be read: give --url or "
            "MM_CATALOGUE_URL such as sqlite:///catalogue.db or postgresql://host:5432/database."
        ) from None
    served = found.get_backend_name() != "sqlite"  # whose database is a path
    if "@" in (found.host or "") or (served and "@" in (found.database or "")):
        raise UserError(
            "The address of the catalogue's database holds more than one @: write an @ of the "
            "password as %40 (--url or MM_CATALOGUE_URL)."
        )
    kind = found.get_backend_name()
    if kind == "postgres":
        kind = "postgresql"
    if kind not in _DRIVERS:
        raise UserError(
            f"The catalogue's database is SQLite or PostgreSQL, not '{kind}': name one such as "
            "sqlite:///catalogue.db or postgresql://host/database."
        )
    found = found.set(drivername=f"{kind}+{_DRIVERS[kind]}")
    if kind == "postgresql":
        try:
            importlib.import_module("psycopg")
        except ImportError:
            raise UserError(
                "The catalogue on PostgreSQL needs the package psycopg (extra 'postgres'), which "
                "is not installed: 'make postgres' installs it."
            ) from None
    return found


def shown(found: sa.URL) -> str:
    """The address for people: without the password, wherever in it that stands."""
    hidden = {name: "***" if _SECRET.search(name) else text for name, text in found.query.items()}
    plain = found.set(query=hidden, drivername=found.get_backend_name())
    return plain.render_as_string(hide_password=True)


def hidden(text: str, url: str | None) -> str:
    """`text` without any password of the address `url`, also of one that is none."""
    secrets = re.findall(r"://[^:@/\s]*:([^\s?]+)@", url or "")
    secrets += re.findall(r"[?&][^=&]*(?:pass|secret|token)[^=&]*=([^&\s]+)", url or "", re.I)
    for secret in sorted({*secrets, *map(unquote, secrets)}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def opened(found: sa.URL, quick: bool = False) -> sa.Engine:
    """An engine whose transactions hold changes of tables as well; `quick`: of a file nobody has.

    SQLite's own module would begin a transaction at the first row only, and drop tables before it.
    """
    engine = sa.create_engine(found)
    if found.get_backend_name() == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def connected(connection: object, _: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]
            if quick:
                connection.execute("pragma journal_mode = off")  # type: ignore[attr-defined]
                connection.execute("pragma synchronous = off")  # type: ignore[attr-defined]

        @sa.event.listens_for(engine, "begin")
        def begun(connection: sa.Connection) -> None:
            connection.exec_driver_sql("begin immediate")

    return engine


def foreign(connection: sa.Connection) -> list[str]:
    """Tables that have one of our names and other columns, in a database without our mark."""
    look = sa.inspect(connection)
    found = set(look.get_table_names())
    if found & set(mark_metadata.tables):
        return []
    return [
        name
        for name, table in metadata.tables.items()
        if name in found
        and {column["name"] for column in look.get_columns(name)} != set(table.columns.keys())
    ]


def filled(
    found: sa.URL, portions: Callable[[], Iterator[Filled]], quick: bool = False
) -> Mapping[str, int]:
    """Put what `portions` gives in the place of all rows of ours; how many rows each table has.

    Raises:
        UserError: tables of our names are another application's.
    """
    engine = opened(found, quick)
    try:
        if found.get_backend_name() == "sqlite" and not quick:
            _log_ahead(engine)
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
            if others := foreign(connection):
                raise UserError(
                    f"{shown(found)} holds the table {others[0]} of another application: name "
                    "another database with --url."
                )
            _emptied(connection)
            for table, rows in portions():
                if rows:
                    connection.execute(_first_stays(connection, table), rows)
            return {table.name: _count(connection, table) for table in metadata.sorted_tables}
    finally:
        engine.dispose()


def _log_ahead(engine: sa.Engine) -> None:
    """SQLite's write-ahead log, so that readers go on; a file that others share stays as it is."""
    with engine.connect() as connection:
        names = set(sa.inspect(connection).get_table_names())
        if names <= {*metadata.tables, *mark_metadata.tables} and not foreign(connection):
            connection.rollback()
            raw = connection.connection.dbapi_connection
            if raw is not None:
                raw.cursor().execute("pragma journal_mode = wal")


def _emptied(connection: sa.Connection) -> None:
    """Our tables without a row. Rows are deleted, since dropping a table would make readers wait;
    tables of an earlier form are dropped."""
    look = sa.inspect(connection)
    names = set(look.get_table_names())
    known = mark.name in names and metadata.tables.keys() <= names
    if known and connection.execute(sa.select(mark.c.schema)).scalars().all() == [SCHEMA]:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
        return
    metadata.drop_all(connection)
    mark_metadata.drop_all(connection)
    metadata.create_all(connection)
    mark_metadata.create_all(connection)
    connection.execute(mark.insert().values(schema=SCHEMA))


def _first_stays(connection: sa.Connection, table: sa.Table) -> sa.Insert:
    """Rows go in; of samples that stand twice the first stays, elsewhere such a row is a fault."""
    if table.name != "samples":
        return table.insert()
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
