"""The runner and damaged outputs: noticed at entry, never silently used, and said how to mend."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.records import Counts
from mm_model.report import catalogue, figures, page, timelapse
from mm_model.report.views import VIEWS
from mm_model.run import runner, stages, views
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import manifest
from mm_model.store.layout import Layout
from tests.store.damage import flipped, other_damage

pytestmark = pytest.mark.capability("damage", scale="T")

FLIPS = 40


def _first(job: Job) -> Report:
    (job.out / "numbers.json").write_text(json.dumps({"values": list(range(40))}))
    (job.out / "deep").mkdir()
    (job.out / "deep" / "pixels.bin").write_bytes(bytes(range(256)))
    return Report(Counts(3, 3), {"score": 0.5})


def _second(job: Job) -> Report:
    values = json.loads((job.inputs["sources"] / "numbers.json").read_text())["values"]
    pixels = (job.inputs["sources"] / "deep" / "pixels.bin").read_bytes()
    assert values == list(range(40)) and pixels == bytes(range(256)), "used silently"
    (job.out / "sum.txt").write_text(str(sum(values)))
    return Report(Counts(1, 1))


@pytest.fixture
def place(small_root: Path, monkeypatch: Any) -> Path:
    """A root in which `sources` and `ingest` are two quick stages, and nothing is tracked."""
    quick = {
        "sources": Stage("sources", "First", 1, (), ("run",), (), _first),
        "ingest": Stage("ingest", "Second", 1, ("sources",), ("run",), (), _second),
        "faces": Stage("faces", "Third", 1, ("sources", "ingest"), ("run",), (), _second),
    }
    monkeypatch.setattr(stages, "load", quick.__getitem__)
    for name in ("audit.audit", "audit.require_passed", "account.require_account"):
        monkeypatch.setattr(f"mm_model.quality.{name}", lambda *_: None)
    monkeypatch.setattr("mm_model.tracking.tracker.Tracker._add", lambda *_: None)
    monkeypatch.setattr("mm_model.tracking.tracker.Spool", lambda *_: None)
    runner.run("sources", small_root)
    runner.run("ingest", small_root)
    return small_root


def _files(place: Path, stage: str) -> list[Path]:
    return sorted(p for p in (place / "data" / "tiny" / stage).rglob("*") if p.is_file())


def test_no_damaged_input_is_used_silently(place: Path) -> None:
    output = place / "data" / "tiny" / "sources"
    tried = 0
    for path in _files(place, "sources"):
        content = path.read_bytes()
        other = next(p for p in _files(place, "sources") if p != path)
        damages = [lambda path=path, d=d: path.write_bytes(d) for d in flipped(content, FLIPS)]
        for do in [*damages, *other_damage(path, other).values()]:
            do()
            shutil.rmtree(place / "data" / "tiny" / "ingest", ignore_errors=True)
            with pytest.raises(UserError) as caught:
                runner.run("ingest", place)
            assert str(output) in str(caught.value), path
            assert "python -m mm_model run sources" in str(caught.value)
            path.write_bytes(content)
            tried += 1
    assert tried == 4 * (FLIPS + 7)
    runner.run("ingest", place)


def test_the_advice_without_dvc_helps(place: Path, capsys: Any) -> None:
    damaged = place / "data" / "tiny" / "sources" / "deep" / "pixels.bin"
    damaged.write_bytes(b"damaged")
    with pytest.raises(UserError, match="run sources'"):
        runner.run("ingest", place)
    runner.run("sources", place)
    assert "pixels.bin is missing or differs" in capsys.readouterr().out
    assert damaged.read_bytes() == bytes(range(256))
    runner.run("ingest", place)


def test_inputs_that_were_not_made_from_each_other_are_refused(
    place: Path, edit_profile: Callable
) -> None:
    runner.run("faces", place)
    edit_profile(place, **{"run.seed": 11})
    runner.run("sources", place)
    with pytest.raises(UserError, match=r"ingest was made from another output of sources .* -s in"):
        runner.run("faces", place)
    runner.run("ingest", place)
    runner.run("faces", place)


@pytest.mark.parametrize("name", ["manifest.json", "numbers.json", "report.json"])
def test_an_own_damaged_output_is_made_again(place: Path, name: str, capsys: Any) -> None:
    path = place / "data" / "tiny" / "sources" / name
    good = path.read_bytes()
    for content in (good[: len(good) // 2], b"", good.replace(b"0", b"1", 1)):
        path.write_bytes(content)
        capsys.readouterr()
        runner.run("sources", place)
        assert path.read_bytes() == good
        assert "the output is made again" in capsys.readouterr().out
    runner.run("sources", place)
    assert "up to date" in capsys.readouterr().out


def test_a_torn_record_of_times_fails_nothing(place: Path) -> None:
    timings = place / "work" / "tiny" / "timings.json"
    for content in (b"", b"{", b"[1]", b"\xff\xfe", b"null"):
        timings.write_bytes(content)
        shutil.rmtree(place / "data" / "tiny" / "sources")
        runner.run("sources", place)
        assert json.loads(timings.read_text())["sources"]["seconds"] >= 0


def test_weights_that_differ_from_their_manifest_are_refused(
    small_root: Path, tmp_path: Path, edit_params: Callable
) -> None:
    weights = tmp_path / "backbone"
    manifest_of = {"files": {"vae.bin": "0" * 64}}
    weights.mkdir()
    (weights / "vae.bin").write_bytes(b"x")
    (weights / "manifest.json").write_text(json.dumps(manifest_of))
    edit_params(small_root, backbone=str(weights))
    with pytest.raises(UserError, match=r"vae\.bin is missing or differs .* restore the folder"):
        runner.model_digests(
            stages.load("pretrain"), runner.load_params(small_root), Layout(small_root, "tiny")
        )


SHOWN = (
    "report.json",
    "metrics.json",
    "release.json",
    "samples/people.json",
    "curve.parquet",
    "samples/references.jpg",
    "samples/step_000000.strip.jpg",
    "cells.parquet",
    "inventory.parquet",
    "samples.parquet",
)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\x00\xff" * 50, b'{"a": 1}'])
def test_torn_files_never_end_in_a_traceback(small_root: Path, content: bytes) -> None:
    layout = Layout(small_root, "tiny")
    for stage in stages.NAMES:
        folder = layout.output(stage)
        for name in SHOWN:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        report = {"total": 0, "kept": 0, "rejected": {}, "failed": {}, "line": "", "metrics": {}}
        manifest.seal(folder, manifest.Manifest(stage, 1, "f", {}, "", report))
    for name in ("timings.json", "last_run.json", "views.json"):
        (small_root / "work" / "tiny").mkdir(parents=True, exist_ok=True)
        (small_root / "work" / "tiny" / name).write_bytes(content)
    assert page.build(layout).stat().st_size > 1000
    views.refresh(layout, VIEWS)
    target = small_root / "film.gif"
    for make in (catalogue.rebuild, figures.collect, lambda it: timelapse.build(it, target)):
        try:
            make(layout)
        except UserError as error:
            assert str(layout.data) in str(error) and "\n" not in str(error)
