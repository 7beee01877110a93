"""Which rows have a text that an earlier row has, of millions: 16 bytes a row are held, no text."""

import hashlib
from array import array

import numpy as np

_HALVES = 2


class Firsts:
    """Texts by the order in which they were added, as 128 bits of a digest each."""

    def __init__(self) -> None:
        self._keys = array("Q")

    def __len__(self) -> int:
        return len(self._keys) // _HALVES

    def add(self, text: str) -> None:
        """The text of the next row."""
        self._keys.frombytes(hashlib.blake2b(text.encode(), digest_size=16).digest())

    def first(self, order: np.ndarray | None = None) -> np.ndarray:
        """For each row the first one with its text, int64 [N].

        order: places int64 [M] of the rows that are looked at, in the order that makes one the
        first; what comes out counts them so.
        """
        keys = np.frombuffer(self._keys, np.uint64).reshape(-1, _HALVES)
        if order is not None:
            keys = keys[order]
        return first_equal(keys[:, 0], keys[:, 1])


def first_equal(*columns: np.ndarray) -> np.ndarray:
    """For each place of equally long columns [N] the first that is equal in all, int64 [N]."""
    order = np.lexsort(columns)
    starts = np.ones(len(order), bool)
    if len(order):
        starts[1:] = False
        for column in columns:
            there = column[order]
            starts[1:] |= there[1:] != there[:-1]
    # equal places keep their order, so that the first of a run is the first of all
    runs = np.flatnonzero(starts)
    found = np.empty(len(order), np.int64)
    found[order] = np.repeat(order[runs], np.diff(np.append(runs, len(order))))
    return found
