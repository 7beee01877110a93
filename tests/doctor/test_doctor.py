"""What the doctor says of a tree in which something is wrong: what, and what mends it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands import cli
from mm_model.doctor import machine
from mm_model.register import served
from mm_model.store import atomic, digests, lease
from tests.serving.house import House, alone, metrics

pytestmark = pytest.mark.capability("doctor", scale="T")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: Any) -> Path:
    """A root with one version; copy it, never use it."""
    root = tmp_path_factory.mktemp("grown") / "root"
    with alone(root) as house:
        house.stub_weights("one")
        house.evaluated(metrics([0.3, 0.4, 0.5, 0.4]))
        house.register()
    (root / "none").mkdir()
    return root


@pytest.fixture
def house(grown: Path, tmp_path: Path, monkeypatch: Any) -> House:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MM_CATALOGUE_URL"):
        monkeypatch.delenv(name, raising=False)
    root = Path(shutil.copytree(grown, tmp_path / "root"))
    monkeypatch.setenv("MM_ROOT", str(root))
    return House.at(root)


def asked(capsys: Any) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """The exit status, and what was found by what was looked at."""
    capsys.readouterr()
    status = cli.main(["doctor", "--json"])
    found: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(capsys.readouterr().out):
        found.setdefault(one["subject"], []).append(one)
    return status, found


def test_a_sound_tree_is_told_sound(house: House, capsys: Any) -> None:
    status, found = asked(capsys)
    bad = {name: said for name, said in found.items() if any(o["state"] == "bad" for o in said)}
    assert (status, bad) == (0, {})
    (champion,) = found["champion"]
    assert champion["sentence"].startswith("magic-mirror version 1 is whole")
    assert "digest" in found["facepack"][0]["sentence"]
    assert "use: " in found["backbone"][0]["sentence"]
    assert found["judges"][0]["state"] == "note", "a shelf need not be there"
    assert cli.main(["doctor"]) == 0
    assert "ok    champion: magic-mirror version 1" in capsys.readouterr().out


@pytest.mark.parametrize("stage", [None, "pretrain"])
def test_who_is_at_work_is_told_whole(house: House, capsys: Any, stage: str | None) -> None:
    with lease.held(house.layout.lease, "make run", stage) as held:
        assert held is not None
        _, found = asked(capsys)
        holder = held.holder
    (said,) = found["lock"]
    at = "at stage pretrain, " if stage else ""
    assert said["sentence"] == (
        f"make run is at work here since {holder.since} ({at}process {holder.process} on "
        f"{holder.host})"
    )


def test_a_damaged_champion_is_bad_with_the_way_out(house: House, capsys: Any) -> None:
    folder = served.checked_folder(house.layout, "magic-mirror")
    path = next(folder.rglob("magic_mirror_config.json"))
    path.write_text(path.read_text() + " ")
    status, found = asked(capsys)
    assert status == 1
    (champion,) = found["champion"]
    assert champion["state"] == "bad"
    assert "is not what was registered" in champion["sentence"]
    assert "puts it back" in champion["sentence"]


def test_a_pin_and_what_is_not_shipped_are_notes(house: House, capsys: Any) -> None:
    assert cli.main(["rollback", "--to", "1", "--reason", "for the fair"]) == 0
    (house.root / "work" / "tiny" / "spool" / "00-evaluate-1").mkdir(parents=True)
    status, found = asked(capsys)
    assert status == 0
    assert "for the fair" in found["pin"][0]["sentence"]
    assert "1 execution not shipped" in found["MLflow"][0]["sentence"]
    assert "ships them" in found["MLflow"][0]["fix"]


def test_settings_and_inputs_that_are_wrong(house: House, capsys: Any) -> None:
    (house.root / "weights" / "pack" / "manifest.json").write_text(
        json.dumps({"files": {"detector.onnx": "0" * 64}})
    )
    status, found = asked(capsys)
    assert status == 1
    (inputs,) = found["inputs"]
    assert "detector.onnx is missing or differs from" in inputs["sentence"]

    shutil.rmtree(house.root / "weights")
    _, found = asked(capsys)
    for name in ("facepack", "judge", "backbone"):
        assert found[name][0]["state"] == "bad"
        assert found[name][0]["fix"] == f"correct {name} in params.yaml"

    params = house.root / "params.yaml"
    params.write_text(params.read_text().replace("profile: tiny", "profile: tinny"))
    status, found = asked(capsys)
    assert status == 1
    assert "There is no profile 'tinny'" in found["settings"][0]["sentence"]
    assert found["disk"][0]["state"] != "bad", "the other looks are made all the same"


def test_a_failed_candidate_is_named_with_its_place(house: House, capsys: Any) -> None:
    out = house.layout.work("faces", "f" * 64) / "out"
    said = {"stage": "faces", "success": False, "sentence": "The audit of faces failed."}
    atomic.write_json(out / "audit.json", {**said, "expectations": []})
    _, found = asked(capsys)
    (candidate,) = [one for one in found["faces"] if "candidate" in one["sentence"]]
    assert "The audit of faces failed." in candidate["sentence"]
    assert f"work/tiny/faces/{'f' * 12}/out" in candidate["fix"]


def test_a_server_that_is_named_and_dead_tells_no_password(
    house: House, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("MM_CATALOGUE_URL", "postgresql+psycopg://me:geheim@127.0.0.1:9/books")
    status, found = asked(capsys)
    (server,) = found["MM_CATALOGUE_URL"]
    assert (status, server["state"]) == (1, "bad")
    assert server["sentence"].startswith("127.0.0.1:9 does not answer")
    assert server["fix"] == "start it, or unset it"
    assert "geheim" not in json.dumps(found)


@pytest.mark.parametrize(
    ("line", "state", "said"),
    [
        ("numpy==0.0.1", "note", "(lock: 0.0.1)"),
        ("no-such-package==1.0", "bad", "no-such-package missing (lock: 1.0)"),
        ("", "good", "all 0 as in requirements.lock"),
    ],
)
def test_packages_are_held_against_the_lock(
    tmp_path: Path, line: str, state: str, said: str
) -> None:
    (tmp_path / "requirements.lock").write_text(f"# a comment\n{line}\n")
    (found,) = machine.packages(tmp_path)
    assert found.state == state
    assert said in found.sentence
    assert (found.fix == "make setup") is (state != "good")


@pytest.mark.parametrize(("gib", "state"), [(0.5, "bad"), (3, "note"), (50, "good")])
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: Any, gib: float, state: str) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=int(gib * 2**30))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (found,) = machine.disk(tmp_path)
    assert found.state == state
    assert f"{gib:.1f} GiB free" in found.sentence
    assert ("dvc gc" in found.fix) is (state != "good")


def test_nothing_is_changed_by_looking(house: House, capsys: Any) -> None:
    before = digests.of_folder(house.root)
    asked(capsys)
    assert digests.of_folder(house.root) == before
