"""Copies of databases that somebody may be writing to: SQLite's files, and PostgreSQL's.

Words of PostgreSQL's programs never hold a password: it goes through their environment.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from mm_model.errors import UserError

_MAGIC = b"SQLite format 3\0"
_PATIENCE = 60.0


def is_sqlite(path: Path) -> bool:
    """Whether the file is a database of SQLite's."""
    with path.open("rb") as handle:
        return handle.read(len(_MAGIC)) == _MAGIC


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, whoever writes to it (SQLite's online backup).

    Raises:
        UserError: it is damaged, or held for a minute.
    """
    try:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=_PATIENCE)) as taken,
            contextlib.closing(sqlite3.connect(target)) as made,
        ):
            taken.backup(made)
            # one file that needs no other beside it
            made.execute("PRAGMA journal_mode=DELETE")
            flaw = made.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise UserError(
            f"{source} could not be saved ({error}): mend it, then try again."
        ) from None
    if flaw != "ok":
        raise UserError(f"{source} is damaged ({flaw}): mend it, then try again.")


def _environment(url: str) -> dict[str, str]:
    """The variables by which PostgreSQL's programs find the database of an address."""
    from sqlalchemy import make_url

    said = make_url(url)
    query = {name: one for name, one in said.query.items() if isinstance(one, str)}
    found = {
        "PGHOST": said.host or query.get("host", ""),
        "PGPORT": str(said.port or query.get("port", "")),
        "PGUSER": said.username or "",
        "PGPASSWORD": said.password or "",
        "PGDATABASE": said.database or "",
        "PGSSLMODE": query.get("sslmode", ""),
        "PGSSLROOTCERT": query.get("sslrootcert", ""),
    }
    return {**os.environ, "LC_ALL": "C"} | {name: one for name, one in found.items() if one}


def _asked(program: str, url: str, *words: str) -> str:
    """What a program of PostgreSQL's prints.

    Raises:
        UserError: it is not installed, or it failed: its last line.
    """
    if (found := shutil.which(program)) is None:
        raise UserError(f"{program} is not installed here: apt-get install postgresql-client.")
    done = subprocess.run(
        [found, "--no-password", *words],
        env=_environment(url),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[0]
        raise UserError(f"{program} failed: {said}")
    return done.stdout


def dump(url: str, target: Path) -> None:
    """Write the database at `url` as it is at one moment to a file.

    Raises:
        UserError: `pg_dump` is not installed, or fails.
    """
    _asked("pg_dump", url, "--format=custom", "--no-owner", f"--file={target}")


def is_empty(url: str) -> bool:
    """Whether the database at `url` holds no table.

    Raises:
        UserError: `psql` is not installed, or fails.
    """
    tables = "select count(*) from information_schema.tables where table_schema = 'public'"
    return _asked("psql", url, "--no-psqlrc", "-At", "-c", tables).strip() == "0"


def load(url: str, source: Path) -> None:
    """Bring what `dump` wrote into the empty database at `url`: all of it, or nothing.

    Raises:
        UserError: `pg_restore` is not installed, or fails.
    """
    from sqlalchemy import make_url

    into = f"--dbname={make_url(url).database}"
    _asked("pg_restore", url, "--single-transaction", "--no-owner", into, str(source))
