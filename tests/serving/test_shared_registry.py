"""A registry on a server: releases go there and come back whole, or are refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.register import choice, served
from mm_model.register import stage as register
from tests.serving.house import House, metrics

pytestmark = pytest.mark.slow
NAME = "magic-mirror"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: Any) -> Path:
    """Where the server keeps its artifacts."""
    return tmp_path_factory.mktemp("server")


@contextlib.contextmanager
def mlflow_server(folder: Path, backend: str, artifacts: str, **given: str) -> Iterator[str]:
    """`mlflow server` with proxied artifacts, logging to `folder`; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *[sys.executable, *f"-m mlflow server --host 127.0.0.1 --port {port} --workers 1".split()],
        f"--artifacts-destination={artifacts}",
    ]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **given}
    environment.pop("MLFLOW_TRACKING_URI", None)
    environment["MLFLOW_BACKEND_STORE_URI"] = backend
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@pytest.fixture(scope="module")
def server(kept: Path) -> Iterator[str]:
    """A server with a database and artifacts in a folder."""
    with mlflow_server(kept, f"sqlite:///{kept / 'mlflow.db'}", str(kept / "artifacts")) as address:
        yield address


@pytest.fixture
def house(server: str, tmp_path: Path, monkeypatch: Any) -> House:
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    house = House(tmp_path / "root")
    house.stub_weights("one")
    house.evaluated(metrics([0.3, 0.4, 0.5, 0.4]))
    return house


def on_the_server(kept: Path, digest: str) -> Path:
    (found,) = {path.parent for path in kept.rglob("card.json") if digest in path.read_text()}
    return found


def test_a_release_goes_to_a_server_and_comes_back_whole(house: House, kept: Path) -> None:
    release = house.register()
    assert (release["version"], release["aliases"]) == (1, ["champion"])
    assert not (house.root / "mlruns").exists() and not (house.root / "mlflow.db").exists()
    assert register.confirm(house.job())
    folder = served.checked_folder(house.layout, NAME)
    assert folder == house.root / "work" / "releases" / release["release_digest"]
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", folder.name]
    before = (folder / "card.json").stat().st_mtime_ns
    assert served.checked_folder(house.layout, NAME) == folder
    assert (folder / "card.json").stat().st_mtime_ns == before, "fetched once"
    (folder / "model.py").write_text("changed = True\n")
    assert served.checked_folder(house.layout, NAME) == folder
    assert "changed" not in (folder / "model.py").read_text().splitlines()[0]

    house.stub_weights("two")
    house.evaluated(metrics([0.4, 0.5, 0.6, 0.5]))
    second = house.register()
    assert (second["version"], second["aliases"]) == (2, ["champion"])
    assert "Version 1 is pinned" in choice.roll_back(house.layout, NAME, None, "blue")
    assert house.register()["aliases"] == ["challenger"]
    assert served.checked_folder(house.layout, NAME) == folder
    assert "champion (pinned)" in choice.listing(house.layout, NAME)
    assert "Promoted to champion." in choice.lift(house.layout, house.job().profile.register_)

    there = on_the_server(kept, second["release_digest"])
    script = there / "model.py"
    content = script.read_bytes()
    script.write_bytes(content.replace(b"import", b"umport", 1))
    with pytest.raises(UserError, match=r"model\.py differs from what was registered") as caught:
        served.checked_folder(house.layout, NAME)
    assert "nothing of it was run" in str(caught.value)
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", folder.name]
    shutil.rmtree(there)
    assert not register.confirm(house.job())
    again = house.register()
    assert (again["version"], again["aliases"]) == (2, ["champion"])
    assert served.checked_folder(house.layout, NAME).name == second["release_digest"]


def test_a_store_that_does_not_answer_is_no_empty_one(
    house: House, kept: Path, monkeypatch: Any
) -> None:
    """A champion that cannot be asked for keeps its place, and nobody is told it is gone."""
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    house.register()

    def silent(*_: Any) -> None:
        raise ConnectionError("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowArtifactsRepository, "list_artifacts", silent)
        for act in (house.register, lambda: register.confirm(house.job())):
            with pytest.raises(UserError, match="does not answer"):
                act()
    assert register.confirm(house.job())
