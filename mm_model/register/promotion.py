"""The promotion rule: when may a new version take the place of the champion.

A pure function of two evaluations (`metrics.json` of the stage evaluate) and the profile's rule.
It reads no file and moves no alias; what cannot be compared is never promoted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mm_model.settings import RegisterSettings

_OURS = "finetune"
_BASE = "base"
_DRAWS = 10_000
_MIN_PAIRS = 3
_NOT_PROMOTED = "Not promoted: it stays the challenger."
_KEPT_UP = (("fm_inter", "motion"), ("face_found_rate", "share of frames with a face"))

Metrics = Mapping[str, Any]


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


def decide(
    challenger: Metrics,
    champion: Metrics | None,
    rule: RegisterSettings,
    same_adapter: bool = False,
) -> Promotion:
    """Hold `challenger` against `champion`, or against the base without identity if there is none.

    Identity must rise by more than its interval (the lower end of the paired difference's
    `rule.confidence` interval lies above zero); motion (fm_inter) and the share of frames with a
    face must fall by less than `rule.max_relative_drop` from the champion's. A first champion is
    held to identity alone: what moves in a clip of nobody in particular is no measure for it.
    `same_adapter`: the two differ in code or configuration only; then nothing may fall, and nothing
    need rise for the newer one to take the place.
    """
    if champion is not None:
        ours, theirs = (one.get("test_set_digest") for one in (challenger, champion))
        if ours is None or ours != theirs:
            reason = (
                "Not comparable with the champion: the two were evaluated on different test sets "
                f"({_short(ours)} and {_short(theirs)}); evaluate both on one to promote."
            )
            return Promotion(False, (reason,))
    checks = [
        _kept_up(challenger, champion, "identity", "identity", rule.max_relative_drop)
        if same_adapter and champion is not None
        else _identity(challenger, champion, rule)
    ]
    for metric, name in _KEPT_UP:
        checks.append(_kept_up(challenger, champion, metric, name, rule.max_relative_drop))
    return Promotion(all(passed for passed, _ in checks), tuple(sentence for _, sentence in checks))


def lower_bound(differences: np.ndarray, confidence: float) -> float:
    """Lower end of the two-sided percentile bootstrap interval of the mean of `differences` [N].

    Fixed seed: the same numbers give the same bound.
    """
    chosen = np.random.default_rng(0).integers(len(differences), size=(_DRAWS, len(differences)))
    return float(np.quantile(differences[chosen].mean(axis=1), (1 - confidence) / 2))


def _identity(
    challenger: Metrics, champion: Metrics | None, rule: RegisterSettings
) -> tuple[bool, str]:
    if champion is None:
        gain = (challenger.get("gain") or {}).get("finetune_over_base") or {}
        value, low = gain.get("value"), gain.get("low")
        if value is None or low is None:
            return False, "Identity: the gain over the base is unavailable."
        who = "the base without identity"
    else:
        pairs = _pairs(challenger, champion)
        if len(pairs) < _MIN_PAIRS:
            return False, (
                f"Identity: only {len(pairs)} people were measured for both versions, "
                f"{_MIN_PAIRS} are needed."
            )
        differences = pairs[:, 0] - pairs[:, 1]
        value, low = float(differences.mean()), lower_bound(differences, rule.confidence)
        who = "the champion"
    word = "rises" if low > 0 else "does not rise"
    return low > 0, (
        f"Identity {word} against {who} by more than its interval: difference {value:+.4f}, "
        f"lower end of the {rule.confidence:.0%} interval {low:+.4f}."
    )


def _pairs(challenger: Metrics, champion: Metrics) -> np.ndarray:
    """Identity per person of both versions, float64 [N, 2], people without both left out."""
    columns = [
        ((one.get("per_person") or {}).get(_OURS) or {}).get("identity") or []
        for one in (challenger, champion)
    ]
    if len(columns[0]) != len(columns[1]):
        return np.empty((0, 2))
    kept = [pair for pair in zip(*columns, strict=True) if None not in pair]
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _kept_up(
    challenger: Metrics, champion: Metrics | None, metric: str, name: str, drop: float
) -> tuple[bool, str]:
    ours = _value(challenger, _OURS, metric)
    title = f"{name[0].upper()}{name[1:]} ({metric})"
    if champion is None:
        base = _value(challenger, _BASE, metric)
        return True, (
            f"{title}: {_shown(ours)}, {_shown(base)} for the base; "
            "a first champion has no predecessor to fall from."
        )
    before = _value(champion, _OURS, metric)
    if before is None:
        return True, f"{title}: unavailable for the champion, so there is nothing to fall from."
    if ours is None:
        return False, f"{title}: unavailable for the new version, {before:.4f} for the champion."
    limit = before * (1 - drop) if before > 0 else before
    passed = ours > limit if before > 0 else ours >= limit
    word = "keeps up" if passed else "falls too far"
    return passed, (
        f"{title} {word}: {ours:.4f} against {before:.4f} for the champion, "
        f"must fall by less than {drop:.0%}."
    )


def _shown(value: float | None) -> str:
    return "unavailable" if value is None else f"{value:.4f}"


def _value(metrics: Metrics, variant: str, metric: str) -> float | None:
    known = ((metrics.get("variants") or {}).get(variant) or {}).get(metric) or {}
    return known.get("value")


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "none"
