"""Every kind of bad input in one folder, as a user gives it, through `sources` and `ingest`."""

import os
import stat
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mm_model.records import Reason, Status
from mm_model.store import tables
from tests.bad_inputs import page
from tests.bad_inputs.archives import OUTSIDE
from tests.bad_inputs.folder import Expected, Laid, lay
from tests.bad_inputs.table import kinds
from tests.forbidden import Forbidden

pytestmark = pytest.mark.capability("strangers' files", scale="T")

LARGEST = 100_000
"""Bytes of a made file; a caption of megabytes and a file of holes are what they are."""


def _everything(root: Path) -> dict[str, tuple]:
    """What lies below `root`: kind, size, time of change, and where a link leads."""
    found = {}
    for place, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(place, name)
            state = os.lstat(path)
            linked = path.readlink() if stat.S_ISLNK(state.st_mode) else None
            told = () if stat.S_ISDIR(state.st_mode) else (state.st_size, state.st_mtime_ns)
            found[str(path)] = (stat.S_IFMT(state.st_mode), *told, linked)
    return found


def _ours(path: str, root: Path) -> bool:
    """Whether a stage may write there: its output and its work folder."""
    below = Path(path).relative_to(root).parts
    return bool(below) and below[0] in ("data", "work")


@pytest.fixture
def through(
    small_root: Path,
    use_sources: Callable,
    edit_profile: Callable,
    run_stage: Callable,
    forbidden: Forbidden,
) -> Callable[[bool], tuple[Laid, dict[str, dict], dict[str, dict]]]:
    """Lay the kinds, run both stages: what was laid, rows of `sources`, rows of `ingest`."""
    bounds = {"max_frames": 40, "min_side": 64, "static_below": 0.3, "cut_above": 0.45}
    bounds |= {"text_area_above": 0.05}
    edit_profile(small_root, **{f"ingest.{name}": value for name, value in bounds.items()})
    use_sources(small_root, "raw")

    def run(quick: bool) -> tuple[Laid, dict[str, dict], dict[str, dict]]:
        laid = lay(small_root / "raw", kinds(), quick)
        for kind, path in laid.things:
            if kind.refused:
                way, number = kind.refused
                name = path.parent.name if way == "listing" else path.name
                getattr(forbidden, way)[name] = number
        around = _everything(small_root.parent)
        listed = run_stage(small_root, "sources")
        inventory = tables.records(small_root / "data/tiny/sources/inventory.parquet")
        assert listed.counts.total == len(inventory)
        for kind, path in laid.things:
            if kind.between:
                kind.between(path)
        changed = {str(path) for kind, path in laid.things if kind.between}
        report = run_stage(small_root, "ingest")
        samples = tables.records(small_root / "data/tiny/ingest/samples.parquet")
        for rows, counts in ((inventory, listed.counts), (samples, report.counts)):
            told = Counter(row["status"] for row in rows)
            assert counts.kept == told["kept"] and counts.total == len(rows) == sum(told.values())
        now = _everything(small_root.parent)
        moved = {
            path
            for path in around.keys() | now.keys()
            if around.get(path) != now.get(path) and not _ours(path, small_root)
        }
        assert moved <= changed, "nothing is written outside the outputs"
        assert not [p for p in now if OUTSIDE in p], "no member of a tar is unpacked by its name"
        for place in (Path("/"), Path("/tmp"), small_root.parent.parent):
            assert not list(place.glob(f"*{OUTSIDE}*"))
        return laid, *({row["name"]: row for row in rows} for rows in (inventory, samples))

    return run


def _check(expected: Expected, name: str, row: dict) -> str | None:
    """What is wrong with a row, if anything."""
    said, thing = row["message"] or "", expected.thing
    if row["reason"] != expected.reason and (not thing.also or row["reason"] != thing.also):
        return f"{name}: {row['reason']} ({said}), not {expected.reason}"
    status = Status.KEPT if expected.reason is None else Status.REJECTED
    status = Status.FAILED if (expected.reason or "").startswith("SYS_") else status
    if row["status"] != status:
        return f"{name}: {row['status']}, not {status}"
    if (expected.reason and not said) or "\n" in said or len(said) > 300:
        return f"{name}: no sentence: {said!r}"
    if thing.rows is None and thing.says not in said:
        return f"{name}: {said!r} does not say {thing.says!r}"
    if expected.reason is None and thing.size and (row["width"], row["height"]) != thing.size:
        return f"{name}: {row['width']}x{row['height']}, not {thing.size}"
    if thing.caption and thing.caption != (row["caption_origin"], row["caption_problem"]):
        return f"{name}: caption {row['caption_origin']}, {row['caption_problem']}"
    return None


def _all_right(laid: Laid, inventory: dict[str, dict], samples: dict[str, dict]) -> None:
    """One row each, as it should be."""
    assert set(inventory) == set(samples)
    assert len({row["sample_id"] for row in samples.values()}) == len(samples)
    wrong = [f"{name}: no row" for name in laid.rows.keys() - samples.keys()]
    wrong += [f"{name}: a row of nothing" for name in samples.keys() - laid.rows.keys()]
    both = laid.rows.keys() & samples.keys()
    wrong += filter(None, (_check(laid.rows[name], name, samples[name]) for name in both))
    assert not wrong, "\n".join(["", *sorted(wrong)])


def test_one_of_each_kind_ends_as_the_page_says(through: Callable) -> None:
    _all_right(*through(quick=True))


@pytest.mark.slow
def test_every_variant_ends_as_the_page_says(through: Callable) -> None:
    started = time.monotonic()
    laid, inventory, samples = through(quick=False)
    _all_right(laid, inventory, samples)
    assert len(laid.things) >= 500
    print(f"{len(laid.things)} things, {len(samples)} rows, {time.monotonic() - started:.0f} s")


def test_there_are_kinds_enough_each_with_a_reason_of_the_list() -> None:
    found = kinds()
    assert len(found) >= 60 and sum(one.variants for one in found) >= 400
    assert len({one.slug for one in found}) == len(found)
    words = {"kept", "no row", "as in a folder"}
    assert {one.becomes for one in found} <= words | set(Reason)


def test_the_first_of_each_kind_is_small_and_always_the_same() -> None:
    made = [(one, list(one.things([0]))) for one in kinds()]
    time.sleep(1.1)  # some formats hold the second in which they were written
    for one, first in made:
        for thing, twin in zip(first, one.things([0]), strict=True):
            if isinstance(thing.content, bytes):
                assert thing.content == twin.content, one.name
                assert len(thing.content) <= LARGEST or "megabytes" in one.name, one.name


def test_the_page_tells_of_these_kinds(root: Path) -> None:
    written = (root / "docs" / "bad-inputs.md").read_text("utf-8")
    assert written == page.text(), "write it again: python -m tests.bad_inputs docs/bad-inputs.md"
