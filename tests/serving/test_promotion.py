"""The promotion rule, as a table."""

import numpy as np
import pytest

from mm_model.register.promotion import decide, lower_bound
from mm_model.settings import RegisterSettings
from tests.serving.house import metrics

pytestmark = pytest.mark.capability("promotion, pins, rollback", scale="T")

RULE = RegisterSettings(model_name="m", max_relative_drop=0.05, confidence=0.95)
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
        (metrics(BETTER, fm_inter=0.191), True, "Promoted"),
        (metrics(BETTER, fm_inter=0.19), False, "falls too far"),
        (metrics(BETTER, face_found_rate=0.86), True, "Promoted"),
        (metrics(BETTER, face_found_rate=0.85), False, "falls too far"),
        (metrics(BETTER, fm_inter=None), False, "unavailable"),
        (metrics(BETTER, test_set="b" * 64), False, "different test sets"),
        (metrics(BETTER[:-1]), False, "0 people"),
    ],
)
def test_against_a_champion(challenger: dict, promoted: bool, word: str) -> None:
    decision = decide(challenger, metrics(OLD), RULE)
    assert decision.promote is promoted
    assert any(word in sentence for sentence in decision.sentences)


def test_people_measured_for_one_version_only_do_not_count() -> None:
    challenger = metrics(BETTER)
    challenger["per_person"]["finetune"]["identity"] = [0.9, 0.9, None, None, None, None]
    decision = decide(challenger, metrics(OLD), RULE)
    assert not decision.promote
    assert "only 2 people" in decision.sentences[0]


def test_the_first_champion_is_held_against_the_base() -> None:
    first = metrics(BETTER)
    assert decide(first, None, RULE).promote
    first["gain"]["finetune_over_base"] = {"value": 0.2, "low": -0.01, "high": 0.4}
    assert not decide(first, None, RULE).promote
    first["gain"] = None
    decision = decide(first, None, RULE)
    assert not decision.promote
    assert "unavailable" in decision.sentences[0]


def test_a_first_champion_has_no_predecessor_to_fall_from() -> None:
    first = metrics(BETTER, fm_inter=0.01, face_found_rate=None)
    decision = decide(first, None, RULE)
    assert decision.promote
    assert "0.0100, 0.2000 for the base" in decision.sentences[1]
    assert "unavailable, 0.9000 for the base" in decision.sentences[2]


def test_a_champion_without_a_figure_is_nothing_to_fall_from() -> None:
    champion = metrics(OLD)
    champion["variants"]["finetune"]["fm_inter"] = None
    assert decide(metrics(BETTER), champion, RULE).promote


def test_an_empty_evaluation_is_never_promoted() -> None:
    assert not decide({}, None, RULE).promote
    assert not decide({}, {}, RULE).promote
    assert not decide({"test_set_digest": "a"}, {"test_set_digest": "a"}, RULE).promote


def test_the_bound_is_the_bootstrap_of_a_known_spread() -> None:
    values = np.random.default_rng(1).normal(1.0, 0.5, 400)
    expected = values.mean() - 1.96 * values.std() / 20
    assert lower_bound(values, 0.95) == pytest.approx(expected, abs=0.01)
    assert lower_bound(values, 0.95) == lower_bound(values, 0.95)
