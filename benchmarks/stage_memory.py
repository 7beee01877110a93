"""Memory a row of the stages that compare all rows, over 200 bytes: 4 M rows then fit in 1 GiB.

Each stage runs on made up rows, in a process of its own, once on many and once on few; its pictures
are not there, and what would be measured of them is made up too. The difference of the largest
resident memory is that of the rows.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import doorstep, tree
from benchmarks.result import Result
from mm_model.errors import UserError
from mm_model.records import INGEST_COLUMNS, SOURCES_COLUMNS
from mm_model.rows import Row
from mm_model.run.stage import Job
from mm_model.store import tables

GOAL = 1.0
_MOST_BYTES = 200
_FEW = 100_000
_EACH = 6
_WIDTH = 8


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("rows", type=int, nargs="?", default=300_000, help="over 100,000")
    command.add_argument("--only", nargs="+", choices=list(STAGES), help="these stages")


def run(options: argparse.Namespace) -> Result:
    """The ratio of the hungriest stage; says what a row of each takes."""
    worst = 0.0
    for stage in options.only or STAGES:
        few, many = (measured(stage, rows) for rows in (_FEW, options.rows))
        each = (many[0] - few[0]) / (options.rows - _FEW)
        doorstep.tell(
            f"{stage:7} {each:6.0f} bytes a row ({few[0] / 2**20:.0f} and {many[0] / 2**20:.0f} MB "
            f"at most, {few[1]:.0f} and {many[1]:.0f} s)"
        )
        worst = max(worst, each)
    return Result(worst / _MOST_BYTES, GOAL, 1)


def measured(stage: str, rows: int) -> tuple[int, float]:
    """Largest resident memory in bytes and seconds of a stage of so many rows, alone in a process.

    Raises:
        UserError: it ended without an answer.
    """
    with tempfile.TemporaryDirectory(prefix="mm-rows-") as name:
        _alone(STAGES[stage][0], Path(name), rows)
        return _alone(STAGES[stage][1], Path(name), rows)


def _alone(work: Callable[[Path, int], None], folder: Path, rows: int) -> tuple[int, float]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_told, args=(theirs, work, folder, rows))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise UserError(f"{work.__name__} ended without an answer.") from None
    finally:
        process.join()


def _told(answer: Any, work: Callable[[Path, int], None], folder: Path, rows: int) -> None:
    started = time.monotonic()
    with tree.quiet():
        work(folder, rows)
    told = Path("/proc/self/status").read_text()
    peak = next(line.split()[1] for line in told.splitlines() if line.startswith("VmHWM"))
    answer.send((int(peak) * 1024, time.monotonic() - started))


def job_of(stage: str, folder: Path) -> Job:
    """A job of a stage in `folder`, with the profile `tiny`; nothing of it is published."""
    from mm_model.run import stages
    from mm_model.settings import load_params, load_profile
    from mm_model.store.layout import Layout, repository_root

    root, own, taken = folder / "root", repository_root(), stages.load(stage)
    work = folder / stage
    (work / "out").mkdir(parents=True, exist_ok=True)
    params = load_params(own)
    shelves = {name: str(own / getattr(params, name)) for name in taken.models}
    return Job(
        stage=taken,
        params=params.model_copy(update=shelves),
        profile=load_profile(own, "tiny"),
        layout=Layout(root, "tiny"),
        fingerprint="made",
        inputs={name: folder / name / "out" for name in taken.takes},
        work=work,
        out=work / "out",
        tracker=None,  # type: ignore[arg-type] # no stage here tracks
    )


def _digest(*said: object) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _sources(folder: Path, rows: int) -> None:
    """An inventory: of a hundred files one has no consent, one is empty, one is a copy."""
    from mm_model.sources.stage import _TYPES

    def made() -> Iterator[Row]:
        for number in range(rows):
            content = _digest("bytes", number - 1 if number % 100 == 7 else number)
            yield {
                "source_id": _digest("source", number)[:16],
                "name": f"person-{number // 40:06}/photo-{number:08}.jpg",
                "path": f"media/person-{number // 40:06}/photo-{number:08}.jpg",
                "synthetic": False,
                "bytes": 0 if number % 100 == 5 else 1000 + number,
                "sha256": content,
                "subject": f"person-{number // 40:06}",
                "source": "made",
                "consent": None if number % 100 == 3 else "licence:made",
                "consent_digest": "0" * 64,
                "status": "kept",
            }

    out = job_of("sources", folder).out
    tables.write(out / "inventory.parquet", made(), SOURCES_COLUMNS, _TYPES)
    captions = {
        _digest("source", number)[:16]: {"text": f"a man smiles at his guests, take {number}"}
        for number in range(0, rows, 2)
    }
    (out / "captions.json").write_text(json.dumps(captions, indent=1, sort_keys=True))


def facts_of(path: Path, thumbnail: bool) -> Row:
    """What a check of a made up file finds; one in a hundred shares its pixels, one its looks."""
    number = int(path.stem.partition("-")[2])
    looks = _digest("looks", number - 1 if number % 100 == 11 else number)[:16]
    return {
        "media": "image",
        "extension": path.suffix,
        "width": 128,
        "height": 128,
        "num_frames": 1,
        "fps": None,
        "codec": "jpeg",
        "motion": None,
        "cut": None,
        "pixel_id": _digest("pixels", number - 1 if number % 100 == 9 else number),
        "phash": looks,
        "lettering": 0.001 * (number % 7),
        "ocr_area": None,
        "nsfw": None,
        "watermark": None,
        "notes": [],
        "sha256": _digest("bytes", number),
        "thumbnail": None,
    }


class _Checks:
    """Stands for the sandbox: every file is as `facts_of` says."""

    def __init__(self, allowance: Any) -> None:
        self.allowance = allowance

    def check_all(self, requests: Sequence[tuple[Path, bool]]) -> Iterator[Row]:
        for path, thumbnail in requests:
            yield facts_of(path, thumbnail)


def _ingest(folder: Path, rows: int) -> None:
    from mm_model.ingest import files, sandbox, stage

    @contextlib.contextmanager
    def opened(allowance: Any, *_: Any) -> Iterator[_Checks]:
        yield _Checks(allowance)

    with (
        mock.patch.object(sandbox, "opened", opened),
        mock.patch.object(files, "copy", lambda *_: None),
    ):
        report = stage.run(job_of("ingest", folder))
    if report.counts.total != rows:
        raise AssertionError("rows were lost")


def _kept_files(folder: Path, rows: int) -> None:
    """An output of `ingest`, all kept, six photographs a person."""
    from mm_model.ingest.stage import _TYPES

    def made() -> Iterator[Row]:
        for number in range(rows):
            sample = _digest("sample", number)[:16]
            facts = facts_of(Path(f"photo-{number}.jpg"), False)
            yield {name: facts[name] for name in ("media", "width", "height", "num_frames")} | {
                "sample_id": sample,
                "name": f"person-{number // _EACH:06}/photo-{number:08}.jpg",
                "subject": f"person-{number // _EACH:06}",
                "synthetic": False,
                "file": f"files/{sample}.jpg",
                "pixel_id": facts["pixel_id"],
                "caption": f"a man smiles at his guests, take {number}",
                "status": "kept",
            }

    out = job_of("ingest", folder).out
    tables.write(out / "samples.parquet", made(), INGEST_COLUMNS, _TYPES)


def _look(_: Any, task: Any) -> Row:
    """A record as of one good face."""
    from mm_model.decisions.faces import MEASURES, FaceMeasurements
    from mm_model.facepack.port import Face
    from mm_model.faces.examine import Examined
    from mm_model.faces.row import _record

    numbers = np.random.default_rng(int(task.sample_id, 16))
    seen = FaceMeasurements(
        examined=1,
        found=1,
        padded_share=0.0,
        many_share=0.0,
        most_faces=1,
        bystanders=0,
        other_face=0.0,
        detection_score=float(numbers.uniform(0.8, 0.9)),
        medians={one.name: float(numbers.uniform(60, 70)) for one in MEASURES if one.each},
        media="image",
    )
    face = Face(np.array([30, 30, 90, 90], float), 0.9, numbers.uniform(30, 90, (5, 2)))
    vector = numbers.normal(size=(1, _WIDTH)).astype(np.float32)
    vector /= np.linalg.norm(vector)
    return _record(
        Examined(
            seen,
            numbers=[1],
            tracks=[(0, 0.0, face)],
            frames=[0],
            embeddings=vector,
            embedding_norm=20.0,
        )
    )


def _faces(folder: Path, rows: int) -> None:
    """Folders are people, so that what is measured is the rows and not the clustering."""
    from mm_model.faces import row, stage, workers
    from mm_model.store import manifest

    job = job_of("faces", folder)
    rules = job.profile.faces.model_copy(update={"identity": "folders"})
    job = dataclasses.replace(job, profile=job.profile.model_copy(update={"faces": rules}))
    pack = SimpleNamespace(digest="made", describe=lambda: {"width": _WIDTH})

    @contextlib.contextmanager
    def opened(*_: Any) -> Iterator[Any]:
        yield workers.Workers(pack, None).here()  # type: ignore[arg-type]

    known = SimpleNamespace(files=SimpleNamespace(get=lambda name: _digest("bytes", name)))
    with (
        mock.patch.object(workers, "opened", opened),
        mock.patch.object(row, "measure", _look),
        mock.patch.object(manifest, "read", lambda _: known),
    ):
        report = stage.run(job)
    if report.counts.kept != rows:
        raise AssertionError(report.counts.line())


def _faces_of(folder: Path, rows: int) -> None:
    """Outputs of `ingest` and of `faces`."""
    _kept_files(folder, rows)
    _faces(folder, rows)


def _pairs(folder: Path, rows: int) -> None:
    """No picture is synthesised: a reference is another sample of the same person."""
    from mm_model.pairs import stage

    job = job_of("pairs", folder)
    rules = job.profile.pairs.model_copy(update={"synthesizer": "none"})
    job = dataclasses.replace(job, profile=job.profile.model_copy(update={"pairs": rules}))
    nobody = contextlib.nullcontext(SimpleNamespace())
    with (
        mock.patch.object(stage, "opened", lambda *_: nobody),
        mock.patch.object(stage, "refuse_another_pack", lambda *_: None),
    ):
        report = stage.run(job)
    if report.counts.total < rows:
        raise AssertionError(report.counts.line())


STAGES: Mapping[str, tuple[Callable[[Path, int], None], Callable[[Path, int], None]]] = {
    "ingest": (_sources, _ingest),
    "faces": (_kept_files, _faces),
    "pairs": (_faces_of, _pairs),
}
"""Stage to what makes its inputs, and to its run."""
