"""The promotion rule: when may a new version take the place of the champion.

A pure function of evaluations (`metrics.json` of the stage evaluate) and the profile's rule. It
reads no file and moves no alias; what cannot be compared is never promoted. The rule in plain words
and how often it errs: docs/decisions/promotion.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mm_model.metrics.intervals import FEWEST, known, mean_of
from mm_model.register import floors
from mm_model.register.people import Common, Metrics, candidate, has
from mm_model.settings import RegisterSettings

WINDOW = 5
"""So many of the last champions a new one is held against, beside the oldest one known."""

MOTION = ("translation", "fm_inter")
"""The measure of motion: the first that the new version has."""

FACES = "face_found_rate"
_NOT_PROMOTED = "Not promoted: it stays the challenger."


@dataclass(frozen=True)
class Promotion:
    """`promote`: move the alias champion. `comparisons`: each that was made, with its numbers."""

    promote: bool
    comparisons: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The comparisons and what follows from them."""
        verdict = "Promoted to champion." if self.promote else _NOT_PROMOTED
        return (*self.comparisons, verdict)


Check = tuple[bool, str]


def decide(
    challenger: Metrics,
    champion: Metrics | None,
    rule: RegisterSettings,
    earlier: Sequence[Metrics] = (),
    same_adapter: bool = False,
) -> Promotion:
    """Hold `challenger` against `champion`, or against the base without identity if there is none.

    The deciding goals must pass. Identity, paired over people, must rise (the lower end of its
    `rule.confidence` interval lies above zero). It must not be told apart as lower than that of an
    earlier champion, nor motion or faces as changed by more than `rule.tolerated_change`, unless
    they come nearer to the true clips'; these refusals share one error rate (Bonferroni).
    `earlier`: champions before the present one, oldest first; the oldest and the last five count.
    `same_adapter`: the two differ in code or configuration only; then nothing need rise.
    """
    said: list[Check] = [floors.kept(challenger)]
    rise, tolerated = rule.confidence, rule.tolerated_change
    before = [champion] if champion is not None else []
    if champion is None:
        said.append(_over_base(challenger))
    else:
        common = Common.of(challenger, champion)
        if common.why is not None:
            return Promotion(False, (common.why,))
        if common.note:
            said.append((True, common.note))
        if not same_adapter:
            said.append(_rises(challenger, champion, common, rise))
    against = [*before, *window(earlier)]
    held = [(one, common) for one in against if not (common := Common.of(challenger, one)).why]
    if held:
        confidence = 1 - (1 - rise) / (3 * len(held))
        said.append(_no_ratchet(challenger, held, confidence))
        for measure, title in ((_motion(challenger), "Motion"), (FACES, "Faces found")):
            said.append(_band(challenger, held, (measure, title), tolerated, confidence))
    # What refuses comes first.
    ordered = sorted(said, key=lambda check: check[0])
    return Promotion(all(passed for passed, _ in said), tuple(text for _, text in ordered))


def window(earlier: Sequence[Any]) -> Sequence[Any]:
    """The oldest, so that small losses cannot add up over many promotions, and the last ones."""
    return earlier if len(earlier) <= WINDOW else (earlier[0], *earlier[-WINDOW:])


def _motion(metrics: Metrics) -> str:
    return next((name for name in MOTION if has(metrics, name)), MOTION[-1])


def _over_base(challenger: Metrics) -> Check:
    gains = challenger.get("gain") or {}
    gain = gains.get("candidate_over_base") or gains.get(f"{candidate(challenger)}_over_base") or {}
    value, low = known(gain.get("value")), known(gain.get("low"))
    if value is None or low is None:
        return False, (
            "Identity: the gain over the base is unavailable; it takes an interval, so "
            f"{FEWEST} held-out people at least."
        )
    word = "rises" if low > 0 else "does not rise"
    return low > 0, (
        f"Identity {word} against the base without identity by more than its interval: difference "
        f"{value:+.4f}, lower end of the 95% interval {low:+.4f}."
    )


def _rises(challenger: Metrics, champion: Metrics, common: Common, confidence: float) -> Check:
    found = common.figures(challenger, champion, "identity")
    if (ends := mean_of(found[:, 0] - found[:, 1], confidence)) is None:
        return False, (
            f"Identity: only {len(found)} people were measured for both versions, "
            f"{FEWEST} are needed."
        )
    word = "rises" if ends[0] > 0 else "does not rise"
    return ends[0] > 0, (
        f"Identity {word} against the champion by more than its interval: difference "
        f"{np.mean(found[:, 0] - found[:, 1]):+.4f}, lower end of the {confidence:.0%} interval "
        f"{ends[0]:+.4f}."
    )


Held = Sequence[tuple[Metrics, Common]]


def _no_ratchet(challenger: Metrics, held: Held, confidence: float) -> Check:
    compared = 0
    for theirs, common in held:
        found = common.figures(challenger, theirs, "identity")
        difference = found[:, 0] - found[:, 1]
        if (ends := mean_of(difference, confidence)) is None:
            continue
        compared += 1
        if ends[1] < 0:
            return False, (
                "Identity falls below that of the best of the last champions: difference "
                f"{difference.mean():+.4f}, upper end of the {confidence:.1%} interval "
                f"{ends[1]:+.4f}."
            )
    if not compared:
        return False, "Identity: no champion has enough people in common to be compared on."
    return True, f"Identity is not below that of the last champions ({compared} compared)."


def _band(
    challenger: Metrics, held: Held, named: tuple[str, str], tolerated: float, confidence: float
) -> Check:
    """Whether a measure stays within what is tolerated of every champion that has it."""
    measure, title = named
    shown = f"{title} ({measure})"
    owners = [(theirs, common) for theirs, common in held if has(theirs, measure)]
    if not owners:
        return True, f"{shown}: unavailable for the champion, so there is nothing to be held to."
    if not has(challenger, measure):
        return False, f"{shown}: unavailable for the new version, known for the champion."
    furthest: tuple[float, str] | None = None
    for theirs, common in owners:
        found = common.figures(challenger, theirs, measure)
        change, limit, away = _change(found, measure, tolerated)
        if (ends := mean_of(change, confidence)) is None:
            return False, f"{shown}: only {len(found)} people in common, {FEWEST} are needed."
        mean = float(change.mean())
        text = f"{found[:, 0].mean():.4f} against {found[:, 1].mean():.4f}"
        if away and (ends[1] < -limit or ends[0] > limit):
            word = "falls too far" if mean < 0 else "rises too far"
            return False, (
                f"{shown} {word} from one of the last champions: {text}, told apart by more than "
                f"the tolerated {tolerated:.0%}."
            )
        if furthest is None or abs(mean) > furthest[0]:
            furthest = (abs(mean), text)
    text = furthest[1] if furthest else ""
    return True, f"{shown} keeps within the tolerated {tolerated:.0%}: at most {text}."


def _change(found: np.ndarray, measure: str, tolerated: float) -> tuple[np.ndarray, float, bool]:
    """Change by person, its limit, and whether it leads away from the true clips (or there are
    none). Motion changes as a logarithm of a ratio, faces as a difference of shares.
    """
    if measure == FACES:
        values, limit, aim = found, tolerated, np.ones(len(found))
    else:
        # A tenth of the usual motion on both sides keeps the ratio of two still clips at one.
        usual = max(float(np.median(np.abs(found[:, 1]))) if len(found) else 0.0, 1e-6)
        values = np.log(np.maximum(found, 0) + usual / 10)
        limit, aim = math.log1p(tolerated), values[:, 2]
    told = np.isfinite(aim)
    away = True
    if told.sum() >= FEWEST:
        off = [abs(float((values[told, k] - aim[told]).mean())) for k in (0, 1)]
        away = off[0] > off[1]
    return values[:, 0] - values[:, 1], limit, away
