"""After a backup and a restore the champion loads and answers, and its run is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mm_model.register import served
from mm_model.serving import example
from mm_model.settings import load_profile
from mm_model.tracking.store import open_client
from orchestration import home
from orchestration.backup import restoring, saving
from tests.serving.conftest import Server
from tests.serving.house import House

pytestmark = [pytest.mark.slow, pytest.mark.capability("backup", scale="T")]
NAME = "magic-mirror"


def quiet(_: str) -> None:
    pass


@pytest.fixture(autouse=True)
def _own_books(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", home.BOOKS):
        monkeypatch.delenv(name, raising=False)


def test_the_champion_of_a_restored_tree_answers(served_house: House, tmp_path: Path) -> None:
    client = open_client(served_house.layout)
    (made,) = client.search_model_versions(f"name='{NAME}'")
    home.prepare(served_house.root)
    (tmp_path / "to").mkdir()
    folder = saving.save(served_house.root, tmp_path / "to", quiet)
    clone = House.at(tmp_path / "clone")
    clone.root.mkdir()
    for name in ("params.yaml", "profiles"):  # what git keeps
        copy = shutil.copytree if (served_house.root / name).is_dir() else shutil.copy
        copy(served_house.root / name, clone.root / name)
    home.prepare(clone.root)
    restoring.restore(clone.root, folder, quiet, shown=())
    shutil.rmtree(folder)
    (again,) = open_client(clone.layout).search_model_versions(f"name='{NAME}'")
    assert (again.version, again.tags) == (made.version, made.tags)
    place = served.checked_folder(clone.layout, NAME)
    assert place.is_relative_to(clone.root)
    record = {**example.record(load_profile(clone.root, "tiny")), "num_inference_steps": 2}
    running = Server(clone.root, door=True)
    try:
        running.wait()
        status, said = running.ask(record)
    finally:
        running.stop()
    assert status == 200, said
    assert json.loads(said)["predictions"][0]["video_mp4"]
