"""A PostgreSQL server of a test's own: in a folder of /tmp, by a socket there, with a password."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "open-sesame-71"


def _program(name: str) -> str:
    """Debian keeps the server's programs beside its library."""
    found = shutil.which(name) or next(
        map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    if found is None:
        pytest.skip(f"no PostgreSQL server here ({name}; Debian's package postgresql)")
    return found


def _user() -> str | None:
    """Whom the server runs as: it refuses root. None stands for who runs the tests."""
    if os.geteuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody", "daemon") if name in known)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database; the server ends with the block."""
    pytest.importorskip("psycopg", reason="no psycopg here (make postgres)")
    initdb, server, user = _program("initdb"), _program("postgres"), _user()
    with tempfile.TemporaryDirectory(prefix="mm-postgres-") as name:
        folder = Path(name)
        secret, data = folder / "secret", folder / "data"
        secret.write_text(PASSWORD)
        if user is not None:
            for path in (folder, secret):
                shutil.chown(path, user)
        made = [initdb, "-D", data, "-U", "tester", f"--pwfile={secret}", "-A", "scram-sha-256"]
        quiet = {"cwd": folder, "user": user, "env": {**os.environ, "LC_ALL": "C"}}
        subprocess.run([*made, "-E", "UTF8", "-N"], check=True, capture_output=True, **quiet)
        log = (folder / "log").open("wb")
        settings = ["listen_addresses=", "fsync=off", f"unix_socket_directories={folder}"]
        options = [part for setting in settings for part in ("-c", setting)]
        running = subprocess.Popen([server, "-D", data, *options], stdout=log, stderr=log, **quiet)
        try:
            _wait(folder, running)
            yield f"postgresql://tester:{PASSWORD}@/postgres?host={folder}"
        finally:
            running.send_signal(2)  # ends all sessions
            running.wait(60)
            log.close()


def _wait(folder: Path, running: subprocess.Popen) -> None:
    import importlib

    psycopg = importlib.import_module("psycopg")
    for _ in range(300):
        assert running.poll() is None, (folder / "log").read_text()
        with contextlib.suppress(psycopg.OperationalError):
            asked = f"host={folder} user=tester password={PASSWORD} dbname=postgres"
            psycopg.connect(asked).close()
            return
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())
