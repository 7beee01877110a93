"""Which files look like which, by their perceptual hashes, without a comparison of all pairs.

Hashes that differ in at most b of 64 bits, cut into b + t blocks, agree in at least t of them (the
pigeonhole principle). So they are sorted by every choice of t blocks, and only equal neighbours are
compared. t grows with the number of hashes, until chance alone puts few into one place: the work
stays near linear, and nothing is missed.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, count, pairwise
from typing import NamedTuple

import numpy as np

from mm_model.media.likeness import BITS, MIRRORED

_MOST_TOGETHER = 4
_DIGITS = BITS // 4

Pairs = tuple[np.ndarray, np.ndarray]


class Twin(NamedTuple):
    """What a file looks like: the place of the one that stays, bits apart, seen in a mirror."""

    place: int
    bits: int
    mirrored: bool


def twins(hashes: Sequence[str], within: int) -> list[Twin | None]:
    """For each hash, in the order of preference: the earlier one that it is a copy of, or None.

    What is itself a copy has none: everyone stays who is near nobody that stays. All hashes have
    16 hex digits, or all 32; then both halves count, the second (a clip's change) by half its bits.
    """
    first = {text: place for place, text in reversed(list(enumerate(hashes)))}
    distinct = sorted(first, key=lambda text: first[text])
    near: dict[int, list[tuple[int, int, bool]]] = {}
    for one, other, bits, mirrored in _near(distinct, within):
        near.setdefault(one, []).append((other, bits, mirrored))
    claimed: dict[int, Twin] = {}
    for place, text in enumerate(distinct):
        if place not in claimed:
            for other, bits, mirrored in near.get(place, ()):
                claimed.setdefault(other, Twin(first[text], bits, mirrored))
    known = {text: claimed.get(place) for place, text in enumerate(distinct)}
    return [
        known[text] or (None if first[text] == place else Twin(first[text], 0, False))
        for place, text in enumerate(hashes)
    ]


def _near(distinct: Sequence[str], within: int) -> Iterator[tuple[int, int, int, bool]]:
    """(earlier, later, bits, mirrored) of all pairs within the bound; the straight ones first."""
    number = len(distinct)
    looks, changes = (_numbers(distinct, part) for part in (0, 1))
    for mirrored in (False, True):
        flip = np.uint64(MIRRORED if mirrored else 0)
        asked = np.concatenate([looks, looks ^ flip]) if mirrored else looks
        one, other = pairs_within(asked, within)
        if mirrored:
            # each pair is found from both sides, and a symmetric picture with itself
            across = (one < number) & (other >= number)
            one, other = one[across], other[across] - number
            one, other = one[one < other], other[one < other]
        bits = np.bitwise_count(looks[one] ^ looks[other] ^ flip)
        change = np.bitwise_count(changes[one] ^ changes[other] ^ flip)
        if len(changes) and any(len(text) > _DIGITS for text in distinct[:1]):
            bits = np.maximum(bits, (change + 1) // 2)
        found = np.flatnonzero(bits <= within)
        order = found[np.lexsort((other[found], one[found]))]
        yield from zip(
            one[order].tolist(),
            other[order].tolist(),
            bits[order].tolist(),
            [mirrored] * len(order),
            strict=True,
        )


def _numbers(hashes: Sequence[str], part: int) -> np.ndarray:
    """One part of each hash as uint64 [N]; 0 where it has no such part."""
    digits = slice(part * _DIGITS, (part + 1) * _DIGITS)
    return np.array([int(text[digits] or "0", 16) for text in hashes], np.uint64)


def pairs_within(hashes: np.ndarray, within: int) -> Pairs:
    """All pairs of uint64 [N] that differ in at most `within` bits: places [E], first < second."""
    number = len(hashes)
    found = [np.zeros(0, np.int64)]
    for mask in _masks(number, within):
        keys = hashes & mask
        order = np.argsort(keys)
        for one, other in _in_one_place(keys[order]):
            first, second = order[one], order[other]
            near = np.bitwise_count(hashes[first] ^ hashes[second]) <= within
            low, high = np.minimum(first, second)[near], np.maximum(first, second)[near]
            found.append(low * number + high)
    both = np.unique(np.concatenate(found))
    return both // max(1, number), both % max(1, number)


def _masks(number: int, within: int) -> list[np.uint64]:
    """The bits that are compared, one mask a sorting."""
    for together in range(1, _MOST_TOGETHER + 1):
        blocks = within + together
        if 2 ** (BITS * together / blocks) >= number:
            break
    ends = [BITS * place // blocks for place in range(blocks + 1)]
    parts = [(1 << high) - (1 << low) for low, high in pairwise(ends)]
    return [np.uint64(sum(chosen)) for chosen in combinations(parts, together)]


def _in_one_place(keys: np.ndarray) -> Iterator[Pairs]:
    """Pairs of places of equal keys in sorted `keys` [N], by their distance from one another."""
    left = np.arange(len(keys))
    for apart in count(1):
        left = left[left + apart < len(keys)]
        left = left[keys[left] == keys[left + apart]]
        if not len(left):
            return
        yield left, left + apart
