"""A tree with models may be moved or copied: MLflow's store names nothing by the tree's address."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.register import pins
from mm_model.store import digests
from mm_model.store.layout import Layout
from mm_model.tracking import places, store
from tests.serving.house import House, alone, metrics

GOOD = metrics([0.3, 0.4, 0.5, 0.4])
BETTER = metrics([0.4, 0.5, 0.6, 0.5])


@pytest.fixture(autouse=True)
def own_store(monkeypatch: Any) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: Any) -> Path:
    """A root with one registered version; copy it, never use it."""
    root = tmp_path_factory.mktemp("grown") / "root"
    with alone(root) as house:
        house.stub_weights("one")
        house.evaluated(GOOD)
        house.register()
    return root


def champion_folder(root: Path) -> Path:
    """Where the stock client, working in `root`, finds the champion's files."""
    layout = Layout(root, "tiny")
    client = store.open_client(layout)
    version = pins.alias_version(client, "magic-mirror", "champion")
    return root / client.get_model_version_download_uri("magic-mirror", version.version)


def addresses(root: Path) -> list[str]:
    """Every place the store names."""
    with sqlite3.connect(root / "mlflow.db") as opened:
        return [
            uri
            for table, column in places._COLUMNS
            for (uri,) in opened.execute(f"SELECT {column} FROM {table}")
            if uri and not uri.startswith("models:")
        ]


def make_absolute(root: Path, old: Path, form: str = "{}") -> None:
    """What an earlier release, or MLflow itself, wrote at `old`."""
    with sqlite3.connect(root / "mlflow.db") as opened:
        for table, column in places._COLUMNS:
            opened.execute(
                f"UPDATE {table} SET {column} = ? || {column} WHERE {column} LIKE 'mlruns/%'",
                (form.format(old.as_posix()) + "/",),
            )


def content(root: Path) -> dict[str, str]:
    return {name: digests.of_file(root / name) for name in digests.files_below(root)}


def test_the_store_names_nothing_by_the_tree_s_address(grown: Path) -> None:
    assert addresses(grown)
    assert all(uri.startswith("mlruns/") for uri in addresses(grown))
    assert str(grown).encode() not in (grown / "mlflow.db").read_bytes()


def test_a_moved_tree_finds_its_champion_and_registers_nothing_twice(
    grown: Path, tmp_path: Path
) -> None:
    here = shutil.copytree(grown, tmp_path / "moved to a place with spaces" / "root")
    old = tmp_path / "old"
    old.write_text("a file lies at the old place")
    make_absolute(here, old)
    assert (champion_folder(here) / "MLmodel").is_file()
    release = House.at(here).register()
    assert (release["version"], release["aliases"]) == (1, ["champion"])
    assert old.read_text() == "a file lies at the old place"


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_copy_of_an_older_store_writes_nothing_into_the_original(
    grown: Path, tmp_path: Path, form: str
) -> None:
    original = Path(shutil.copytree(grown, tmp_path / "original"))
    make_absolute(original, original, form)
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    before = content(original)
    house = House.at(copy)
    house.stub_weights("two")
    house.evaluated(BETTER)
    assert house.register()["version"] == 2
    assert content(original) == before
    assert champion_folder(copy).is_relative_to(copy)
    assert all(uri.startswith("mlruns/") for uri in addresses(copy))
    assert (champion_folder(original) / "MLmodel").is_file()


def test_what_mlflow_itself_named_in_the_tree_is_named_from_the_root(
    grown: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(grown, tmp_path / "root"))
    client = store.open_client(Layout(root, "tiny"))
    elsewhere = tmp_path / "large disk" / "mlruns"
    inside = client.create_experiment("by hand", str(root / "mlruns" / "by hand"))
    outside = client.create_experiment("large", str(elsewhere / "large"))
    client.create_run(inside)
    client.create_run(outside)
    (elsewhere / "large").mkdir(parents=True)
    client = store.open_client(Layout(root, "tiny"))
    assert client.get_experiment(inside).artifact_location == "mlruns/by hand"
    assert client.get_experiment(outside).artifact_location == str(elsewhere / "large")


def test_what_mlflow_named_by_hand_just_before_a_move_is_found_after_it(
    grown: Path, tmp_path: Path
) -> None:
    """Nothing but the experiment itself says where the tree was."""
    old = Path(shutil.copytree(grown, tmp_path / "old"))
    client = store.open_client(Layout(old, "tiny"))
    number = client.create_experiment("by hand", str(old / "mlruns" / "by hand"))
    client.create_run(number)
    here = old.rename(tmp_path / "new")
    client = store.open_client(Layout(here, "tiny"))
    assert client.get_experiment(number).artifact_location == "mlruns/by hand"
    assert all(uri.startswith("mlruns/") for uri in addresses(here))


def test_a_store_given_by_its_address_keeps_its_artifacts_beside_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    given = tmp_path / "given" / "store.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{given}")
    house = House(tmp_path / "root")
    house.stub_weights("one")
    house.evaluated(GOOD)
    house.register()
    assert not (house.root / "mlruns").exists()
    client = store.open_client(house.layout)
    place = Path(client.get_model_version_download_uri("magic-mirror", "1"))
    assert place.is_relative_to(given.parent) and (place / "MLmodel").is_file()


@pytest.mark.parametrize("name", ["100%25 mine", "what?"])
def test_an_address_that_mlflow_misreads_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="cannot read the address"):
        store.open_client(Layout(tmp_path / name, "tiny"))
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing lies beside it"


def test_a_backbone_too_large_to_copy_is_found_in_a_moved_tree(
    tmp_path: Path, monkeypatch: Any
) -> None:
    from mm_model.register import package
    from mm_model.serving.config import backbone_folder

    monkeypatch.setattr(package, "COPY_LIMIT", 1)
    house = House(tmp_path / "root")
    house.stub_weights("one")
    house.evaluated(GOOD)
    house.register()
    moved = (tmp_path / "root").rename(tmp_path / "moved")
    model = champion_folder(moved)
    assert "backbone_path: weights/backbone" in (model / "MLmodel").read_text()
    found = backbone_folder(model / "artifacts" / "adapter", "weights/backbone")
    assert found == moved / "weights" / "backbone"
