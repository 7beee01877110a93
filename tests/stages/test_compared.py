"""Copies among the kept files, told from arrays, are those that comparing all rows tells."""

from collections.abc import Iterator

import numpy as np
import pytest

from mm_model.ingest.compared import CopySearch

_BITS = 64


def rows_of(seed: int) -> Iterator[dict]:
    """Kept and other files of both media; many share pixels, many look alike."""
    draws = np.random.default_rng(seed)
    looks = draws.integers(0, 2**_BITS, 25, np.uint64)
    for number in range(200):
        media = "clip" if draws.random() < 0.3 else "image"
        parts = []
        for _ in range(2 if media == "clip" else 1):
            value = int(draws.choice(looks[:4] if parts else looks))
            for bit in draws.choice(_BITS, draws.integers(0, 3), replace=False):
                value ^= 1 << int(bit)
            parts.append(f"{value:016x}")
        yield {
            "name": f"file-{number}",
            "status": "kept" if draws.random() < 0.8 else "rejected",
            "media": media,
            "pixels": int(draws.integers(1, 4)),
            "pixel_id": f"{media}-{draws.integers(0, 150)}",
            "phash": "".join(parts) if draws.random() < 0.9 else None,
            "file": f"files/{number}",
        }


def expected(rows: list[dict], within: int | None) -> dict[str, tuple[str, str, float | None]]:
    """Name to reason, twin and bits, by comparing everyone with everyone."""
    found: dict[str, tuple[str, str, float | None]] = {}
    kept, seen = [row for row in rows if row["status"] == "kept"], dict[str, dict]()
    for row in kept:
        twin = seen.setdefault(row["pixel_id"], row)
        if twin is not row:
            found[row["name"]] = ("DUP_PIXELS", twin["name"], None)
    stay: list[dict] = []
    for row in sorted(kept, key=lambda row: -row["pixels"]):
        if within is None or row["name"] in found or not row["phash"]:
            continue
        for other in stay:
            if other["media"] == row["media"] and (bits := apart(row, other)) <= within:
                found[row["name"]] = ("DUP_PERCEPTUAL", other["name"], bits)
                break
        else:
            stay.append(row)
    return found


def apart(one: dict, other: dict) -> int:
    looks, changes = (
        (int(one["phash"][part], 16) ^ int(other["phash"][part], 16)).bit_count()
        if one["phash"][part]
        else 0
        for part in (slice(0, 16), slice(16, 32))
    )
    return max(looks, (changes + 1) // 2)


@pytest.mark.parametrize("within", [None, 0, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_copies_are_those_that_comparing_all_rows_tells(seed: int, within: int | None) -> None:
    rows = list(rows_of(seed))
    compared = CopySearch(within)
    for row in rows:
        compared.see(row)
    refusals = compared.settle(lambda place: rows[place]["name"])
    found = {}
    for place, row in enumerate(rows):
        settled = refusals.applied(place, row)
        if settled == row:
            continue
        assert (settled["file"], settled["status"]) == (None, "rejected")
        twin = settled["message"].removesuffix(" mirrored").rpartition(" ")[2]
        found[row["name"]] = (settled["reason"], twin, settled["reason_value"])
        if settled["reason"] == "DUP_PERCEPTUAL":
            assert settled["reason_threshold"] == within
    wanted = expected(rows, within)
    assert found == wanted and len(wanted) > 5
    assert within is None or {reason for reason, _, _ in found.values()} == {
        "DUP_PIXELS",
        "DUP_PERCEPTUAL",
    }
