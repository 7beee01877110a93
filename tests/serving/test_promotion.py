"""The promotion rule, as a table."""

from typing import Any

import pytest

from mm_model.register.promotion import decide
from mm_model.settings import RegisterSettings
from tests.serving.house import metrics

pytestmark = pytest.mark.capability("promotion, pins, rollback", scale="T")

RULE = RegisterSettings(model_name="m", tolerated_change=0.05, confidence=0.95)
OLD = [0.40, 0.30, 0.50, 0.35, 0.45, 0.38]
BETTER = [value + 0.05 for value in OLD]
NOISY = [
    value + change for value, change in zip(OLD, [0.3, -0.2, 0.2, -0.25, 0.1, -0.1], strict=True)
]


@pytest.mark.parametrize(
    ("challenger", "promoted", "word"),
    [
        (metrics(BETTER), True, "Promoted"),
        (metrics(OLD), False, "does not rise"),
        (metrics(NOISY), False, "does not rise"),
        (metrics([value - 0.1 for value in OLD]), False, "does not rise"),
        (metrics(BETTER, fm_inter=0.192), True, "Promoted"),
        (metrics(BETTER, fm_inter=0.186), False, "falls too far"),
        (metrics(BETTER, fm_inter=0.8), False, "rises too far"),
        (metrics(BETTER, face_found_rate=0.86), True, "Promoted"),
        (metrics(BETTER, face_found_rate=0.84), False, "falls too far"),
        (metrics(BETTER, face_found_rate=1.0), True, "Promoted"),
        (metrics(BETTER, fm_inter=None), False, "unavailable"),
        (metrics(BETTER, fm_inter=float("nan")), False, "unavailable"),
        (metrics(BETTER, copy_paste_gap=0.3), False, "copy_paste_gap is 0.300, must be at most"),
        (metrics(BETTER, test_set="b" * 64), False, "different test sets"),
        (metrics(BETTER[:-1]), False, "other people"),
        (metrics([*BETTER[:3], float("inf"), float("nan"), 0.4]), False, "does not rise"),
    ],
)
def test_against_a_champion(challenger: dict, promoted: bool, word: str) -> None:
    decision = decide(challenger, metrics(OLD), RULE)
    assert decision.promote is promoted, decision.sentences
    assert any(word in sentence for sentence in decision.sentences), decision.sentences


def test_people_measured_for_one_version_only_do_not_count() -> None:
    challenger = metrics(BETTER)
    challenger["per_person"]["finetune"]["identity"] = [0.9, 0.9, 0.9, None, float("nan"), None]
    decision = decide(challenger, metrics(OLD), RULE)
    assert not decision.promote
    assert "only 3 people" in decision.sentences[0]


def test_the_first_champion_is_held_against_the_base() -> None:
    first = metrics(BETTER)
    assert decide(first, None, RULE).promote
    first["gain"]["candidate_over_base"] = {"value": 0.2, "low": -0.01, "high": 0.4}
    assert not decide(first, None, RULE).promote
    first["gain"] = None
    decision = decide(first, None, RULE)
    assert not decision.promote
    assert "unavailable" in decision.sentences[0]


def test_the_first_champion_must_pass_the_floors_too() -> None:
    assert not decide(metrics(BETTER, copy_paste_gap=0.3), None, RULE).promote
    first = metrics(BETTER)
    first["goals"] = []
    assert "no goal that decides" in decide(first, None, RULE).sentences[0]


@pytest.mark.parametrize("applies", [True, False])
def test_a_floor_without_a_figure_refuses_where_it_applies(applies: bool) -> None:
    first = metrics(BETTER, copy_paste_gap=None)
    first["goals"][0]["applies"] = applies
    assert decide(first, None, RULE).promote is not applies


def test_a_champion_without_a_figure_is_nothing_to_fall_from() -> None:
    champion = metrics(OLD, fm_inter=None)
    assert decide(metrics(BETTER), champion, RULE).promote


def test_who_comes_nearer_to_the_true_clips_may_change() -> None:
    champion, challenger = metrics(OLD, fm_inter=0.8), metrics(BETTER, fm_inter=0.3)
    assert not decide(challenger, champion, RULE).promote
    for one in (champion, challenger):
        one["per_person"]["true_clip"] = {"fm_inter": [0.25] * len(OLD)}
    assert decide(challenger, champion, RULE).promote
    assert not decide(metrics(BETTER, fm_inter=0.8), challenger, RULE).promote


def test_an_earlier_champion_that_was_better_stands_in_the_way() -> None:
    """A person went back to a champion of little likeness: what rises from there must not stop
    below what was reached before."""
    best, now = metrics([value + 0.2 for value in OLD]), metrics(OLD)
    assert decide(metrics(BETTER), now, RULE).promote
    decision = decide(metrics(BETTER), now, RULE, earlier=[best])
    assert not decision.promote
    assert "below that of the best of the last champions" in decision.sentences[0]


def test_small_losses_of_motion_do_not_add_up() -> None:
    known = [metrics(OLD)]
    for step in range(1, 21):
        made = metrics([v + 0.05 * step for v in OLD], fm_inter=0.2 * 0.97**step)
        if decide(made, known[-1], RULE, known[:-1]).promote:
            known.append(made)
    motion = known[-1]["per_person"]["finetune"]["fm_inter"][0]
    assert len(known) > 1 and motion > 0.2 * 0.94


def _tested(identity: list[float], names: str, conditions: str = "c") -> dict[str, Any]:
    """People of one letter each, tested alike wherever the letter is small."""
    said = metrics(identity, test_set=f"{names}{identity[0]}")
    said["identities"] = list(names.lower())
    said["tests"] = {name.lower(): f"{name}{conditions}" for name in names}
    said["conditions_digest"] = conditions
    return said


def test_added_people_leave_the_others_comparable() -> None:
    champion = _tested(OLD, "abcdef")
    # 'a' of the new set is a new person, first by name: places move.
    challenger = _tested([0.0, *[value + 0.05 for value in OLD]], "0abcdef")
    decision = decide(challenger, champion, RULE)
    assert decision.promote, decision.sentences
    assert any("compared on the 6 people that both have" in text for text in decision.sentences)
    other = decide(_tested(BETTER, "abcdef", "other"), champion, RULE)
    assert not other.promote and "rollback --to" in other.sentences[0]


@pytest.mark.parametrize("names", ["abcDEF", "uvwxyz"])
def test_too_few_people_in_common_are_said_with_the_way_out(names: str) -> None:
    decision = decide(_tested(BETTER, names), _tested(OLD, "abcdef"), RULE)
    assert not decision.promote
    assert "4 are needed" in decision.sentences[0] and "rollback --to" in decision.sentences[0]


def test_each_version_is_read_by_its_own_candidate() -> None:
    challenger = metrics(BETTER, candidate="pretrain")
    challenger["per_person"]["finetune"] = {"identity": [0.0] * len(OLD)}
    assert decide(challenger, metrics(OLD), RULE).promote


def test_other_code_of_the_same_adapter_need_not_rise_and_may_not_fall() -> None:
    assert decide(metrics(OLD), metrics(OLD), RULE, same_adapter=True).promote
    fallen = metrics([value - 0.02 for value in OLD])
    assert not decide(fallen, metrics(OLD), RULE, same_adapter=True).promote


def _lower(spreads: float, held: int) -> bool:
    """Whether identity that is lower by so many spreads of the mean passes, `held` champions."""
    strays = [0.01 * one for one in (-1, 1, -1, 1, 0, 0)]
    fall = spreads * 0.01 * (4 / 5 / 6) ** 0.5
    challenger = metrics([v - fall + s for v, s in zip(OLD, strays, strict=True)])
    before = [metrics(OLD)] * (held - 1)
    return decide(challenger, metrics(OLD), RULE, before, same_adapter=True).promote


def test_all_refusals_share_one_error_rate() -> None:
    """Student's t of six people is 2.57 at 95%, 3.53 for one of three looks, 4.22 of six."""
    assert _lower(3.0, held=1), "told apart by itself, but not among three looks"
    assert not _lower(3.9, held=1)
    assert _lower(3.9, held=2), "six looks ask for more"
    assert not _lower(4.6, held=2)


def test_half_of_the_people_must_be_tested_alike() -> None:
    many = [*OLD, *OLD[:4]]
    better = [value + 0.05 for value in many]
    decision = decide(_tested(better, "abcdEFGHIJ"), _tested(many, "abcdefghij"), RULE)
    assert not decision.promote
    assert (
        "only 4 of 10 people" in decision.sentences[0] and "5 are needed" in decision.sentences[0]
    )
    assert decide(_tested(better, "abcdeFGHIJ"), _tested(many, "abcdefghij"), RULE).promote


def test_an_empty_evaluation_is_never_promoted() -> None:
    assert not decide({}, None, RULE).promote
    assert not decide({}, {}, RULE).promote
    assert not decide({"test_set_digest": "a"}, {"test_set_digest": "a"}, RULE).promote
