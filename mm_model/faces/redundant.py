"""Identities that look like one another: one person under two names, or two who are hard to tell.

Compared are the mean embeddings of identities, never all pairs of many (`faces/linkage.py`).
"""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mm_model.faces import identity as people
from mm_model.faces.linkage import near
from mm_model.records import HELD_OUT, Reason, Status
from mm_model.settings import FacesSettings


class Double(NamedTuple):
    """An identity, the one that stays in its place, and the cosine of their mean embeddings."""

    identity: str
    stays: str
    cosine: float


def doubles(kept: Sequence[Mapping[str, Any]], means: np.ndarray, above: float) -> list[Double]:
    """Identities of which another that stays is nearer than `above`, in the order of names.

    `kept` are rows with `identity` and `split`, `means` their unit embeddings [N, D]. Held-out
    people stay before those of training, then who has more samples, then the first name. Beyond
    `linkage.EXACT` identities a pair that the search misses is not told.
    """
    members: dict[str, list[int]] = {}
    for place, row in enumerate(kept):
        members.setdefault(row["identity"], []).append(place)
    if len(members) < 2:
        return []
    sides = {name: kept[places[0]]["split"] for name, places in members.items()}
    names = sorted(members, key=lambda name: (sides[name] != HELD_OUT, -len(members[name]), name))
    own = np.stack([people.mean_unit(means[members[name]]) for name in names]).astype(np.float32)
    found: dict[int, Double] = {}
    for first, second in sorted(zip(*(side.tolist() for side in near(own, above)), strict=True)):
        cosine = float(own[first] @ own[second])
        if first not in found and second not in found and cosine > above:
            found[second] = Double(names[second], names[first], cosine)
    return sorted(found.values())


def settled(
    kept: Sequence[MutableMapping[str, Any]], means: np.ndarray, rules: FacesSettings
) -> list[Double] | None:
    """The doubles of what is kept; where the profile says so their samples are rejected, in place.

    None where the profile has no bound.
    """
    bound = rules.redundant_above
    if bound is None:
        return None
    flags = [row["status"] == Status.KEPT for row in kept]
    rows = [row for row, flag in zip(kept, flags, strict=True) if flag]
    told = doubles(rows, means[flags], bound)
    if rules.redundant == "reject":
        of = {double.identity: double for double in told}
        for row in rows:
            if double := of.get(row["identity"]):
                row.update(
                    {
                        "status": str(Status.REJECTED),
                        "reason": str(Reason.DUP_IDENTITY),
                        "reason_value": double.cosine,
                        "reason_threshold": bound,
                        "message": f"{double.identity} looks like {double.stays}",
                    }
                )
    return told
