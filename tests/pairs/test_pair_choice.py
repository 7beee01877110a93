"""The choice of pairs: strict cosine, kinds in turn, one identity, and seeds that stand alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_model.pairs.select import Reference, candidates_for, decide, pairs_for
from mm_model.records import Reason

pytestmark = pytest.mark.capability("synthetic pairs", scale="T")

TARGET = "00000000000000aa"
KINDS = ("self_reference", "cross", "synthetic")


def _rules(above: float, number: int = 3, kinds: tuple[str, ...] = KINDS) -> SimpleNamespace:
    return SimpleNamespace(cosine_above=above, per_target=number, kinds=kinds)


def _at(cosine: float) -> np.ndarray:
    return np.array([cosine, np.sqrt(1 - cosine**2)], np.float64)


def _reference(key: str, cosine: float = 1.0, sample: str | None = "b" * 16) -> Reference:
    return Reference(key, "id-0001", sample, _at(cosine), None if sample else 7)


EMBEDDING = np.array([1.0, 0.0])


@pytest.mark.parametrize(
    ("cosine", "status"),
    [(0.65, "rejected"), (0.6500001, "kept"), (0.64, "rejected"), (1.0, "kept")],
)
def test_the_cosine_must_be_above_not_at_the_threshold(cosine: float, status: str) -> None:
    pair = decide(TARGET, EMBEDDING, _reference("r", cosine), _rules(0.65))
    assert pair.status == status
    assert (pair.reason is None) == (status == "kept")


def test_not_a_number_is_rejected() -> None:
    dead = Reference("r", "id-0001", "b" * 16, np.full(2, np.nan))
    for threshold in (-1.0, 0.65):
        assert decide(TARGET, EMBEDDING, dead, _rules(threshold)).reason == "PAIR_LOW_COSINE"
    unknown = np.full(2, np.nan)
    assert decide(TARGET, unknown, _reference("r"), _rules(-1.0)).reason == "PAIR_LOW_COSINE"
    missing = Reference("r", "id-0001", None, None)
    assert decide(TARGET, EMBEDDING, missing, _rules(-1.0)).reason == "PAIR_LOW_COSINE"


def test_a_synthesised_picture_without_one_face_is_rejected_for_that() -> None:
    for flaw in (Reason.PAIR_NO_FACE, Reason.PAIR_MANY_FACES):
        made = Reference("made-1", "id-0001", None, _at(1.0), 7, flaw)
        assert decide(TARGET, EMBEDDING, made, _rules(0.0)).reason == flaw


def _library() -> list[Reference]:
    own = [_reference(f"{TARGET}#frame={i}", sample=TARGET) for i in range(3)]
    others = [_reference(f"{i:016x}", sample=f"{i:016x}") for i in range(6)]
    return own + others + [_reference(f"made-{i}", sample=None) for i in range(4)]


def test_kinds_take_turns() -> None:
    tried = pairs_for(TARGET, EMBEDDING, _library(), _rules(0.5, 3), 1)
    assert [pair.kind for pair in tried] == list(KINDS)
    six = pairs_for(TARGET, EMBEDDING, _library(), _rules(0.5, 6), 1)
    assert [pair.kind for pair in six] == list(KINDS) * 2
    assert len({pair.reference.key for pair in six}) == 6


def test_only_the_kinds_asked_for() -> None:
    tried = pairs_for(TARGET, EMBEDDING, _library(), _rules(0.5, 9, ("cross",)), 1)
    assert {pair.kind for pair in tried} == {"cross"}
    assert len(tried) == 6


def test_rejections_are_replaced_up_to_twice_the_number() -> None:
    bad = [_reference(f"{i:016x}", 0.1, f"{i:016x}") for i in range(20)]
    assert len(pairs_for(TARGET, EMBEDDING, bad, _rules(0.5), 1)) == 6
    mixed = [*bad[:2], *(_reference(f"{i:016x}", 0.9, f"{i:016x}") for i in range(50, 53))]
    for seed in range(5):
        tried = pairs_for(TARGET, EMBEDDING, mixed, _rules(0.5), seed)
        assert sum(pair.status == "kept" for pair in tried) == 3


@given(st.integers(0, 2**31), st.integers(0, 2**62))
def test_the_order_is_seeded_and_complete(seed: int, target: int) -> None:
    name = f"{target:016x}"
    library = _library()
    first = [r.key for r in candidates_for(name, library, KINDS, seed)]
    assert first == [r.key for r in candidates_for(name, library, KINDS, seed)]
    assert sorted(first) == sorted(r.key for r in library)


def test_targets_differ_in_their_order() -> None:
    orders = {
        tuple(r.key for r in candidates_for(f"{i:016x}", _library(), ("synthetic",), 1))
        for i in range(100, 130)
    }
    assert len(orders) > 5
