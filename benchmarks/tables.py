"""Memory of what is done with tables of millions of rows, over 2 GiB.

The tables of stages `sources`, `ingest` and `faces` are made up, as many rows each, two of three
kept. Each operation runs in a process of its own, whose largest resident memory is taken; the ratio
is that of the hungriest. Columns of numbers differ from row to row, and so do names and captions.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import doorstep
from benchmarks.result import Result
from mm_model.errors import UserError
from mm_model.records import FACES_COLUMNS, INGEST_COLUMNS, SOURCES_COLUMNS
from mm_model.settings import Profile, load_profile
from mm_model.store import manifest, tables
from mm_model.store.layout import Layout
from mm_model.store.lookup import Lookup

GOAL = 1.0
_MOST_MB = 2048
_ROOT = Path(__file__).resolve().parents[1]
_PORTION = 50_000
_LOOKED_UP = 20_000
_NUMBERS = {
    "width": 128,
    "height": 128,
    "num_frames": 1,
    "shorter_side": 128,
    "pixels": 16384,
    "aspect": 1.0,
    "lettering": 0.0,
    "motion": 1.0,
    "detection_score": 0.9,
    "face_size": 64.0,
    "sharpness": 200.0,
    "found_share": 1.0,
    "many_share": 0.0,
    "embedding_norm": 20.0,
    "embedding_row": 1,
}


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("rows", type=int, nargs="?", default=4_000_000, help="of each table")
    command.add_argument("--only", nargs="+", choices=list(OPERATIONS), help="these operations")


def run(options: argparse.Namespace) -> Result:
    """The ratio; says what each operation took."""
    with tempfile.TemporaryDirectory(prefix="mm-tables-") as name:
        peaks = []
        for operation in options.only or OPERATIONS:
            peak, seconds = measured(operation, Path(name), options.rows)
            doorstep.tell(f"{operation:10} {peak:6.0f} MB at most, {seconds:6.1f} s")
            peaks.append(peak)
    return Result(max(peaks) / _MOST_MB, GOAL, 1)


def measured(operation: str, folder: Path, rows: int) -> tuple[float, float]:
    """Largest resident memory in MB and seconds of one operation, in a process of its own.

    Raises:
        UserError: it ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_alone, args=(theirs, operation, folder, rows))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise UserError(f"The operation '{operation}' ended without an answer.") from None
    finally:
        process.join()


def _alone(answer: Any, operation: str, folder: Path, rows: int) -> None:
    started = time.monotonic()
    OPERATIONS[operation](folder, rows)
    told = Path("/proc/self/status").read_text()
    peak = next(line.split()[1] for line in told.splitlines() if line.startswith("VmHWM"))
    answer.send((int(peak) / 1024, time.monotonic() - started))


def _name(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"


def _inventory(rows: int) -> Iterator[dict[str, Any]]:
    for number in range(rows):
        yield {
            "source_id": _name(number),
            "name": f"photo-{number:08}.jpg",
            "path": f"media/part-{number // 1000:05}/photo-{number:08}.jpg",
            "synthetic": True,
            "bytes": 1000 + number,
            "sha256": _name(number) * 4,
            "subject": f"person-{number // 40:06}",
            "source": "made",
            "licence": "CC0",
            "status": "kept",
        }


def _portions(schema: Any, rows: int) -> Iterator[Any]:
    """Tables of a schema, whose kept rows pass the audit of the shipped profile."""
    import pyarrow as pa

    for start in range(0, rows, _PORTION):
        numbers = np.arange(start, min(start + _PORTION, rows))
        kept, count = numbers % 3 != 0, len(numbers)
        names = [_name(int(number)) for number in numbers]
        told = {
            "status": np.where(kept, "kept", "rejected"),
            "reason": [None if one else "DUP_PIXELS" for one in kept.tolist()],
            "media": np.where(numbers % 4 == 0, "clip", "image"),
            "caption": [f"a man smiles at his guests, take {number}" for number in numbers],
            "file": [f"files/{name}.jpg" for name in names],
            "pixel_id": [name * 4 for name in names],
            "identity": [f"id-{number // 40:06}" for number in numbers],
            "split": np.where(numbers // 40 % 7 == 0, "held_out", "train"),
        }
        columns = {}
        for column in schema:
            if column.name in told:
                columns[column.name] = pa.array(told[column.name], pa.string())
            elif column.name in ("sample_id", "source_id", "name", "phash"):
                columns[column.name] = pa.array(names)
            elif column.name == "synthetic":
                columns[column.name] = pa.array(np.ones(count, bool))
            elif column.name in _NUMBERS:
                some = np.full(count, _NUMBERS[column.name], float)
                some += numbers / rows / 1e3 * (column.type == pa.float64())
                columns[column.name] = pa.array(some).cast(column.type)
            else:
                columns[column.name] = pa.nulls(count, column.type)
        yield pa.table(columns, schema=schema)


def _layout(folder: Path) -> Layout:
    return Layout(folder, "tiny")


def _profile() -> Profile:
    return load_profile(_ROOT, "tiny")


def _table(folder: Path, stage: str) -> Path:
    name = "inventory" if stage == "sources" else "samples"
    return _layout(folder).output(stage) / f"{name}.parquet"


def _seal(folder: Path, stage: str, rows: int) -> None:
    kept = rows if stage == "sources" else rows - -(-rows // 3)
    rejected = {"DUP_PIXELS": rows - kept} if kept < rows else {}
    report = {"total": rows, "kept": kept, "rejected": rejected, "failed": {}}
    report |= {"line": "", "metrics": {}}
    made = manifest.Manifest(
        stage, version=1, fingerprint="made", inputs={}, settings_digest="", report=report
    )
    manifest.seal(_layout(folder).output(stage), made)


def _write_rows(folder: Path, rows: int) -> None:
    from mm_model.sources.account import Account
    from mm_model.sources.stage import _TYPES

    account, path = Account(), _table(folder, "sources")
    given = ({"consent": None, **row} for row in _inventory(rows))
    tables.write(path, account.of(given), SOURCES_COLUMNS, _TYPES)
    if account.counts().total != rows:
        raise AssertionError("rows were lost")
    _seal(folder, "sources", rows)


def _write_columns(folder: Path, rows: int) -> None:
    from mm_model.faces.write import _TYPES as OF_FACES
    from mm_model.ingest.stage import _TYPES as OF_INGEST

    given: Mapping[str, tuple[Any, Any]] = {
        "ingest": (INGEST_COLUMNS, OF_INGEST),
        "faces": (FACES_COLUMNS, OF_FACES),
    }
    for stage, (columns, types) in given.items():
        path = _table(folder, stage)
        with tables.writing(path, columns, types) as writer:
            for portion in _portions(writer.schema, rows):
                writer.add_columns(portion)
        _seal(folder, stage, rows)


def _read_kept(folder: Path, rows: int) -> None:
    found = tables.batches(_table(folder, "ingest"), where={"status": "kept"})
    if sum(batch.num_rows for batch in found) != rows - -(-rows // 3):
        raise AssertionError("rows were lost")


def _read_rows(folder: Path, rows: int) -> None:
    names = ("sample_id", "identity", "split", "media")
    for _ in tables.rows(_table(folder, "faces"), names, {"status": "kept", "split": "train"}):
        pass


def _read_frame(folder: Path, rows: int) -> None:
    """What a training reads to choose its targets."""
    names = ("sample_id", "name", "identity", "split", "media")
    found = tables.read(_table(folder, "faces"), names, {"status": "kept"})
    found.sort_values(["identity", "sample_id"])


def _look_up(folder: Path, rows: int) -> None:
    from mm_model.generation.frames import SAMPLE_COLUMNS

    found = Lookup(_table(folder, "ingest"), "sample_id", SAMPLE_COLUMNS)
    for number in range(0, rows, max(1, rows // _LOOKED_UP)):
        found.row(_name(number))


def _audit(folder: Path, rows: int) -> None:
    """A good table passes the suite of its stage."""
    from mm_model.quality import audit, parts
    from mm_model.quality.suites import suite_of

    checks = suite_of("ingest", _profile())
    found = parts.found_in(_table(folder, "ingest"), checks, audit.AT_ONCE)
    if wrong := [check for check, one in zip(checks, found, strict=True) if not one.success]:
        raise AssertionError(f"a good table was refused: {wrong}")


def _card(folder: Path, rows: int) -> None:
    from mm_model.card import drift, filters, outputs, people, rights

    found = outputs.published(_layout(folder))
    for stage in ("ingest", "faces"):
        filters.viewed(found[stage], _profile())
    known = people.population(found)
    drift.summary(found, known, "made", outputs.version(found))
    rights.rights(found)
    if outputs.doubts(found)[:1] and found["ingest"].counts.total != rows:
        raise AssertionError("rows were lost")


def _catalogue(folder: Path, rows: int) -> None:
    from mm_model.report import catalogue

    doorstep.tell(catalogue.rebuild(_layout(folder), f"sqlite:///{folder / 'catalogue.db'}"))


OPERATIONS: Mapping[str, Callable[[Path, int], None]] = {
    "columns": _write_columns,
    "rows": _write_rows,
    "kept": _read_kept,
    "each": _read_rows,
    "frame": _read_frame,
    "lookup": _look_up,
    "card": _card,
    "catalogue": _catalogue,
    "audit": _audit,
}
"""In this order: the first two write what the others read."""
