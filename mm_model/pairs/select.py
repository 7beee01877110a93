"""Which candidates are tried for a target, and which are kept: pure choice over names and cosines.

A pair joins two pictures of one identity, always. The rule on cosines is strict and NaN never
passes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from sys import intern
from typing import Protocol

import numpy as np

from mm_model.decisions.pairs import TriedPair, broken_rule
from mm_model.records import Reason, Status

KINDS = ("self_reference", "cross", "synthetic")

TRIES_PER_PAIR = 2
"""Candidates tried for each pair wanted (design choice: rejections stay a minority of the rows)."""


class PairRules(Protocol):
    """The part of the `pairs` section this module reads."""

    @property
    def cosine_above(self) -> float: ...

    @property
    def per_target(self) -> int: ...

    @property
    def kinds(self) -> Sequence[str]: ...


@dataclass(frozen=True, eq=False, slots=True)
class Reference:
    """A picture that may stand for an identity.

    sample_id: the sample it is cut from, None when synthesised. embedding: float32 [width], unit
    length. flaw: why it can never be used (a synthesised picture with no face, with more faces than
    its origin, or that could not be made), with the value measured, its bound and a message. score,
    faces: detection score of its face and number of faces seen in it. place: its own among the
    pictures of the library, None when synthesised.
    """

    key: str
    identity: str
    sample_id: str | None
    embedding: np.ndarray | None
    seed: int | None = None
    flaw: Reason | None = None
    flaw_value: float | None = None
    flaw_threshold: float | None = None
    message: str | None = None
    score: float | None = None
    faces: int | None = None
    place: int | None = None

    def kind_for(self, target: str) -> str:
        """What this reference is to the sample `target`."""
        if self.sample_id is None:
            return "synthetic"
        return "self_reference" if self.sample_id == target else "cross"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pair that was tried, with its outcome; `cosine` is None when there is none.

    value, threshold: what was measured of a rejected pair, and what it was held to.
    """

    target: str
    reference: Reference
    kind: str
    cosine: float | None
    status: str
    reason: str | None
    value: float | None
    threshold: float | None


def candidates_for(
    target: str, references: Sequence[Reference], kinds: Sequence[str], seed: int
) -> Iterator[Reference]:
    """References of the target's own identity, the kinds taking turns, each in seeded order.

    The order depends on `seed` and `target` alone, so other samples do not disturb it.
    """
    rng = np.random.default_rng([seed, int(target, 16)])
    by_kind: dict[str, list[Reference]] = {kind: [] for kind in kinds}
    for reference in references:
        kind = reference.kind_for(target)
        if kind in by_kind:
            by_kind[kind].append(reference)
    shuffled = []
    for members in by_kind.values():
        order = rng.permutation(len(members))
        shuffled.append([members[place] for place in order])
    for turn in zip_longest(*shuffled):
        yield from (reference for reference in turn if reference is not None)


def decide(target: str, embedding: np.ndarray, reference: Reference, rules: PairRules) -> Candidate:
    """Keep the pair unless its reference has a flaw or it breaks a rule of `decisions.pairs`.

    A picture that could not be made makes the pair failed. The cosine is told wherever it exists.
    """
    kind = reference.kind_for(target)
    cosine = None
    if reference.embedding is not None:
        cosine = float(np.dot(embedding.astype(np.float64), reference.embedding.astype(np.float64)))
    if reference.flaw is not None:
        status = Status.FAILED if reference.flaw.startswith("SYS_") else Status.REJECTED
        return Candidate(
            target,
            reference=reference,
            kind=kind,
            cosine=cosine,
            status=status,
            reason=intern(str(reference.flaw)),
            value=reference.flaw_value,
            threshold=reference.flaw_threshold,
        )
    broken = broken_rule(TriedPair(cosine), rules)
    if broken is None:
        return Candidate(
            target,
            reference=reference,
            kind=kind,
            cosine=cosine,
            status=Status.KEPT,
            reason=None,
            value=None,
            threshold=None,
        )
    return Candidate(
        target,
        reference=reference,
        kind=kind,
        cosine=cosine,
        status=Status.REJECTED,
        reason=intern(str(broken.reason)),
        value=broken.value,
        threshold=broken.threshold,
    )


def pairs_for(
    target: str,
    embedding: np.ndarray,
    references: Sequence[Reference],
    rules: PairRules,
    seed: int,
) -> list[Candidate]:
    """All pairs tried for one target: until `per_target` are kept, or twice as many were tried.

    `references` are those of the target's identity, and of nobody else.
    """
    tried: list[Candidate] = []
    kept, wanted = 0, rules.per_target
    for reference in candidates_for(target, references, rules.kinds, seed):
        if kept == wanted or len(tried) == TRIES_PER_PAIR * wanted:
            break
        tried.append(decide(target, embedding, reference, rules))
        kept += tried[-1].status == Status.KEPT
    return tried
