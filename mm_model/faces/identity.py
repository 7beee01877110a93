"""Who is who: clusters of embeddings, how pure they are, and which people are held out.

Works on unit vectors of one recogniser and on names; opens no picture. The split belongs to an
identity, never to a sample, so that no person is on both sides.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from mm_model.facepack.port import unit
from mm_model.faces.linkage import average_linkage, nearest
from mm_model.records import HELD_OUT, TRAIN


def clusters(vectors: np.ndarray, above: float) -> np.ndarray:
    """Average-linkage clusters of unit vectors float32 [N, D]; int64 labels [N].

    Two groups are joined while the mean cosine between them is greater than `above`. Labels count
    from 0 in order of first appearance. How, and from where on not exactly: `faces/linkage.py`.

    Raises:
        ValueError: a vector is not finite.
    """
    vectors = np.asarray(vectors, np.float32)
    if not np.isfinite(vectors).all():
        raise ValueError("an embedding is not finite and cannot be clustered")
    return first_appearance(average_linkage(vectors, above))


def first_appearance(labels: Iterable[object] | np.ndarray) -> np.ndarray:
    """Labels renamed 0, 1, 2, ... in the order in which they first occur, int64 [N]."""
    seen: dict[object, int] = {}
    return np.array(array("q", (seen.setdefault(one, len(seen)) for one in labels)), np.int64)


def purity(labels: Sequence[int], subjects: Sequence[str | None]) -> float | None:
    """Share of samples that belong to the most frequent subject of their cluster.

    Counted over samples whose subject is known; None when there is none.
    """
    return _agreement(labels, subjects)


def completeness(labels: Sequence[int], subjects: Sequence[str | None]) -> float | None:
    """Share of samples in the largest cluster of their subject: 1 when nobody was torn apart."""
    return _agreement(subjects, labels)


def _agreement(groups: Sequence[object], members: Sequence[object]) -> float | None:
    by_group: dict[object, Counter] = {}
    for group, member in zip(groups, members, strict=True):
        if group is not None and member is not None:
            by_group.setdefault(group, Counter())[member] += 1
    total = sum(tally.total() for tally in by_group.values())
    return sum(max(tally.values()) for tally in by_group.values()) / total if total else None


def folder_likeness(
    vectors: np.ndarray, subjects: Sequence[str | None], above: float
) -> float | None:
    """Share of files that resemble the rest of their folder: mean cosine greater than `above`.

    Near 1 where a folder holds one person, near 0 where it is an album of many. Counted over
    folders of two files or more; None when there is none.
    """
    folders: dict[str, list[int]] = {}
    for row, subject in enumerate(subjects):
        if subject is not None:
            folders.setdefault(subject, []).append(row)
    alike = []
    for rows in folders.values():
        if len(rows) > 1:
            own = np.asarray(vectors)[rows].astype(np.float64)
            cosines = (own @ own.sum(0) - (own**2).sum(1)) / (len(rows) - 1)
            alike += list(cosines > above)
    return float(np.mean(alike)) if alike else None


_LETTERS = 8
"""Of a sample's id in the name of a person; 16 it has."""


def names(firsts: Sequence[str], grows: bool) -> list[str]:
    """A name for each identity by the id of its first sample.

    Where the source `grows`, the name is cut from that id, so that files of others leave it as it
    is: seeds and tests of a person hang on the name. Two who would share one have the whole id.
    Else the number in the order given.
    """
    if not grows:
        return [f"id-{number:04d}" for number in range(1, len(firsts) + 1)]
    shared = Counter(first[:_LETTERS] for first in firsts)
    return [
        f"id-{first[:_LETTERS] if shared[first[:_LETTERS]] == 1 else first}" for first in firsts
    ]


def hashed_share(seed: int, key: str) -> float:
    """A number in [0, 1) that depends only on `seed` and `key`, not on who else is there."""
    digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def majority_split(given: Sequence[str | None]) -> str | None:
    """The split most samples of an identity were given; a tie is held out, None if none was."""
    tally = Counter(split for split in given if split)
    if not tally:
        return None
    return HELD_OUT if tally[HELD_OUT] * 2 >= tally.total() else TRAIN


def split_identities(
    given: Mapping[str, str | None], keys: Mapping[str, str], share: float, seed: int
) -> dict[str, str]:
    """`train` or `held_out` for each identity.

    `given` maps an identity to the split its source prescribes, or None; `keys` to a name that
    does not change when other people are added. Without prescription, a seeded hash holds out
    `share` of the people; of two or more, at least one is on each side (design choice).
    """
    draws = {name: hashed_share(seed, keys[name]) for name in given}
    split = {
        name: prescribed or (HELD_OUT if draws[name] < share else TRAIN)
        for name, prescribed in given.items()
    }
    free = sorted((name for name in given if given[name] is None), key=lambda name: draws[name])
    for side, candidates in ((HELD_OUT, free), (TRAIN, free[::-1])):
        if len(split) >= 2 and side not in split.values() and candidates:
            split[candidates[0]] = side
    return split


def mean_unit(vectors: np.ndarray) -> np.ndarray:
    """Normalised mean of unit vectors float32 [n, D] -> [D]: one embedding for one clip."""
    return unit(np.asarray(np.mean(vectors, axis=0, dtype=np.float64)))


def nearest_across(means: np.ndarray, labels: np.ndarray, held_out: np.ndarray) -> float | None:
    """Largest cosine between the mean of a train identity and that of a held-out one.

    `held_out` is a flag for each sample. None unless both sides hold somebody.
    """
    sides: list[list[np.ndarray]] = [[], []]
    for _, rows in by_label(labels):
        sides[int(held_out[rows[0]])].append(mean_unit(means[rows]))
    if not sides[0] or not sides[1]:
        return None
    return nearest(*(np.stack(side) for side in sides))


def by_label(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each label, in their order, with its rows int64 [n]."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    for start, stop in zip(starts, np.append(starts, len(order))[1:], strict=True):
        yield int(labels[order[start]]), order[start:stop]
