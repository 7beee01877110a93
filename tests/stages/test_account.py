"""A stage accounts for every row of the stage before, or nothing of it is published."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from mm_model.errors import AuditError
from mm_model.ingest.report import IngestTally
from mm_model.quality.account import require_account
from mm_model.records import Counts
from mm_model.rows import Row
from mm_model.run import runner
from mm_model.store import tables
from tests.stages.test_ingest import photograph, saved

pytestmark = pytest.mark.capability("audits", scale="T")


def _table(folder: Path, name: str, *statuses: str) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [{"status": status, "reason": None} for status in statuses]
    tables.write(folder / name, rows, ("status", "reason"), {})
    return folder


@pytest.mark.parametrize(
    ("stage", "statuses", "counts", "said"),
    [
        ("ingest", ["kept", "rejected", "kept"], Counts(3, 2, {"a": 1}), None),
        ("ingest", ["kept", "rejected"], Counts(2, 1, {"a": 1}), "2 rows, and 3 came from stage"),
        ("ingest", ["kept"] * 4, Counts(4, 4), "4 rows, and 3 came from stage sources"),
        ("ingest", ["kept", "rejected"], Counts(3, 2, {"a": 1}), "2 rows, and 3 are told"),
        ("ingest", ["kept"] * 3, Counts(3, 2, {"a": 1}), "3 kept rows, and 2 are told as kept"),
        ("faces", ["kept", "failed"], Counts(2, 1, {}, {"a": 1}), None),
        ("faces", ["kept"] * 3, Counts(3, 3), "3 rows, and 2 came from stage ingest"),
        ("evaluate", [], Counts(7, 7), None),
    ],
)
def test_every_row_that_went_in_comes_out(
    tmp_path: Path, stage: str, statuses: list[str], counts: Counts, said: str | None
) -> None:
    inputs = {
        "sources": _table(tmp_path / "sources", "inventory.parquet", *["kept"] * 2, "failed"),
        "ingest": _table(tmp_path / "ingest", "samples.parquet", "kept", "kept", "rejected"),
    }
    out = _table(tmp_path / "out", "samples.parquet", *statuses)
    if said is None:
        require_account(stage, out, counts, inputs)
        return
    with pytest.raises(AuditError, match=said):
        require_account(stage, out, counts, inputs)


def test_an_account_adds_up() -> None:
    with pytest.raises(ValueError, match="3 samples in, 2 accounted for"):
        Counts(3, 1, {"a": 1})


def test_a_stage_that_loses_a_row_publishes_nothing(
    small_root: Path,
    use_sources: Callable,
    edit_profile: Callable,
    run_stage: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = small_root / "raw"
    folder.mkdir()
    use_sources(small_root, "raw")
    edit_profile(small_root, **{"sources.consent": "licence:test-pictures"})
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(saved(photograph(number), "JPEG"))
    run_stage(small_root, "sources")
    for name in ("audit", "require_passed"):  # of which three files are too few
        monkeypatch.setattr(f"mm_model.quality.audit.{name}", lambda *_: None)
    monkeypatch.setattr("mm_model.tracking.tracker.Tracker._add", lambda *_: None)
    monkeypatch.setattr("mm_model.tracking.tracker.Spool", lambda *_: None)
    whole = IngestTally.of

    def forgetful(self: IngestTally, rows: Iterable[Row]) -> Iterator[Row]:
        return whole(self, list(rows)[1:])

    monkeypatch.setattr(IngestTally, "of", forgetful)
    with pytest.raises(AuditError, match="2 rows, and 3 came from stage sources"):
        runner.run("ingest", small_root)
    assert not (small_root / "data" / "tiny" / "ingest").exists()
