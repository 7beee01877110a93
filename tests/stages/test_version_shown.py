"""What the registry shows of a version, its run and its card: beside its files, not in them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mm_model.register import stage as register
from mm_model.tracking import store
from tests.serving.house import House
from tests.stages.test_register import GOOD, empty_store

__all__ = ["empty_store"]  # a fixture

pytestmark = pytest.mark.capability("tracking", scale="T")


@pytest.fixture
def house(tmp_path: Path, empty_store: Path, monkeypatch: Any) -> House:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DAGSTER_RUN_ID", "abc-1")
    house = House(tmp_path / "root")
    shutil.copyfile(empty_store, house.root / "mlflow.db")
    return house


def registered(house: House) -> Any:
    """The version that a tracked run of the stage makes, or finds."""
    job = house.job()
    with job.tracker.running({}, {}):
        register.run(job)
    return store.open_client(house.layout).get_model_version_by_alias("magic-mirror", "champion")


def test_a_version_leads_to_the_run_that_made_it(house: House) -> None:
    house.stub_weights()
    house.evaluated(GOOD)
    version = registered(house)
    client = store.open_client(house.layout)
    stage = client.get_run(version.tags["register_run_id"])
    assert stage.info.run_name == "register"
    assert version.run_id == stage.data.tags["mlflow.parentRunId"]
    assert client.get_run(version.run_id).data.tags["magic_mirror.pipeline"] == "dagster-abc-1"
    folder = house.root / client.get_model_version_download_uri("magic-mirror", version.version)
    for path in (one for one in folder.rglob("*") if one.is_file()):
        assert version.run_id.encode() not in path.read_bytes(), path


def test_the_same_content_is_the_same_version_whatever_run_finds_it(
    house: House, monkeypatch: Any
) -> None:
    house.stub_weights()
    house.evaluated(GOOD)
    first = registered(house)
    monkeypatch.setenv("DAGSTER_RUN_ID", "abc-2")
    again = registered(house)
    assert (again.version, again.run_id) == (first.version, first.run_id)
    assert again.tags["release_digest"] == first.tags["release_digest"]


def test_the_card_describes_a_version_and_words_of_one_s_own_stay(house: House) -> None:
    house.real_weights()
    house.evaluated(GOOD)
    version = registered(house)
    assert "Evaluation" in version.description and "0.400" in version.description
    assert "`reference_images`" in version.description
    client = store.open_client(house.layout)
    assert "model card" in client.get_registered_model("magic-mirror").description
    client.update_model_version("magic-mirror", version.version, "mine")
    client.update_registered_model("magic-mirror", "ours")
    assert registered(house).description == "mine"
    assert client.get_registered_model("magic-mirror").description == "ours"


def test_a_version_without_a_tracked_run_is_registered_all_the_same(house: House) -> None:
    house.stub_weights()
    house.evaluated(GOOD)
    house.register()
    client = store.open_client(house.layout)
    version = client.get_model_version_by_alias("magic-mirror", "champion")
    assert not version.run_id
