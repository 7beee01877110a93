"""Work in shards that survive a kill: each finished shard is committed by one atomic rename.

A rerun reads the committed shards and computes the rest, so the result is the same as of an
undisturbed run. Belongs in a stage's work folder, whose name is the fingerprint: a shard made
from other items is never read, and a damaged one is computed again.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from mm_model.progress import each
from mm_model.rows import Row
from mm_model.store import atomic, digests

T = TypeVar("T")

_SCHEMA = 1


def in_shards(
    work: Path,
    items: Sequence[T],
    shard_size: int,
    compute: Callable[[list[T]], list[Row]],
    *,
    label: str,
    origin: str = "",
) -> list[Row]:
    """All that `shard_by_shard` gives, at once.

    Raises:
        ValueError: shard_size below 1, or rows that JSON cannot hold.
    """
    return list(shard_by_shard(work, items, shard_size, compute, label=label, origin=origin))


def shard_by_shard(
    work: Path,
    items: Sequence[T],
    shard_size: int,
    compute: Callable[[list[T]], list[Row]],
    *,
    label: str,
    origin: str = "",
) -> Iterator[Row]:
    """The rows `compute` gives for all `items`, in order, computed `shard_size` items at a time.

    One shard is held at once; a shard is computed when its first row is asked for.

    Args:
        work: folder of the shard files, made when absent; nothing else may write there.
        items: JSON-able values (or such that `str` names them), in a fixed order.
        compute: items of one shard -> its rows, JSON-able (non-finite numbers are refused). Rows
            always pass through JSON, so tuples come back as lists, resumed or not.
        label: what the progress line calls the work.
        origin: names the work (its fingerprint); shards of another are computed again.

    Raises:
        ValueError: shard_size below 1, or rows that JSON cannot hold.
    """
    if shard_size < 1:
        raise ValueError(f"shard_size is at least 1, not {shard_size}")
    work.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(items), shard_size)
    for number, start in each(enumerate(starts), total=len(starts), label=f"{label}, shards"):
        part = list(items[start : start + shard_size])
        path = work / f"shard-{number:06d}.json"
        named = digests.of_value([origin, part])
        found = _committed(path, named)
        if found is None and path.exists():
            print(
                f"{label}: {path.name} of the work folder is damaged: it is made again", flush=True
            )
        yield from _commit(path, named, compute(part)) if found is None else found


def _committed(path: Path, origin: str) -> list[Row] | None:
    """Rows of an earlier commit for the same items; None when there is none to trust."""
    try:
        record = json.loads(path.read_bytes())
        known = (record["schema"], record["items"]) == (_SCHEMA, origin)
        whole = record["digest"] == digests.of_value(record["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record["rows"] if known and whole else None


def _commit(path: Path, origin: str, rows: list[Row]) -> list[Row]:
    rows = json.loads(json.dumps(rows, allow_nan=False))
    record = {"schema": _SCHEMA, "items": origin, "digest": digests.of_value(rows), "rows": rows}
    atomic.write_bytes(path, json.dumps(record).encode())
    return rows
