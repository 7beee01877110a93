"""Where MLflow's artifacts lie: named from the root, so that a tree holds all of itself.

MLflow writes the absolute address of every artifact into its store. A moved tree would then look
for its models at the old place, and a copied one would write into the original. In the tree's own
SQLite store each address is therefore `mlruns/...`; MLflow's commands count it from the working
directory, this package from the root. A server keeps whatever addresses it gives.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mm_model.store.layout import Layout

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

FOLDER = "mlruns"
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_IS_LOCAL = "({0} LIKE '/%' OR {0} LIKE 'file:%')"


def artifacts(layout: Layout, uri: str) -> "ArtifactRepository":
    """MLflow's access to the artifacts at `uri`, an address as the store gives it."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(from_root(layout, uri), tracking_uri=layout.tracking_uri)


def from_root(layout: Layout, uri: str) -> str:
    """`uri`, or the absolute path of an address that counts from the root."""
    if urlsplit(uri).scheme or uri.startswith("/"):
        return uri
    return str(layout.root / uri)


def local_path(layout: Layout, uri: str) -> Path | None:
    """The folder on this machine that `uri` names; None for a server's address."""
    return _local(from_root(layout, uri))


def _local(uri: str) -> Path | None:
    if uri.startswith("/"):
        return Path(uri)
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file:") else None


def settle(database: Path, root: Path) -> int:
    """Name the tree's artifacts in `database` from its root; return how many names changed.

    Needed for what MLflow itself wrote: its first tables, experiments made by its own commands,
    stores of earlier releases of this project. Addresses outside the tree stay. One transaction.
    """
    with contextlib.closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as opened:
        if not any(_absolute(opened)):
            return 0
        opened.execute("BEGIN IMMEDIATE")
        try:
            homes = _homes(opened, root)
            renamed = [
                (table, column, row, relative)
                for table, column, row, uri in _absolute(opened)
                if (relative := _relative(uri, homes, root)) is not None
            ]
            for table, column, row, relative in renamed:
                opened.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (relative, row))
            opened.execute("COMMIT")
        except BaseException:
            opened.execute("ROLLBACK")
            raise
    return len(renamed)


def _absolute(opened: sqlite3.Connection) -> Iterator[tuple[str, str, int, str]]:
    for table, column in _COLUMNS:
        known = [row[1] for row in opened.execute(f"PRAGMA table_info({table})")]
        if column in known:
            where = _IS_LOCAL.format(column)
            rows = opened.execute(f"SELECT rowid, {column} FROM {table} WHERE {where}").fetchall()
            yield from ((table, column, row, uri) for row, uri in rows)


def _homes(opened: sqlite3.Connection, root: Path) -> set[Path]:
    """The artifact folders this store ever had: today's, and those its experiments were made in.

    MLflow and this project name an experiment's folder by its number or its name.
    """
    homes = {root / FOLDER}
    rows = opened.execute("SELECT experiment_id, name, artifact_location FROM experiments")
    for number, name, uri in rows.fetchall():
        place = _local(uri or "")
        for ending in (f"/{FOLDER}/{number}", f"/{FOLDER}/{name}"):
            if place is not None and str(place).endswith(ending):
                homes.add(Path(str(place).removesuffix(ending)) / FOLDER)
    return homes


def _relative(uri: str, homes: set[Path], root: Path) -> str | None:
    """The address from the root; None when it is not the tree's, or its files lie only there."""
    place = _local(uri)
    for home in homes:
        if place is not None and place.is_relative_to(home):
            inside = f"{FOLDER}/{place.relative_to(home).as_posix()}"
            if home == root / FOLDER or (root / inside).exists() or not place.exists():
                return inside
    return None
