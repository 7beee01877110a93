"""Which files look like which, by their perceptual hashes, without a comparison of all pairs.

Hashes that differ in at most b of 64 bits, cut into b + t blocks, agree in at least t of them (the
pigeonhole principle). So they are sorted by every choice of t blocks, and only equal neighbours are
compared. t grows with the number of hashes, until chance alone puts few into one place: the work
stays near linear, and nothing is missed.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import combinations, count, pairwise
from typing import NamedTuple

import numpy as np

from mm_model.media.likeness import BITS, MIRRORED
from mm_model.store.firsts import first_equal

_MOST_TOGETHER = 4
_DIGITS = BITS // 4
_AT_ONCE = 65_536

Pairs = tuple[np.ndarray, np.ndarray]


class Twin(NamedTuple):
    """What a file looks like: the place of the one that stays, bits apart, seen in a mirror."""

    place: int
    bits: int
    mirrored: bool


class Copies(NamedTuple):
    """For each file what it looks like: place int64 [N], -1 of none; bits apart; mirrored."""

    place: np.ndarray
    bits: np.ndarray
    mirrored: np.ndarray


def numbers(text: str) -> tuple[int, int]:
    """A hash as two whole numbers of 64 bits: the looks, and a clip's change, 0 of a picture."""
    return int(text[:_DIGITS], 16), int(text[_DIGITS:] or "0", 16)


def twins(hashes: Sequence[str], within: int) -> list[Twin | None]:
    """`copies` of hashes as text: for each the one that it is a copy of, or None.

    All hashes have 16 hex digits, or all 32.
    """
    looks, changes = np.array([numbers(text) for text in hashes], np.uint64).reshape(-1, 2).T
    moving = any(len(text) > _DIGITS for text in hashes[:1])
    found = copies(looks, changes if moving else None, within)
    sides = zip(*(side.tolist() for side in found), strict=True)
    return [Twin(*one) if one[0] >= 0 else None for one in sides]


def copies(looks: np.ndarray, changes: np.ndarray | None, within: int) -> Copies:
    """For each hash uint64 [N], in the order of preference: the earlier one that it is a copy of.

    What is itself a copy has none: everyone stays who is near nobody that stays. A clip's `changes`
    count by half their bits.
    """
    first = first_equal(looks) if changes is None else first_equal(looks, changes)
    distinct = np.flatnonzero(first == np.arange(len(first)))
    own = None if changes is None else changes[distinct]
    claimed = _claimed(_near(looks[distinct], own, within), len(distinct))
    among = np.searchsorted(distinct, first)
    place, bits, mirrored = (side[among] for side in claimed)
    place[place >= 0] = distinct[place[place >= 0]]
    again = (place < 0) & (first != np.arange(len(first)))
    place[again] = first[again]
    return Copies(place, bits, mirrored)


def _claimed(near: tuple[np.ndarray, ...], number: int) -> Copies:
    """Who is whose copy, of pairs (earlier, later, bits, mirrored) in the order of the earlier."""
    place, bits = array("q", [-1]) * number, bytearray(number)
    mirrored = bytearray(number)
    for start in range(0, len(near[0]), _AT_ONCE):
        part = (side[start : start + _AT_ONCE].tolist() for side in near)
        for one, other, apart, flipped in zip(*part, strict=True):
            if place[one] < 0 and place[other] < 0:
                place[other], bits[other], mirrored[other] = one, apart, flipped
    return Copies(
        np.array(place, np.int64), np.frombuffer(bits, np.uint8), np.frombuffer(mirrored, bool)
    )


def _near(
    looks: np.ndarray, changes: np.ndarray | None, within: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(earlier, later, bits, mirrored) of all pairs of different hashes within the bound.

    In the order of the earlier; of one the straight pairs first, each kind in that of the later.
    """
    number, found = len(looks), []
    for mirrored in (False, True):
        flip = np.uint64(MIRRORED if mirrored else 0)
        one, other = pairs_within(
            np.concatenate([looks, looks ^ flip]) if mirrored else looks, within
        )
        if mirrored:
            # each pair is found from both sides, and a symmetric picture with itself
            across = (one < number) & (other >= number)
            one, other = one[across], other[across] - number
            one, other = one[one < other], other[one < other]
        bits = np.bitwise_count(looks[one] ^ looks[other] ^ flip)
        if changes is not None:
            change = np.bitwise_count(changes[one] ^ changes[other] ^ flip)
            bits = np.maximum(bits, (change + 1) // 2)
        close = np.flatnonzero(bits <= within)
        order = close[np.lexsort((other[close], one[close]))]
        found.append((one[order], other[order], bits[order], np.full(len(order), mirrored)))
    both = [np.concatenate(sides) for sides in zip(*found, strict=True)]
    order = np.argsort(both[0], kind="stable")
    one, other, bits, flipped = (side[order] for side in both)
    return one, other, bits, flipped


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
