"""Another kind of source: a file and a line in the table, and the stages take what it offers."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mm_model.embedded.people import shapes
from mm_model.embedded.people.split import TRAIN_PEOPLE
from mm_model.errors import UserError
from mm_model.records import SOURCES_COLUMNS
from mm_model.sources import table
from mm_model.sources.port import Item
from mm_model.store import digests, tables
from tests.stages import fake_source


@pytest.fixture
def crate(small_root: Path, use_sources: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose source is an archive that the fake reads."""
    (small_root / "media.crate").write_bytes(b"")
    use_sources(small_root, "media.crate")
    monkeypatch.setattr(table, "SOURCES", {"crate": fake_source, **table.SOURCES})
    return small_root


OF_KIND = {
    "collection": "shapes",
    "tars": "shapes/laion",
    "index": "shapes/web",
    "folder": "shapes/sfhq",
    "recipe": "profiles/people.yaml",
}
"""An entry `sources` of each kind, from the root."""


@pytest.mark.parametrize("kind", table.SOURCES)
def test_every_kind_of_source_keeps_the_port(
    kind: str, small_root: Path, use_sources: Callable, make_job: Callable
) -> None:
    shapes.write_shapes(small_root / "shapes", people=TRAIN_PEOPLE[:5], each=2, size=64)
    use_sources(small_root, OF_KIND[kind])
    before = _files(small_root)
    job = make_job(small_root, "sources")
    path = job.model("sources")
    assert next(name for name, one in table.SOURCES.items() if one.fits(path)) == kind
    job.out.mkdir(parents=True)
    source = table.open_source(path, job)
    items = list(source.items())
    assert len(items) == len(source) > 0
    assert len({item.name for item in items}) == len(items)
    assert not any(item.name.is_absolute() or ".." in item.name.parts for item in items)
    assert all(item.consent is not None and item.consent.id for item in items)
    assert all(_holds(item) for item in items)
    again = [_plain(item) for item in source.items()]
    assert again == [_plain(item) for item in items], "equal items, in one order"
    remarks = source.remarks()
    assert all("\n" not in note for note in remarks.notes) and remarks.captions_unused == 0
    written = {name for name in _files(small_root) - before if not name.is_relative_to(job.work)}
    assert written == set(), "a source writes below the stage's own folders alone"


def _files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def _plain(item: Item) -> dict:
    """What can be compared: exceptions by their words."""
    return {**vars(item), "problem": str(item.problem), "caption": str(item.caption)}


def _holds(item: Item) -> bool:
    """Has it content, or a reason why not, and never both?"""
    content = item.content
    there = content.is_file() if isinstance(content, Path) else bool(content)
    return there == (item.problem is None)


def test_what_a_source_offers_stands_in_the_inventory(crate: Path, run_stage: Callable) -> None:
    report = run_stage(crate, "sources")
    out = crate / "data" / "tiny" / "sources"
    rows = {row["name"]: row for row in tables.records(out / "inventory.parquet")}
    assert list(rows) == ["a/1.png", "a/2.png", "../../../escaped.png", "b/3.png"]
    assert all(tuple(row) == SOURCES_COLUMNS for row in rows.values())
    first = rows["a/1.png"]
    assert (first["subject"], first["consent"]) == ("ada", "licence:cc-by-4.0")
    assert first["sha256"] == digests.of_bytes(fake_source.picture(10))
    assert (crate / first["path"]).read_bytes() == fake_source.picture(10)
    assert rows["b/3.png"]["reason"] == "IO_TRUNCATED"
    said = json.loads((out / "captions.json").read_text())
    assert said[first["source_id"]] == {"text": "a man waves"}
    assert said[rows["a/2.png"]["source_id"]]["problem"] == "CAPTION_NOT_TEXT"
    assert report.counts.line() == "4 in = 3 kept + 1 rejected (IO_TRUNCATED 1) + 0 failed"
    assert report.metrics["caption_files_unused"] == 2
    assert "the archive was closed early" in report.notes
    assert any("leaves out 2 of 4" in note for note in report.notes)


def test_the_name_of_an_item_leads_nowhere(crate: Path, run_stage: Callable) -> None:
    run_stage(crate, "sources")
    files = crate / "data" / "tiny" / "sources" / "files"
    assert not list(crate.parent.rglob("escaped*"))
    assert len(list(files.iterdir())) == 3


def test_ingest_takes_them_like_any_other(crate: Path, run_stage: Callable) -> None:
    run_stage(crate, "sources")
    report = run_stage(crate, "ingest")
    rows = tables.records(crate / "data" / "tiny" / "ingest" / "samples.parquet")
    ended = {row["name"]: row["reason"] for row in rows}
    assert ended == {
        "a/1.png": None,
        "../../../escaped.png": None,
        "a/2.png": "RIGHTS_CONSENT",
        "b/3.png": "IO_TRUNCATED",
    }
    assert report.metrics["captions_from_sidecar"] == 1


def test_the_first_that_fits_opens_and_the_last_refuses(
    small_root: Path, run_stage: Callable, use_sources: Callable
) -> None:
    (small_root / "media.crate").write_bytes(b"\0\xff")
    use_sources(small_root, "media.crate")
    with pytest.raises(UserError, match="not a recipe in YAML"):
        run_stage(small_root, "sources")
