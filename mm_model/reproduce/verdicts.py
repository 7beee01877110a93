"""What the protocol's parts say together: means, changes, and a verdict on each claim.

Magic-Me says of its ablations: without prompt-to-segmentation the background enters the tokens,
spoils what the words ask for, and smoothness rises because motion vanishes; without the 3D Gaussian
noise prior smoothness, likeness and obedience fall. Source: Magic-Me (arXiv 2402.09368), section
5.4, as its summaries give it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.metrics.subject import CLIP_I, CLIP_T, SMOOTH
from mm_model.reproduce.claims import Claim
from mm_model.store.atomic import Document

BASE, WHOLE, NO_MASKS, NO_PRIOR = "base", "whole method", "no masks", "no noise prior"
VARIANTS = (BASE, WHOLE, NO_MASKS, NO_PRIOR)

STAND_INS = {SMOOTH: "proxy_frame_ssim", CLIP_I: "proxy_hsv_similarity", CLIP_T: "obeyed"}
"""By what a claim is judged where its own network is not given; the verdict says which it was."""

ABLATIONS = {
    NO_MASKS: (
        Claim("without masks the background is in the tokens", "ground", up=True),
        Claim("without masks smoothness rises", SMOOTH, up=True),
        Claim("without masks motion falls", "frame_change", up=False),
        Claim("without masks the words are followed less", CLIP_T, up=False),
    ),
    NO_PRIOR: (
        Claim("without the noise prior smoothness falls", SMOOTH, up=False),
        Claim("without the noise prior clips are less like the photographs", CLIP_I, up=False),
        Claim("without the noise prior the words are followed less", CLIP_T, up=False),
    ),
}


def figures(parts: Sequence[Document]) -> Document:
    """Means over subjects by measure and variant, changes with 95% intervals over subjects, the
    claims with their verdicts, and the budget.
    """
    names = list(dict.fromkeys(name for part in parts for name in part["scores"][BASE]))
    rows = {name: _row(parts, name) for name in names}
    return {
        "measures": rows,
        "claims": [
            _judged(claim, variant, rows) for variant, some in ABLATIONS.items() for claim in some
        ],
        "seconds": {
            what: round(float(np.median([part["seconds"][what] for part in parts])), 2)
            for what in parts[0]["seconds"]
        },
    }


def _row(parts: Sequence[Document], name: str) -> Document:
    """One measure; subjects that it is not of (a cup has no face) are left out and counted."""
    by = {variant: [part["scores"][variant].get(name) for part in parts] for variant in VARIANTS}
    return {
        **{variant: mean_interval(values) for variant, values in by.items()},
        "gain over the base": paired_interval(by[WHOLE], by[BASE]),
        **{f"change, {one}": paired_interval(by[one], by[WHOLE]) for one in ABLATIONS},
    }


def _judged(claim: Claim, variant: str, rows: dict[str, Document]) -> Document:
    """A claim's verdict, by its own measure or by the stand-in where that cannot be had."""
    by = claim.name
    if not rows.get(by, {}).get(WHOLE, {}).get("people"):
        by = STAND_INS.get(by, by)
    empty = paired_interval([], [])
    change = rows.get(by, {}).get(f"change, {variant}", empty)
    return {
        "ablation": variant,
        "claim": claim.says,
        "by": by,
        "change": change,
        "verdict": claim.verdict(change),
    }
