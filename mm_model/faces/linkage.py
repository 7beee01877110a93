"""Average-linkage clusters of unit vectors, without a table of all pairs.

The mean cosine between two groups is the dot product of their mean vectors, so a group is its sum
and its size. Average linkage is reducible: all pairs of groups that are nearest to one another may
be joined at once, and the result is that of joining them one by one (Murtagh, "A survey of recent
advances in hierarchical clustering algorithms", 1983). A join needs one pair of vectors above the
threshold, so only such pairs are kept: all of them up to `EXACT` vectors, beyond that those among
the nearest of each vector, looked for anew among the groups until nothing joins.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

EXACT = 8192
"""Up to so many vectors all pairs are looked at, and the result is exact."""

NEAREST = 32
"""How many neighbours of a vector are looked at beyond that."""

WHOLE = 65_536
"""Up to so many vectors the nearest are looked for among all, beyond that cell by cell."""

_CELLS_LOOKED_AT = 32
_TAUGHT = 64  # vectors a cell that the cells are made of
_BLOCK = 2048
_SEARCHED = 16_384
_ROUNDING = 1e-5  # float32 products: never lose a true pair

Pairs = tuple[np.ndarray, np.ndarray]
"""Two int64 arrays [E]; the first of a pair is the smaller."""


def average_linkage(vectors: np.ndarray, above: float) -> np.ndarray:
    """Int64 labels [N] of unit vectors float32 [N, D]; a label is the first row of its cluster.

    Two groups are joined while the mean cosine between them is greater than `above`. Beyond `EXACT`
    vectors a pair that the search misses may keep two groups apart.
    """
    number = len(vectors)
    exact = number <= EXACT
    groups = _Groups(vectors.astype(np.float64 if exact else np.float32))
    labels = np.arange(number)
    while True:
        rows = np.flatnonzero(groups.sizes)
        near = _all_pairs if exact else _nearest_pairs
        first, second = near(groups.means(rows), above)
        renamed = groups.join((rows[first], rows[second]), above)
        labels = renamed[labels]
        if exact or np.count_nonzero(groups.sizes) == len(rows):
            return labels


def near(vectors: np.ndarray, above: float) -> Pairs:
    """Pairs of rows of `vectors` float32 [N, D] whose dot product is greater than `above`.

    All up to `EXACT` rows and up to rounding; beyond that those among the nearest of each.
    """
    return (_all_pairs if len(vectors) <= EXACT else _nearest_pairs)(vectors, above)


def nearest(first: np.ndarray, second: np.ndarray) -> float:
    """Largest dot product between a row of `first` [N, D] and one of `second` [M, D].

    Where both sides have more than `WHOLE` rows it is that of the search, which may miss some.
    """
    few, many = sorted((first, second), key=len)
    if len(few) <= EXACT:
        blocks = range(0, len(many), _BLOCK)
        return max(float((many[start : start + _BLOCK] @ few.T).max()) for start in blocks)
    index = _searchable(few)
    blocks = range(0, len(many), _SEARCHED)
    return max(float(index.search(many[start : start + _SEARCHED], 1)[0].max()) for start in blocks)


class _Groups:
    """Sums [N, D] and sizes [N] of groups; a group lies at its first row, the others are empty."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.sums = vectors
        self.sizes = np.ones(len(vectors), np.int64)

    def means(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.sums[rows] / self.sizes[rows, None], np.float32)

    def cosines(self, pairs: Pairs) -> np.ndarray:
        """Mean cosine between the members of two groups, for each pair."""
        found = np.empty(len(pairs[0]), self.sums.dtype)
        for start in range(0, len(found), _SEARCHED):
            first, second = (side[start : start + _SEARCHED] for side in pairs)
            dots = np.einsum("ed,ed->e", self.sums[first], self.sums[second])
            found[start : start + _SEARCHED] = dots / (self.sizes[first] * self.sizes[second])
        return found

    def join(self, pairs: Pairs, above: float) -> np.ndarray:
        """Join along `pairs` until none is above; new place [N] of each row's group."""
        place = np.arange(len(self.sizes))
        while True:
            cosines = self.cosines(pairs)
            kept = cosines > above
            # a pair that fell to the threshold never rises again: a joined group's cosine is
            # the mean of its parts'
            pairs = pairs[0][kept], pairs[1][kept]
            if not len(pairs[0]):
                return place
            first, second = _reciprocal(pairs, cosines[kept], len(place))
            self.sums[first] += self.sums[second]
            self.sizes[first] += self.sizes[second]
            self.sizes[second] = 0
            moved = np.arange(len(place))
            moved[second] = first
            place = moved[place]
            pairs = _distinct(moved[pairs[0]], moved[pairs[1]], len(place))


def _reciprocal(pairs: Pairs, cosines: np.ndarray, number: int) -> Pairs:
    """The pairs whose two are each the nearest of the other; of equals, the first row counts."""
    best = np.full(number, -np.inf)
    for side in pairs:
        np.maximum.at(best, side, cosines)
    partner = np.full(number, number)
    for side, other in (pairs, pairs[::-1]):
        nearest = cosines == best[side]
        np.minimum.at(partner, side[nearest], other[nearest])
    found = np.flatnonzero(partner < number)
    back = partner[partner[found]] == found
    first = found[back & (found < partner[found])]
    return first, partner[first]


def _distinct(first: np.ndarray, second: np.ndarray, number: int) -> Pairs:
    apart = first != second
    low, high = np.minimum(first, second)[apart], np.maximum(first, second)[apart]
    keys = np.unique(low * number + high)
    return keys // number, keys % number


def _gathered(found: Iterator[Pairs], number: int) -> Pairs:
    sides = [*found]
    if not sides:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first, second = (np.concatenate(side) for side in zip(*sides, strict=True))
    return _distinct(first, second, number)


def _all_pairs(means: np.ndarray, above: float) -> Pairs:
    def blocks() -> Iterator[Pairs]:
        for start in range(0, len(means), _BLOCK):
            cosines = means[start : start + _BLOCK] @ means.T
            first, second = np.nonzero(cosines > above - _ROUNDING)
            later = second > first + start
            yield first[later] + start, second[later]

    return _gathered(blocks(), len(means))


def _nearest_pairs(means: np.ndarray, above: float) -> Pairs:
    number, index = len(means), _searchable(means)

    def searched() -> Iterator[Pairs]:
        for start in range(0, number, _SEARCHED):
            part = means[start : start + _SEARCHED]
            cosines, found = index.search(part, min(NEAREST + 1, number))
            first = np.broadcast_to(np.arange(start, start + len(part))[:, None], found.shape)
            near = cosines > above - _ROUNDING  # what was not found has no cosine
            yield first[near], found[near]

    return _gathered(searched(), number)


def _searchable(vectors: np.ndarray) -> Any:
    """An index that finds the rows of `vectors` [N, D] with the largest dot product.

    Up to `WHOLE` rows it looks at all; beyond that at `_CELLS_LOOKED_AT` of about 2 sqrt(N) cells.
    """
    import faiss

    number, width = vectors.shape
    if number <= WHOLE:
        index: Any = faiss.IndexFlatIP(width)
    else:
        cells = round(2 * number**0.5)
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter, index.cp.max_points_per_centroid = 8, _TAUGHT
        index.train(vectors[:: max(1, number // (_TAUGHT * cells))])
        index.nprobe = _CELLS_LOOKED_AT
    index.add(vectors)
    return index
