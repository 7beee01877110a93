"""The stage register: one version a release, put back when it is gone, promoted by rule."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.errors import UserError
from mm_model.register import package, pins, shelf, versions
from mm_model.register import stage as register
from mm_model.register.served import checked_folder
from mm_model.serving import code
from mm_model.serving.config import ServingConfig
from mm_model.store import digests
from mm_model.store.layout import Layout
from mm_model.tracking import store
from tests.serving.house import House, metrics

GOOD = metrics([0.3, 0.4, 0.5, 0.4])
BETTER = metrics([0.4, 0.5, 0.6, 0.5])
WORSE = metrics([0.2, 0.3, 0.4, 0.3])


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: Any) -> Path:
    root = tmp_path_factory.mktemp("store")
    store.open_client(Layout(root, "tiny"))
    return root / "mlflow.db"


@pytest.fixture
def house(tmp_path: Path, empty_store: Path, monkeypatch: Any) -> House:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    house = House(tmp_path / "root")
    shutil.copyfile(empty_store, house.root / "mlflow.db")
    house.stub_weights("one")
    house.evaluated(GOOD)
    return house


def standing(house: House) -> dict[int, dict[str, Any]]:
    """What the registry holds: version -> tags and aliases."""
    client = store.open_client(house.layout)
    found = client.search_model_versions("name = 'magic-mirror'")
    model = client.get_registered_model("magic-mirror")
    return {
        int(one.version): {
            "tags": dict(one.tags),
            "aliases": sorted(k for k, v in model.aliases.items() if int(v) == int(one.version)),
        }
        for one in found
    }


def served_folder(house: House, alias: str = "champion") -> Path:
    client = store.open_client(house.layout)
    version = pins.alias_version(client, "magic-mirror", alias)
    place = client.get_model_version_download_uri("magic-mirror", version.version)
    return house.root / place


def limits(house: House, **changed: int) -> None:
    path = house.root / "profiles" / "tiny.yaml"
    profile = yaml.safe_load(path.read_text())
    profile["serve"].update(changed)
    path.write_text(yaml.safe_dump(profile))


def next_adapter(house: House, mark: str, numbers: dict[str, Any]) -> dict[str, Any]:
    house.stub_weights(mark)
    house.evaluated(numbers)
    return house.register()


def test_the_first_version_is_registered_with_its_origin(house: House, capsys: Any) -> None:
    release = house.register()
    assert (release["version"], release["aliases"], release["promoted"]) == (1, ["champion"], True)
    assert "mlflow models serve -m models:/magic-mirror@champion" in release["serve_command"]
    said = capsys.readouterr().out
    assert "version 1" in said and release["adapter_digest"][:12] in said
    tags = standing(house)[1]["tags"]
    adapter = house.layout.output("finetune") / "adapter"
    assert tags["adapter_digest"] == release["adapter_digest"] == digests.of_folder(adapter)
    assert float(tags["evaluation_identity"]) == pytest.approx(0.4)
    assert {
        "manifest_finetune",
        "manifest_evaluate",
        "backbone_digest",
        "facepack_digest",
        "judge_digest",
        "fingerprint",
        "test_set_digest",
    } <= set(tags)
    folder = served_folder(house)
    assert digests.of_folder(folder / "artifacts" / "adapter") == release["adapter_digest"]
    assert str(house.root) not in (folder / "MLmodel").read_text()
    kept = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert {name: value for name, value in kept.items() if name != "measured"} == GOOD
    assert kept["measured"]["code"] == tags["code_digest"] == code.digest()
    assert (
        json.loads((folder / "card.json").read_text())["release_digest"]
        == (tags["release_digest"])
        == release["release_digest"]
    )


def test_the_same_content_is_the_same_version(house: House) -> None:
    first = house.register()
    assert register.confirm(house.job())
    house.register()
    assert next_adapter(house, "two", WORSE)["version"] == 2
    assert next_adapter(house, "one", GOOD)["release_digest"] == first["release_digest"]
    assert sorted(standing(house)) == [1, 2]
    assert standing(house)[1]["aliases"] == ["champion"]


def test_a_version_stays_what_it_was(house: House) -> None:
    """Another evaluation or other limits of the same adapter: a new version beside the first."""
    house.register()
    folder, tags = served_folder(house), standing(house)[1]["tags"]
    before = {name: digests.of_file(folder / name) for name in digests.files_below(folder)}
    house.evaluated({**GOOD, "people": 5})
    again = house.register()
    assert (again["version"], again["aliases"]) == (2, ["champion"])
    assert "evaluated anew" in again["sentences"][0]
    limits(house, max_steps=3, default_steps=3)
    third = house.register()
    assert (third["version"], third["aliases"]) == (3, ["champion"]), third["sentences"]
    assert {name: digests.of_file(folder / name) for name in digests.files_below(folder)} == before
    now = standing(house)[1]["tags"]
    assert {name: now[name] for name in tags if name != "decision"} == {
        name: value for name, value in tags.items() if name != "decision"
    }
    config = yaml.safe_load((served_folder(house) / "MLmodel").read_text())
    settings = ServingConfig.model_validate(config["flavors"]["python_function"]["config"])
    assert settings.serve.max_steps == 3


def test_repeating_a_registration_gives_the_same_bytes(house: House) -> None:
    house.register()
    path = house.layout.output("register") / "release.json"
    before = path.read_bytes()
    house.register()
    assert path.read_bytes() == before


@pytest.mark.capability("promotion, pins, rollback", scale="T")
def test_a_better_adapter_takes_the_alias_and_a_worse_one_does_not(house: House) -> None:
    house.register()
    assert next_adapter(house, "two", WORSE)["aliases"] == ["challenger"]
    assert [entry["aliases"] for entry in standing(house).values()].count(["champion"]) == 1
    assert standing(house)[1]["aliases"] == ["champion"]
    third = next_adapter(house, "three", BETTER)
    assert (third["version"], third["aliases"]) == (3, ["champion"])
    assert standing(house)[1]["aliases"] == []
    assert standing(house)[2]["aliases"] == ["challenger"]


def test_another_test_set_is_not_comparable(house: House) -> None:
    house.register()
    other = metrics([0.9] * 4, test_set="b" * 64)
    release = next_adapter(house, "two", other)
    assert release["aliases"] == ["challenger"]
    assert "different test sets" in release["sentences"][0]


def test_the_candidate_s_adapter_is_what_is_registered(house: House) -> None:
    house.evaluated(metrics([0.3, 0.4, 0.5, 0.4], candidate="pretrain"))
    release = house.register()
    adapter = house.layout.output("pretrain") / "adapter"
    assert release["adapter_digest"] == digests.of_folder(adapter)
    tags = standing(house)[1]["tags"]
    assert tags["candidate"] == "pretrain"
    assert float(tags["evaluation_identity"]) == pytest.approx(0.4)


def test_champions_before_the_present_one_are_held_against_too(house: House) -> None:
    """The second adapter moves less by a little, and so does the third: together too much."""
    house.register()
    less = metrics([0.4, 0.5, 0.6, 0.5], fm_inter=0.193)
    assert next_adapter(house, "two", less)["aliases"] == ["champion"]
    still_less = metrics([0.5, 0.6, 0.7, 0.6], fm_inter=0.186)
    release = next_adapter(house, "three", still_less)
    assert release["aliases"] == ["challenger"]
    assert "falls too far from one of the last champions" in release["sentences"][0]


def test_a_first_version_without_gain_is_no_champion_but_can_be_served(house: House) -> None:
    house.evaluated({**GOOD, "gain": None})
    release = house.register()
    assert release["aliases"] == ["challenger"]
    assert "magic-mirror@challenger" in release["serve_command"]


def test_a_deleted_registry_is_put_back(house: House, empty_store: Path) -> None:
    before = house.register()
    shutil.copyfile(empty_store, house.root / "mlflow.db")
    store.open_client(house.layout)
    assert not register.confirm(house.job())
    assert house.register() == before
    assert standing(house)[1]["aliases"] == ["champion"]
    assert register.confirm(house.job())


def test_deleted_or_damaged_files_are_put_back_into_the_same_version(house: House) -> None:
    house.register()
    folder = served_folder(house)
    (folder / "artifacts" / "adapter" / "magic_mirror_config.json").write_text("{}")
    assert not register.confirm(house.job())
    house.register()
    assert register.confirm(house.job())
    shutil.rmtree(house.root / "mlruns")
    assert not register.confirm(house.job())
    house.register()
    assert register.confirm(house.job())
    assert list(standing(house)) == [1]
    assert served_folder(house) == folder and (folder / "MLmodel").is_file()


def test_a_version_gets_nothing_back_but_its_own_content(house: House, tmp_path: Path) -> None:
    """A version that is damaged is no place for another release."""
    house.register()
    folder = served_folder(house)
    before = {name: digests.of_file(folder / name) for name in digests.files_below(folder)}
    house.stub_weights("two")
    house.evaluated(BETTER)
    job = house.job()
    other = register._package(
        job, json.loads((job.inputs["evaluate"] / "metrics.json").read_text())
    )
    client = store.open_client(house.layout)
    (version,) = versions.numbered(client, "magic-mirror")
    assert not shelf.put_back(client, house.layout, version, other, tmp_path)
    assert {name: digests.of_file(folder / name) for name in digests.files_below(folder)} == before
    assert checked_folder(house.layout, "magic-mirror") == folder


@pytest.mark.parametrize("harm", ["gone", "one bit"])
def test_a_champion_without_whole_files_does_not_stand_in_the_way(house: House, harm: str) -> None:
    house.register()
    if harm == "gone":
        shutil.rmtree(house.root / "mlruns")
    else:
        path = served_folder(house) / "model.py"
        content = bytearray(path.read_bytes())
        content[20] ^= 1
        path.write_bytes(content)
    release = next_adapter(house, "two", GOOD)
    assert release["aliases"] == ["champion"]
    assert "are gone or damaged" in release["sentences"][0]


def test_a_version_whose_place_is_lost_is_a_new_version(house: House) -> None:
    """MLflow no longer knows where the files of version 1 belong: nothing is written over it."""
    first = house.register()
    shutil.rmtree(house.root / "mlruns")
    with sqlite3.connect(house.root / "mlflow.db") as opened:
        opened.execute("UPDATE model_versions SET storage_location = 's3-gone://nowhere/at/all'")
    release = house.register()
    assert (release["version"], release["release_digest"]) == (2, first["release_digest"])
    assert release["aliases"] == ["champion"]
    assert register.confirm(house.job())


def test_a_large_backbone_is_named_by_path_and_digest(house: House, monkeypatch: Any) -> None:
    monkeypatch.setattr(package, "COPY_LIMIT", 1)
    house.register()
    flavour = yaml.safe_load((served_folder(house) / "MLmodel").read_text())["flavors"]
    config = flavour["python_function"]["config"]
    backbone = house.root / "weights" / "backbone"
    assert config["backbone_path"] == "weights/backbone", "from the root: the tree may be moved"
    assert config["digests"]["backbone"] == digests.of_folder(backbone)
    assert not (served_folder(house) / "artifacts" / "backbone").exists()
    assert register.confirm(house.job())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.bin", b"anything"),
        ("WEIGHTS.PKL", b"anything"),
        ("model.safetensors", pickle.dumps({"a": 1}, protocol=2)),
        ("detector.onnx", pickle.dumps({"a": 1}, protocol=5)),
        ("model.json", b"PK\x03\x04 and a pickle within"),
        ("handler.py", b"print()"),
        ("encoder.onnx", b"\x7fELF"),
    ],
)
def test_what_may_carry_code_is_never_registered(house: House, name: str, content: bytes) -> None:
    (house.root / "weights" / "backbone" / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} may carry code"):
        house.register()
    assert not (house.root / "mlruns").exists()


def test_a_safetensors_header_is_no_pickle(house: House) -> None:
    """A header of 0x0280 bytes begins as a pickle of protocol 2 does."""
    header = b"{" + b" " * 0x27E + b"}"
    file = house.root / "weights" / "backbone" / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    assert file.read_bytes()[:2] == b"\x80\x02"
    assert house.register()["aliases"] == ["champion"]
    assert checked_folder(house.layout, "magic-mirror").is_dir()


def test_a_dead_registry_stops_the_stage_with_a_sentence(house: House, monkeypatch: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://secret:word@127.0.0.1:{port}")
    with pytest.raises(UserError, match="does not answer") as caught:
        house.register()
    assert "word" not in str(caught.value)
    assert not (house.layout.output("register") / "release.json").exists()


@pytest.mark.parametrize("damage", ["garbage", "half", "folder"])
def test_a_damaged_store_is_one_sentence_and_nothing_is_lost(house: House, damage: str) -> None:
    database = house.root / "mlflow.db"
    content = database.read_bytes()
    database.unlink()
    if damage == "folder":
        database.mkdir()
    else:
        database.write_bytes(b"g" * 5000 if damage == "garbage" else content[: len(content) // 2])
    with pytest.raises(UserError, match=r"mlflow\.db cannot be used|registry refused") as caught:
        house.register()
    assert "\n" not in str(caught.value)
    database.rename(house.root / "moved-away")
    database.write_bytes(content)
    assert house.register()["version"] == 1


def test_a_held_store_is_waited_for_then_said(house: House, monkeypatch: Any) -> None:
    with sqlite3.connect(house.root / "mlflow.db", isolation_level=None) as held:
        held.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(versions, "_HELD_SECONDS", 0.2)
        with pytest.raises(UserError, match="end the process that holds it"):
            house.register()
        held.execute("ROLLBACK")
    assert house.register()["version"] == 1
