"""The promotion rule's error rates on made figures: fewer draws than `benchmarks promotion`."""

from pathlib import Path

import pytest

from benchmarks import promotion
from mm_model.settings import load_profile

pytestmark = pytest.mark.capability("promotion, pins, rollback", scale="T")

ROOT = Path(__file__).resolve().parents[2]
SLACK = 0.1
"""What so few draws may stray by."""


def test_the_rule_errs_as_rarely_as_is_claimed() -> None:
    profile = load_profile(ROOT, "tiny")
    made = promotion.claims(profile.register_, profile.evaluate.clips_per_person, draws=40)
    assert len(made) == 9
    for claim in made:
        slack = SLACK if claim.bound else 0.0  # what must never happen may not
        reached = claim.value - slack if claim.at_most else claim.value + slack
        assert promotion.Claim(claim.title, reached, claim.bound, claim.at_most).holds, claim


def test_a_claim_that_does_not_hold_is_told() -> None:
    assert "FAILS" in promotion.Claim("too many", 0.2, 0.05).line()
    assert "holds" in promotion.Claim("often enough", 0.9, 0.8, at_most=False).line()
