"""The promotion rule's error rates on made figures: fewer draws than `benchmarks promotion`."""

from pathlib import Path

import pytest

from benchmarks import promotion
from mm_model.settings import load_profile

pytestmark = pytest.mark.capability("promotion, pins, rollback", scale="T")

ROOT = Path(__file__).resolve().parents[2]
SLACK = 0.05
"""What a mean of few draws may stray by."""


def test_the_rule_errs_as_rarely_as_is_claimed() -> None:
    profile = load_profile(ROOT, "tiny")
    made = promotion.claims(profile.register_, profile.evaluate.clips_per_person, draws=200)
    assert len(made) == 9
    for claim in made:
        kept = claim.plausible() if claim.draws else claim.value <= claim.bound + SLACK
        assert kept, claim


def test_so_many_draws_tell_thrice_the_claimed_errors() -> None:
    def of(value: float, bound: float, at_most: bool = True) -> bool:
        return promotion.Claim("", value, bound, at_most, draws=200).plausible()

    assert of(0.06, 0.05) and not of(0.1, 0.05)
    assert of(0.88, 0.9, False) and not of(0.8, 0.9, False)
    assert of(0, 0) and not of(0.01, 0), "what must never happen may not"


def test_a_claim_that_does_not_hold_is_told() -> None:
    assert "FAILS" in promotion.Claim("too many", 0.2, 0.05).line()
    assert "holds" in promotion.Claim("often enough", 0.9, 0.8, at_most=False).line()
