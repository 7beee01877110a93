"""Who may only read a tree lists, checks and serves what is registered there; nothing changes."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_model.register.pins import CHAMPION
from tests.serving.conftest import Server
from tests.serving.house import House, alone

pytestmark = pytest.mark.capability("read-only trees", scale="T")

CAPABILITIES = "-dac_override,-dac_read_search,-fowner"


def prefix() -> list[str]:
    """Root may write anywhere; here it has to do without that right."""
    if os.geteuid() != 0:
        return []
    if (found := shutil.which("setpriv")) is None:
        pytest.skip("this system has no setpriv, and root may write anywhere")
    return [found, f"--bounding-set={CAPABILITIES}", f"--inh-caps={CAPABILITIES}"]


def close(root: Path) -> None:
    for place in (root, *root.rglob("*")):
        if not place.is_symlink():
            place.chmod(place.stat().st_mode & ~0o222)


def reopen(root: Path) -> None:
    root.chmod(root.stat().st_mode | stat.S_IWUSR)
    for place in root.rglob("*"):
        if not place.is_symlink():
            place.chmod(place.stat().st_mode | stat.S_IWUSR)


def listing(root: Path) -> dict[str, bytes | None]:
    return {
        str(place.relative_to(root)): place.read_bytes() if place.is_file() else None
        for place in sorted(root.rglob("*"))
    }


@pytest.fixture(scope="module")
def shut(tmp_path_factory: Any) -> Iterator[Path]:
    """A tree with two versions that nobody may write into."""
    root = tmp_path_factory.mktemp("shut") / "root"
    with alone(root) as house:
        house.register_two()
    shutil.rmtree(root / "work")
    close(root)
    yield root
    reopen(root)


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return subprocess.run(
        [*prefix(), sys.executable, "-m", "mm_model", *words],
        cwd=root,
        capture_output=True,
        text=True,
        env=kept,
    )


def test_releases_are_listed_and_nothing_is_changed(shut: Path) -> None:
    before = listing(shut)
    done = command(shut, "releases")
    assert done.returncode == 0, done.stderr
    assert CHAMPION in done.stdout and "challenger" in done.stdout
    assert listing(shut) == before


def test_a_release_is_checked_for_serving(shut: Path) -> None:
    """It comes as far as the port: none of the stub's weights could be loaded."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command(shut, "serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1 and done.stderr.startswith("Stopped: Port "), done.stderr


def test_who_would_change_something_is_told(shut: Path) -> None:
    before = listing(shut)
    done = command(shut, "rollback", "--to", "2")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "permission is denied" in done.stderr
    assert listing(shut) == before


@pytest.mark.slow
def test_a_store_that_a_killed_writer_left_is_named(shut: Path) -> None:
    reopen(shut)
    kept = (shut / "mlflow.db").read_bytes()
    script = (
        "import os, sqlite3; o = sqlite3.connect('mlflow.db', isolation_level=None);"
        "o.execute('PRAGMA cache_size = 1'); o.execute('BEGIN IMMEDIATE');"
        "o.execute('CREATE TABLE more (x)');"
        "[o.execute('INSERT INTO more VALUES (zeroblob(9000))') for _ in range(200)];"
        "os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=shut, check=False)
    assert (shut / "mlflow.db-journal").exists()
    close(shut)
    done = command(shut, "releases")
    assert done.returncode == 1 and "mlflow.db-journal" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1
    reopen(shut)
    assert command(shut, "releases").returncode == 0, "who may write mends it by reading"
    assert (shut / "mlflow.db").read_bytes() == kept
    close(shut)


@pytest.mark.slow
def test_a_store_that_is_no_database_is_named(shut: Path) -> None:
    reopen(shut)
    kept = (shut / "mlflow.db").read_bytes()
    (shut / "mlflow.db").write_bytes(b"not a database, " * 500)
    close(shut)
    done = command(shut, "releases")
    reopen(shut)
    (shut / "mlflow.db").write_bytes(kept)
    close(shut)
    assert done.returncode == 1 and "mlflow.db cannot be read" in done.stderr, done.stderr
    with sqlite3.connect(shut / "mlflow.db") as whole:
        assert whole.execute("SELECT count(*) FROM model_versions").fetchone() == (2,)


@pytest.mark.slow
def test_a_consent_that_cannot_be_recorded_is_said_and_nothing_is_made(
    served_house: House, tmp_path: Path
) -> None:
    from mm_model.serving import example
    from mm_model.settings import load_profile

    root = tmp_path / "root"
    shutil.copytree(served_house.root, root)
    shutil.rmtree(root / "work", ignore_errors=True)
    record = example.record(load_profile(root, "tiny"))
    close(root)
    try:
        running = Server(root, door=True, log=tmp_path / "door.log", prefix=prefix())
        try:
            running.wait()
            status, body = running.ask({**record, "num_inference_steps": 2})
        finally:
            running.stop()
    finally:
        reopen(root)
    assert status == 503 and '"refusal": "consent_unrecorded"' in body, body
    assert "The consent cannot be recorded (permission denied)" in body
    assert not (root / "work").exists()
