"""Another kind of source: a file and a line in the table, and the stages take what it offers."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.records import SOURCES_COLUMNS
from mm_model.sources import table
from mm_model.store import digests, tables
from tests.stages import fake_source


@pytest.fixture
def crate(small_root: Path, use_sources: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose source is an archive that the fake reads."""
    (small_root / "media.crate").write_bytes(b"")
    use_sources(small_root, "media.crate")
    monkeypatch.setattr(table, "SOURCES", {"crate": fake_source, **table.SOURCES})
    return small_root


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
