"""Opens MLflow's store: the SQLite file at the root by default, or the server that the URI names.

A missing SQLite store is created aside and linked into place under a lock, so that processes that
race for the first use all work and a killed one leaves no half-made tables. It stores nothing.
"""

import contextlib
import errno
import logging
import os
import socket
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from filelock import UnixFileLock

from mm_model.environment import silence_telemetry
from mm_model.errors import UserError
from mm_model.store.layout import Layout
from mm_model.tracking import places

if TYPE_CHECKING:
    from mlflow import MlflowClient

_loading = threading.Lock()
_SQLITE = "sqlite:///"
_LOCK = "work/mlflow.lock"
_UNREADABLE = "%?"
_CONNECT_SECONDS = 2.0
_SHOWN_AS = {"mlflow.experimentKind": "custom_model_development"}
"""MLflow's list then names the kind of an experiment, and need not guess it."""
_SHORT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_QUIET = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
_LONG = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "300"}


def load() -> Any:
    """MLflow and its stores, imported by one thread at a time.

    Its modules, and SQLAlchemy's, import one another in circles: where two threads begin at once,
    one is given half a module and fails, and with it the stage (seen in 4 of 12 trials).
    """
    with _loading:
        import mlflow
        import mlflow.store.artifact.artifact_repository_registry
        import mlflow.store.model_registry.sqlalchemy_store
        import mlflow.store.tracking.sqlalchemy_store

        return mlflow


def local_file(uri: str) -> Path | None:
    """The database file of a SQLite URI, else None."""
    return Path(uri.removeprefix(_SQLITE)).absolute() if uri.startswith(_SQLITE) else None


def is_own(layout: Layout) -> bool:
    """Whether the store is the tree's own, `mlflow.db` at its root."""
    return _is_own(layout, layout.tracking_uri)


def is_shared(layout: Layout) -> bool:
    """Whether versions go to another registry than the tree's own."""
    return not _is_own(layout, os.environ.get("MLFLOW_REGISTRY_URI") or layout.tracking_uri)


def _is_own(layout: Layout, uri: str) -> bool:
    database = local_file(uri)
    return database is not None and database.resolve() == layout.database.resolve()


def reachable(uri: str) -> bool:
    """Whether a connection to the store opens within two seconds; always true for a local file."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return True
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def usable(uri: str, seconds: float | None = None, *, reading: bool = False) -> None:
    """Look whether a local store is a database; wait at most `seconds` when another process holds
    it, without a number not at all. Who is only `reading` needs no right to write.

    Raises:
        UserError: it is no database that can be written (read), or stays held for `seconds`.
    """
    if (file := local_file(uri)) is None or not file.exists():
        return
    reading = reading and not os.access(file, os.W_OK)
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=seconds or 0.0)) as connection:
            if reading:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                return
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except sqlite3.Error as error:
        if "locked" in str(error) and seconds is None:
            return
        if reading:
            raise _unreadable(file, error) from error
        mend = "restore it, or move it away (its runs and versions go with it, no output does)"
        if "locked" in str(error):
            mend = "end the process that holds it"
        raise UserError(
            f"MLflow's {file} cannot be used ({error}): {mend}, then run again."
        ) from error


def _unreadable(file: Path, error: Exception) -> UserError:
    """A journal beside the file is a write that was cut short; only who may write takes it back."""
    journal = file.with_name(f"{file.name}-journal")
    mend = "give this user the right to read it"
    if journal.exists():
        mend = f"{journal.name} beside it is left by a write that was cut short, let a user who "
        mend += "may write there run 'python -m mm_model releases' once"
    return UserError(f"MLflow's {file} cannot be read ({error}): {mend}.")


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Long time limits for uploads, for the length of the block; the user's own values win."""
    before = {name: os.environ.get(name) for name in _LONG}
    os.environ.update(
        {name: value for name, value in _LONG.items() if before[name] in (None, _SHORT[name])}
    )
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _creation_lock(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with UnixFileLock(lock, fallback_to_soft=False):
        yield


def _quieten() -> None:
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _create(database: Path, artifacts: Path) -> None:
    """Make all tables in a file aside (seconds), then rename it into place."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    for abandoned in database.parent.glob(f".{database.name}.*.aside*"):
        abandoned.unlink(missing_ok=True)
    database.parent.mkdir(parents=True, exist_ok=True)
    aside = database.with_name(f".{database.name}.{uuid.uuid4().hex[:8]}.aside")
    # Hundreds of statements, each flushed to disk, take twice the time; one flush at the end does.
    event.listen(Engine, "connect", _unflushed)
    try:
        SqlAlchemyStore(f"{_SQLITE}{aside}", str(artifacts)).engine.dispose()
    finally:
        event.remove(Engine, "connect", _unflushed)
    with aside.open("rb") as handle:
        os.fsync(handle.fileno())
    aside.replace(database)


def _unflushed(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _prepare(database: Path, layout: Layout) -> None:
    """Make the local store where there is none, and name its artifacts from the root."""
    with _creation_lock(layout.root / _LOCK):
        if not database.exists():
            _create(database, database.parent / places.FOLDER)
        if is_own(layout):
            places.settle(database, layout.root)


def open_client(layout: Layout, *, reading: bool = False) -> "MlflowClient":
    """A client of the store that `layout.tracking_uri` names, created on first use if local.

    Who is only `reading` may do so where this user may not write: the store is taken as it is.

    Raises:
        UserError: the server does not answer, or the local file or its address cannot be used.
        mlflow.exceptions.MlflowException: the store refuses, e.g. tables of another release.
    """
    silence_telemetry()
    for name, value in {**_SHORT, **_QUIET}.items():
        os.environ.setdefault(name, value)
    uri = layout.tracking_uri
    if not reachable(uri):
        raise UserError(
            f"The MLflow server at {shown(uri)} does not answer: start it, "
            "or unset MLFLOW_TRACKING_URI to use mlflow.db at the root."
        )
    usable(uri, reading=reading)
    mlflow = load()
    _quieten()
    if (database := local_file(uri)) is not None:
        if any(mark in str(database) for mark in _UNREADABLE):
            raise UserError(
                f"MLflow cannot read the address {database}: none of its folders may have % or ? "
                "in its name; move the tree, or set MLFLOW_TRACKING_URI."
            )
        try:
            _prepare(database, layout)
        except (OSError, sqlite3.OperationalError) as error:
            if not (reading and database.exists() and _forbids_writing(error)):
                raise
    registry = os.environ.get("MLFLOW_REGISTRY_URI") or uri
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=registry)


def _forbids_writing(error: Exception) -> bool:
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.EACCES, errno.EPERM, errno.EROFS) or "readonly" in str(error)


def shown(uri: str) -> str:
    """The URI without a user name or password."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.hostname else uri


def experiment_id(client: "MlflowClient", layout: Layout) -> str:
    """The experiment `magic-mirror/<profile>`, made or brought back from the bin when needed."""
    from mlflow.exceptions import MlflowException

    name = f"magic-mirror/{layout.profile}"
    if (known := client.get_experiment_by_name(name)) is None:
        try:
            return _new_experiment(client, layout, name)
        except MlflowException:
            known = client.get_experiment_by_name(name)  # another process was first
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    for name, value in _SHOWN_AS.items():
        if name not in known.tags:
            client.set_experiment_tag(known.experiment_id, name, value)
    return known.experiment_id


def _new_experiment(client: "MlflowClient", layout: Layout, name: str) -> str:
    """Make it; in the tree's own store its artifacts are named from the root before anyone asks."""
    database = local_file(layout.tracking_uri)
    if database is None:
        return client.create_experiment(name, tags=_SHOWN_AS)
    folder = database.parent / places.FOLDER / name
    with _creation_lock(layout.root / _LOCK):
        made = client.create_experiment(name, str(folder), _SHOWN_AS)
        if is_own(layout):
            places.settle(database, layout.root)
    return made
