"""`explain` tells of each file what each stage said of that very file, and of no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mm_model.store import tables
from tests.serving.house import House
from tests.stages.test_owed import content, learned, registered, sample
from tests.stages.test_releases import grown, house, refused, say

__all__ = ["grown", "house"]  # fixtures
pytestmark = pytest.mark.capability("explain", scale="T")


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    kinds = {bool: "flag", int: "count"}
    types = {name: kinds[type(one)] for name, one in rows[0].items() if type(one) in kinds}
    path.parent.mkdir(parents=True, exist_ok=True)
    tables.write(path, rows, tuple(rows[0]), types)


def decided(name: str, status: str = "kept", **said: Any) -> dict[str, Any]:
    known = {"sample_id": sample(name), "source_id": f"source-{name}", "status": status}
    return {**known, "reason": None, **said}


@pytest.fixture
def known(house: House) -> House:
    """Files a to f: a and b trained on pictures, b and c on clips, d shown beside c; e shows
    nobody, f could not be read."""
    files = [
        {
            **decided(name, "failed" if name == "f" else "kept"),
            "name": f"{name}.jpg",
            "path": f"raw/{name}.jpg",
            "sha256": content(name),
            "synthetic": False,
            "bytes": 7,
            "licence": "CC0",
            "consent": f"written:{name}",
            "reason": "IO_UNREADABLE" if name == "f" else None,
        }
        for name in "abcdef"
    ]
    write(house.layout.output("sources") / "inventory.parquet", files)
    seen = {"media": "picture", "width": 8, "height": 9, "num_frames": 1, "caption_origin": "given"}
    rows = [decided(name, caption=f"this is {name}", **seen) for name in "abcde"]
    write(house.layout.output("ingest") / "samples.parquet", rows)
    faces = [
        decided(
            name,
            "rejected" if name == "e" else "kept",
            identity=None if name == "e" else f"id-{name}",
            split="train",
            frames_found=0 if name == "e" else 1,
            frames_examined=1,
        )
        | ({"reason": "FACE_NONE"} if name == "e" else {})
        for name in "abcde"
    ]
    write(house.layout.output("faces") / "samples.parquet", faces)
    pairs: Path = house.layout.output("pairs")
    pair = {"target": sample("c"), "reference": "of-d", "status": "kept", "kind": "other"}
    write(pairs / "pairs.parquet", [pair, pair | {"target": sample("b"), "reference": "of-b"}])
    shown = [{"reference": f"of-{one}", "sample_id": sample(one), "origin": ""} for one in "bd"]
    write(pairs / "references.parquet", shown)
    learned(house, "pretrain", "ab")
    learned(house, "finetune", "bc")
    return house


def facts(capsys: Any, name: str) -> dict[str, Any]:
    said = json.loads(say(capsys, "explain", f"raw/{name}.jpg", "--json"))
    assert said["sources"]["consent"] == f"written:{name}"
    return said


def test_each_training_is_told_of_what_it_learned_itself(known: House, capsys: Any) -> None:
    learned_from = {
        name: [stage for stage in ("pretrain", "finetune") if facts(capsys, name)[stage]["target"]]
        for name in "abcd"
    }
    assert learned_from == {
        "a": ["pretrain"],
        "b": ["pretrain", "finetune"],
        "c": ["finetune"],
        "d": [],
    }


def test_a_picture_is_told_of_those_that_it_was_shown_to(known: House, capsys: Any) -> None:
    assert facts(capsys, "d")["pairs"]["shown_to"] == [sample("c")]
    assert facts(capsys, "d")["pairs"]["target_of"] == 0
    assert facts(capsys, "c")["pairs"] == {"target_of": 1, "references": [], "shown_to": []}


def test_the_stage_that_left_a_file_out_is_named(known: House, capsys: Any) -> None:
    assert facts(capsys, "e")["ingest"]["status"] == "kept"
    left = facts(capsys, "e")["faces"]
    assert (left["status"], left["reason"], left["identity"]) == ("rejected", "FACE_NONE", None)
    assert facts(capsys, "a")["faces"]["identity"] == "id-a"
    never = facts(capsys, "f")
    assert never["sources"]["reason"] == "IO_UNREADABLE" and "ingest" not in never
    text = say(capsys, "explain", "e.jpg")
    assert "ingest:\n  kept" in text and "faces:\n  rejected, FACE_NONE" in text


def test_a_file_that_nobody_knows(known: House, capsys: Any) -> None:
    assert "There is no release and no sample 'g.jpg' here" in refused(capsys, "explain", "g.jpg")


def test_a_file_that_was_taken_away_is_told_of_by_the_releases_it_trained(
    known: House, tmp_path: Path, capsys: Any
) -> None:
    inventory = known.layout.output("sources") / "inventory.parquet"
    files = tables.records(inventory)
    registered(known)
    write(inventory, files)
    (copy := tmp_path / "mine.jpg").write_bytes(b"b")
    assert "file raw/b.jpg" in say(capsys, "explain", str(copy)), "known by what is in it"
    write(inventory, [row for row in files if row["name"] != "b.jpg"])
    told = say(capsys, "explain", sample("b"))
    assert "which the last run of sources did not find" in told
    assert "it trained version 3" in told
    assert say(capsys, "explain", str(copy)) == told
    assert say(capsys, "explain", content("b")) == told
    assert "no sample" in refused(capsys, "explain", sample("nobody"))
