"""One MLflow server on PostgreSQL and a bucket: a release of one tree is served by another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mm_model.register import served
from tests.graph import stores
from tests.report import servers
from tests.serving.house import House, metrics
from tests.serving.test_shared_registry import NAME, mlflow_server

pytestmark = [pytest.mark.slow, pytest.mark.capability("shared services", scale="T")]


def test_a_release_of_one_tree_is_served_by_another(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("psycopg2", reason="no psycopg2 here (make cluster)")
    stores.be_user(monkeypatch, tmp_path)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    given = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    with stores.s3(tmp_path, "people") as store, servers.postgres() as database:
        backend = database.replace("postgresql:", "postgresql+psycopg2:", 1)
        given["MLFLOW_S3_ENDPOINT_URL"] = store.endpoint
        folder = tmp_path / "mlflow"
        folder.mkdir()
        with mlflow_server(folder, backend, "s3://people/mlflow", **given) as address:
            for name in given:  # the trees need no key: the server hands artifacts on
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
            house = House(tmp_path / "a")
            house.stub_weights("one")
            house.evaluated(metrics([0.3, 0.4, 0.5, 0.4]))
            release = house.register()
            assert release["aliases"] == ["champion"]
            assert any(key.endswith("card.json") for key in store.keys("people", "mlflow"))
            other = House(tmp_path / "b")
            there = served.checked_folder(other.layout, NAME)
            assert there == other.root / "work" / "releases" / release["release_digest"]
            assert (there / "model.py").is_file()
            assert not list(tmp_path.rglob("mlruns")) and not list(tmp_path.rglob("mlflow.db"))
