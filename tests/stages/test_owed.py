"""What a release owes: its terms, and which of the samples that trained it were withdrawn since."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mm_model.store import tables
from mm_model.tracking import store
from tests.serving.house import House, metrics
from tests.stages.test_releases import NAME, grown, house, say

__all__ = ["grown", "house"]  # fixtures
pytestmark = pytest.mark.capability("promotion, pins, rollback", scale="T")


def content(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def sample(name: str) -> str:
    """What `ingest` calls the sample of a file."""
    return content(name)[:16]


def found(house: House, names: Sequence[str], refused: Sequence[str] = ()) -> None:
    """A run of `sources` that took files of these names, and refused others."""
    rows = [
        {"source_id": name, "sha256": content(name), "status": status}
        for status, those in (("kept", names), ("rejected", refused))
        for name in those
    ]
    write(house.layout.output("sources") / "inventory.parquet", rows)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tables.write(path, rows, tuple(rows[0]), {})


def learned(house: House, stage: str, names: Sequence[str]) -> None:
    """What a training says it learned from."""
    rows = [{"sample_id": sample(name)} for name in names]
    write(house.layout.output(stage) / "targets.parquet", rows)


def registered(house: House) -> None:
    """A third version, trained on pictures a and b and clips b and c, with d for reference."""
    house.stub_weights("three")
    found(house, "abcdef")
    learned(house, "pretrain", "ab")
    learned(house, "finetune", "bc")
    pairs = house.layout.output("pairs")
    write(
        pairs / "pairs.parquet",
        [
            {"target": sample("c"), "reference": "picture-of-d"},
            {"target": sample("e"), "reference": "picture-of-f"},  # trains nothing
            {"target": sample("c"), "reference": "painted"},
        ],
    )
    write(
        pairs / "references.parquet",
        [
            {"reference": "picture-of-d", "sample_id": sample("d"), "origin": None},
            {"reference": "picture-of-f", "sample_id": sample("f"), "origin": None},
            {"reference": "painted", "sample_id": "no-file", "origin": sample("a")},
        ],
    )
    house.evaluated(metrics([0.5, 0.6, 0.7, 0.6]))
    assert house.register()["aliases"] == ["champion"]


def of_version(capsys: Any, number: int) -> str:
    """The paragraph on a version."""
    lines = say(capsys, "releases", "--owed").splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"Version {number}"))
    return "\n".join(lines[at : at + 3])


def test_a_release_names_its_terms_and_its_samples(house: House, capsys: Any) -> None:
    registered(house)
    said = of_version(capsys, 3)
    assert said.startswith("Version 3 (champion), release ")
    assert "terms of use: unknown, because of " in said
    assert "4 trained it; none was withdrawn up to the last run of sources." in said


def test_what_was_withdrawn_is_counted_and_named(house: House, capsys: Any) -> None:
    registered(house)
    found(house, "bcef", refused="a")  # d's file is gone, the statement for a
    said = of_version(capsys, 3)
    assert "2 of 4 that trained it were withdrawn since" in said
    assert all(sample(name) in said for name in "ad")
    assert "'make run' trains without them" in said
    say(capsys, "rollback", "--to", "1")
    assert "do not choose it again" in of_version(capsys, 3)


def test_other_sources_and_none_are_told_apart(house: House, capsys: Any) -> None:
    registered(house)
    found(house, "xyz")
    assert "none of the 4 that trained it was taken" in of_version(capsys, 3)
    (house.layout.output("sources") / "inventory.parquet").unlink()
    assert "the output of sources of profile tiny is not here" in of_version(capsys, 3)


def test_a_release_of_before_says_that_nothing_was_recorded(house: House, capsys: Any) -> None:
    assert "was not recorded" in of_version(capsys, 2)


def test_a_record_that_is_gone_is_no_fault(house: House, capsys: Any) -> None:
    registered(house)
    version = store.open_client(house.layout).get_model_version(NAME, "3")
    (house.root / version.tags["trained_on"]).unlink()
    assert "was not recorded" in of_version(capsys, 3)
