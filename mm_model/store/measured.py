"""What was measured of a file, kept from run to run, so that no file is opened twice for it.

A cache beside the outputs, never part of them: whoever removes it loses time and nothing else. An
entry's key names all that its value follows from (content, settings, weights, code); whoever asks
makes that key. One SQLite file a stage. Where it fails (damage, a full disk) the run goes on
without it, and the next one begins another.
"""

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mm_model.rows import Row

RUNS_UNUSED = 8
"""An entry that so many runs of its stage did not ask for is dropped."""

_AT_ONCE = 500
_SCHEMA = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS measured (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID
"""


class MeasurementCache:
    """JSON-able values by key; see `opened`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._run = 0
        self._connection: sqlite3.Connection | None = None
        with self._tried():
            self._connection = sqlite3.connect(path)
            self._begin(self._connection)

    def known(self, keys: Iterable[str]) -> dict[str, Row]:
        """Those of `keys` that are there, each with its value; a damaged value is not."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Row] = {}
        with self._tried():
            for part in _parts(wanted):
                found |= self._known(part)
        return found

    def absent(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` that are not there."""
        left = set(keys)
        with self._tried():
            for part in _parts(list(left)):
                if self._connection is not None:
                    chosen = f"SELECT key FROM measured {_where(part)}"
                    left -= {key for (key,) in self._connection.execute(chosen, part)}
        return left

    def keep(self, values: Mapping[str, Row]) -> None:
        """Keep `values` (JSON-able, numbers finite), all of them or none.

        Raises:
            ValueError: a value that JSON cannot hold.
        """
        rows = [
            (key, zlib.compress(json.dumps(value, allow_nan=False).encode(), 1), self._run)
            for key, value in values.items()
        ]
        with self._tried():
            if self._connection is not None:
                with self._connection:
                    self._connection.executemany(
                        "INSERT OR REPLACE INTO measured VALUES (?, ?, ?)", rows
                    )

    def close(self, whole_run: bool) -> None:
        """Let go of the file; after a whole run, drop first what the last runs did not ask for."""
        with self._tried():
            if self._connection is not None and whole_run:
                with self._connection:
                    oldest = self._run - RUNS_UNUSED
                    self._connection.execute("DELETE FROM measured WHERE used <= ?", (oldest,))
        if self._connection is not None:
            self._connection.close()

    def _begin(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        if schema not in (0, _SCHEMA):
            raise sqlite3.DatabaseError(f"it has schema {schema}, this version reads {_SCHEMA}")
        with connection:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {_SCHEMA}")
        (last,) = connection.execute("SELECT coalesce(max(used), 0) FROM measured").fetchone()
        self._run = last + 1

    def _known(self, part: list[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        if self._connection is None:
            return found
        where = f"WHERE key IN ({','.join('?' * len(part))})"
        for key, value in self._connection.execute(
            f"SELECT key, value FROM measured {where}", part
        ):
            with contextlib.suppress(ValueError, zlib.error):
                found[key] = json.loads(zlib.decompress(value))
        with self._connection:
            self._connection.execute(f"UPDATE measured SET used = ? {where}", (self._run, *part))
        return found

    @contextlib.contextmanager
    def _tried(self) -> Iterator[None]:
        """Go on without the file from the first error on."""
        try:
            yield
        except sqlite3.Error as error:
            print(f"{self._path} is of no use ({error}): all is measured again", flush=True)
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if isinstance(error, sqlite3.OperationalError):
                return  # held by another, or a full disk: no fault of the file
            for path in (self._path, *self._path.parent.glob(f"{self._path.name}-*")):
                with contextlib.suppress(OSError):
                    path.unlink()


def _parts(keys: list[str]) -> Iterator[list[str]]:
    """As many at once as a statement takes."""
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def _where(part: list[str]) -> str:
    return f"WHERE key IN ({','.join('?' * len(part))})"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[MeasurementCache]:
    """The cache at `path`, made when absent. One process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cache = MeasurementCache(path)
    try:
        yield cache
    except BaseException:
        cache.close(whole_run=False)
        raise
    cache.close(whole_run=True)
