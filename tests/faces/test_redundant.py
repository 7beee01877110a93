"""Identities that look alike: one stays, the others are told or rejected."""

from pathlib import Path

import numpy as np
import pytest

from mm_model.facepack.port import unit
from mm_model.faces import linkage
from mm_model.faces.redundant import doubles, settled
from mm_model.settings import load_profile

RULES = load_profile(Path(__file__).parents[2], "tiny").faces


def _people(**looks: tuple[float, int, str]) -> tuple[list[dict], np.ndarray]:
    """Rows and unit embeddings: of each identity an angle, a number of samples and a side."""
    rows, vectors = [], []
    for name, (degrees, number, split) in looks.items():
        angle = np.radians(degrees)
        rows += [{"identity": name, "split": split, "status": "kept"} for _ in range(number)]
        vectors += [unit(np.array([np.cos(angle), np.sin(angle), 0.0]))] * number
    return rows, np.array(vectors, np.float32)


ALIKE = {
    "a": (0, 1, "train"),
    "b": (10, 3, "train"),
    "c": (90, 2, "train"),
    "d": (95, 1, "held_out"),
    "e": (200, 2, "train"),
}


def test_the_held_out_stay_then_who_has_more_samples() -> None:
    told = doubles(*_people(**ALIKE), 0.9)
    assert [(one.identity, one.stays) for one in told] == [("a", "b"), ("c", "d")]
    assert told[0].cosine == pytest.approx(np.cos(np.radians(10)), abs=1e-5)
    assert doubles(*_people(**ALIKE), 0.999) == []


def test_who_is_near_nobody_that_stays_stays() -> None:
    chain = {"a": (0, 3, "train"), "b": (20, 2, "train"), "c": (40, 1, "train")}
    assert [one.identity for one in doubles(*_people(**chain), 0.9)] == ["b"]


@pytest.mark.parametrize("mode", ["report", "reject"])
def test_doubles_are_rejected_only_where_the_profile_says_so(mode: str) -> None:
    rows, means = _people(**ALIKE)
    rows[1]["status"] = "rejected"
    rules = RULES.model_copy(update={"redundant_above": 0.9, "redundant": mode})
    assert len(settled(rows, means, rules)) == 2
    refused = {row["identity"]: row for row in rows if row.get("reason") == "DUP_IDENTITY"}
    assert set(refused) == ({"a", "c"} if mode == "reject" else set())
    if refused:
        assert refused["a"]["message"] == "a looks like b"
        assert refused["a"]["reason_value"] > refused["a"]["reason_threshold"] == 0.9


def test_null_asks_nothing() -> None:
    rows, means = _people(**ALIKE)
    assert settled(rows, means, RULES.model_copy(update={"redundant_above": None})) is None
    assert {row["status"] for row in rows} == {"kept"}


def test_the_search_among_many_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(2)
    vectors = draws.normal(size=(300, 32)).astype(np.float32)
    vectors[150:] = vectors[:150] + 0.2 * vectors[150:]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [{"identity": f"id-{n:04d}", "split": "train"} for n in range(300)]
    exact = doubles(rows, vectors, 0.9)
    monkeypatch.setattr(linkage, "EXACT", 10)
    assert len(exact) == 150 and [one[:2] for one in doubles(rows, vectors, 0.9)] == [
        one[:2] for one in exact
    ]
