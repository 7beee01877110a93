"""Which code made an output: recorded, compared, told by `status`, and heeded when strict."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands import cli
from mm_model.records import Counts
from mm_model.run import made_by, runner, stages, status
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import atomic, closure, digests, manifest
from mm_model.store.shards import in_shards

pytestmark = pytest.mark.capability("STRICT=1", scale="T")

ITEMS = ("a", "b", "c")


class Killed(Exception):
    """Stands for the end of a process in the middle of its work."""


class Work:
    """The two stages' work: the first in shards, of which `stop_at` is never finished."""

    def __init__(self) -> None:
        self.stop_at: str | None = None
        self.computed: list[str] = []
        self.during = lambda: None

    def first(self, job: Job) -> Report:
        rows = in_shards(
            job.work / "shards", ITEMS, 1, self._compute, label="[sources] toy", origin="toy"
        )
        (job.out / "rows.json").write_text(json.dumps(rows))
        return Report(Counts(len(rows), len(rows)))

    def _compute(self, items: Any) -> list[dict]:
        if items[0] == self.stop_at:
            raise Killed
        self.computed += items
        self.during()
        return [{"item": item} for item in items]

    def second(self, job: Job) -> Report:
        shutil.copy(job.inputs["sources"] / "rows.json", job.out / "copy.json")
        return Report(Counts(1, 1))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: Any) -> Path:
    """A library of one's own to change; what stages say they run."""
    copy = tmp_path / "library" / "mm_model"
    shutil.copytree(closure.PACKAGE, copy, ignore=lambda *_: ["__pycache__"])
    for function in (made_by.record, status.of_tree):
        monkeypatch.setattr(function, "__defaults__", (copy,))
    return copy


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def place(small_root: Path, package: Path, work: Work, monkeypatch: Any) -> Path:
    """A root in which two quick stages stand for `sources` and `ingest`; nothing is tracked."""
    quick = {
        "sources": Stage("sources", "First", 1, (), ("run",), (), work.first),
        "ingest": Stage("ingest", "Second", 1, ("sources",), ("run",), ("facepack",), work.second),
    }
    monkeypatch.setattr(stages, "load", quick.__getitem__)
    monkeypatch.setattr(stages, "NAMES", tuple(quick))
    monkeypatch.setattr("mm_model.quality.audit.audit", lambda *_: None)
    monkeypatch.setattr("mm_model.quality.audit.require_passed", lambda *_: None)
    monkeypatch.setattr("mm_model.quality.account.require_account", lambda *_: None)
    monkeypatch.setattr("mm_model.tracking.tracker.Tracker._add", lambda *_: None)
    monkeypatch.setattr("mm_model.tracking.tracker.Spool", lambda *_: None)
    monkeypatch.setattr("mm_model.report.views.VIEWS", ())
    monkeypatch.setenv("MM_ROOT", str(small_root))
    return small_root


def _change(package: Path, name: str, old: str, new: str) -> None:
    text = (package / name).read_text()
    assert old in text
    (package / name).write_text(text.replace(old, new, 1))


def _made(place: Path, stage: str = "sources") -> manifest.Manifest:
    return manifest.verified(place / "data" / "tiny" / stage)


def _status(capsys: Any, *options: str) -> tuple[int, str]:
    capsys.readouterr()
    code = cli.main(["status", *options])
    return code, capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "old", "new", "concerned", "shown"),
    [
        (
            "nn/magic_mirror/block.py",
            "base + can_scale",
            "base - 5 * can_scale",
            {"precompute", "pretrain", "finetune", "evaluate"},
            "mm_model/nn/magic_mirror/block.py (MagicMirrorBlock.modulation)",
        ),
        (
            "media/examine.py",
            "pixels > limits.max_pixels",
            "pixels >= limits.max_pixels",
            {"ingest"},
            "mm_model/media/examine.py (_checked_size)",
        ),
        ("metrics/identity.py", "mean()", "max()", {"evaluate"}, "mm_model/metrics/identity.py ("),
        (
            "store/tables.py",
            "def write(",
            "def write(extra=0, *, ",
            set(stages.NAMES),
            "mm_model/store/tables.py (write)",
        ),
        ("register/promotion.py", " > ", " >= ", {"register"}, "mm_model/register/promotion.py ("),
        ("report/page.py", "\nfrom dataclasses", "\nLIMIT = 3\nfrom dataclasses", set(), ""),
        ("report/catalogue.py", "\nimport os", "\nLIMIT = 3\nimport os", set(), ""),
        ("nn/magic_mirror/block.py", "import torch\n", "import torch  # the library\n", set(), ""),
    ],
)
def test_a_changed_line_is_told_of_the_stages_that_import_it(
    package: Path, name: str, old: str, new: str, concerned: set[str], shown: str
) -> None:
    before = {stage: made_by.record(stage) for stage in stages.NAMES}
    _change(package, name, old, new)
    for stage in stages.NAMES:
        known = manifest.Manifest(stage, 1, "f", {}, "", {}, code=before[stage])
        found = made_by.difference(known, made_by.record(stage))
        assert bool(found) == (stage in concerned), stage
        assert not found or shown in found.sentence(), found.sentence()


def test_a_record_names_no_place_and_no_time(package: Path) -> None:
    here = made_by.record("pairs", closure.PACKAGE)
    for path in package.rglob("*.py"):
        path.touch()
    assert made_by.record("pairs") == here
    assert all(
        name.startswith("mm_model/") and (closure.PACKAGE.parent / name).is_file() for name in here
    )


def test_status_tells_what_would_run_and_what_is_of_other_code(
    place: Path, package: Path, capsys: Any, edit_profile: Any
) -> None:
    assert _status(capsys) == (3, "Profile tiny has no results yet: 'make run' makes them.\n")
    runner.run("sources", place)
    runner.run("ingest", place)
    code, said = _status(capsys)
    assert code == 0
    assert said.splitlines() == ["Profile tiny", "  sources   up to date", "  ingest    up to date"]

    _change(package, "media/strict.py", "\ndef every", "\ndef x(): ...\ndef every")
    code, said = _status(capsys)
    assert code == 3
    _, sources, ingest, way_out = said.splitlines()
    assert sources == "  sources   up to date"
    assert ingest == (
        "  ingest    up to date; made by other code than lies here now: "
        "mm_model/media/strict.py (x)"
    )
    assert "make run STRICT=1" in way_out and "`version`" in way_out
    code, said = _status(capsys, "--json")
    first, second = json.loads(said)["stages"]
    assert (code, first["code"], second["code"]) == (3, "same", "other")
    assert "x" in second["files"]["mm_model/media/strict.py"]

    edit_profile(place, **{"run.seed": 99})
    _, said = _status(capsys)
    assert "sources   would run: its settings changed" in said
    assert "ingest    would run: its settings changed; made by other code" in said
    code, said = _status(capsys, "--profile", "tiny-long")
    assert (code, said) == (
        3,
        "Profile tiny-long has no results yet: 'make run PROFILE=tiny-long' makes them.\n",
    )
    assert cli.main(["status", "--profile", "huge"]) == 1


def test_status_follows_inputs_weights_and_damage(
    place: Path, capsys: Any, edit_params: Any, tmp_path: Path, tiny_facepack: Path
) -> None:
    runner.run("sources", place)
    runner.run("ingest", place)
    pack = Path(shutil.copytree(tiny_facepack, tmp_path / "pack"))
    edit_params(place, facepack=str(pack))
    assert _status(capsys)[0] == 0, "equal weights elsewhere"
    (pack / "more.txt").write_text("another pack")
    assert "ingest    would run: changed: facepack" in _status(capsys)[1]
    edit_params(place, facepack=str(tmp_path / "nowhere"))
    assert "ingest    would run: params.yaml: facepack: " in _status(capsys)[1]
    edit_params(place, facepack=str(tiny_facepack))
    folder = place / "data" / "tiny" / "sources"
    (folder / "manifest.json").write_text("{")
    code, said = _status(capsys)
    assert code == 3
    assert f"sources   would run: {folder}/manifest.json is damaged" in said
    assert "ingest    may run: after sources" in said


@pytest.mark.parametrize("added", ["# a comment\n", "\n", "LIMIT = 3\n"])
def test_status_says_that_a_stage_whose_own_file_changed_would_run(
    place: Path, package: Path, capsys: Any, added: str
) -> None:
    runner.run("sources", place)
    runner.run("ingest", place)
    own = package / "ingest" / "stage.py"

    def entry(stage: str, content: bytes) -> dict[str, Any]:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        dep = {"path": f"mm_model/{stages.file_of(stage)}", "hash": "md5", "md5": md5}
        return {"deps": [dep], "outs": [{"path": f"data/tiny/{stage}", "md5": "0.dir"}]}

    lock = place / "dvc.lock"
    lock.write_text(json.dumps({"stages": {"ingest": entry("ingest", own.read_bytes())}}))
    assert _status(capsys)[0] == 0
    own.write_text(own.read_text() + added)
    code, said = _status(capsys)
    assert code == 3
    assert "ingest    would run: its file mm_model/ingest/stage.py changed" in said
    other = entry("ingest", b"another profile's run") | {"outs": [{"path": "data/paper/ingest"}]}
    for content in ("{", "[]", '{"stages": {"ingest": 3}}', json.dumps({"stages": {"a": other}})):
        lock.write_text(content)
        assert "its file" not in _status(capsys)[1]


def test_status_of_another_profile_names_the_command_for_it(
    place: Path, package: Path, capsys: Any, edit_params: Any
) -> None:
    runner.run("sources", place)
    _change(package, "sources/stage.py", "\nfrom", "\nLIMIT = 3\nfrom")
    assert "'make run STRICT=1' makes them again" in _status(capsys)[1]
    edit_params(place, profile="tiny-long")
    said = _status(capsys, "--profile", "tiny")[1]
    assert "'make run PROFILE=tiny STRICT=1' makes them again" in said


def test_a_file_that_is_no_python_is_told_as_any_other(
    place: Path, package: Path, capsys: Any
) -> None:
    runner.run("sources", place)
    (package / "records.py").write_text("def broken(:\n")
    code, said = _status(capsys)
    assert code == 3
    assert "made by other code than lies here now: mm_model/records.py" in said


def test_work_of_other_code_is_gone_on_with_and_told(
    place: Path, package: Path, work: Work, capsys: Any
) -> None:
    work.stop_at = "c"
    with pytest.raises(Killed):
        runner.run("sources", place)
    began = made_by.record("sources")
    _change(package, "records.py", "\nclass Status", "\ndef x(): ...\nclass Status")
    work.stop_at = None
    runner.run("sources", place)
    assert work.computed == ["a", "b", "c"], "no work is lost for a version that stayed"
    made = _made(place)
    assert made.code == made_by.record("sources")
    (other,) = made.before
    assert other == {"mm_model/records.py": began["mm_model/records.py"]}
    code, said = _status(capsys, "--json")
    assert (code, json.loads(said)["stages"][0]["code"]) == (3, "partly")
    assert "begun by other code than lies here now: mm_model/records.py (x)" in _status(capsys)[1]


def test_strict_takes_nothing_of_other_code(
    place: Path, package: Path, work: Work, monkeypatch: Any, capsys: Any
) -> None:
    work.stop_at = "c"
    with pytest.raises(Killed):
        runner.run("sources", place)
    _change(package, "records.py", "\nclass Status", "\ndef x(): ...\nclass Status")
    monkeypatch.setenv(made_by.STRICT, "1")
    with pytest.raises(Killed):
        runner.run("sources", place)
    work.stop_at = None
    runner.run("sources", place)
    assert work.computed == ["a", "b", "a", "b", "c"], "begun anew, then its own work taken up"
    assert _made(place).before == []
    runner.run("sources", place)
    assert len(work.computed) == 5, "up to date"
    _change(package, "records.py", "def x(): ...", "def x(): return 1")
    runner.run("sources", place)
    assert len(work.computed) == 8, "an output of other code does not count"
    assert _status(capsys)[1].splitlines()[1] == "  sources   up to date"


def test_a_finished_stage_leaves_no_doubt_for_the_next(
    place: Path, package: Path, work: Work
) -> None:
    """Without begun work in its folder, a stage that runs again is of one code."""
    runner.run("sources", place)
    runner.run("ingest", place)
    _change(package, "records.py", "\nclass Status", "\ndef x(): ...\nclass Status")
    shutil.rmtree(place / "data" / "tiny" / "ingest")
    runner.run("ingest", place)
    assert _made(place, "ingest").before == []


def test_code_that_changed_while_a_stage_ran_is_told(
    place: Path, package: Path, work: Work, capsys: Any
) -> None:
    began = made_by.record("sources")

    def save() -> None:
        if work.computed == ["a", "b"]:
            _change(package, "records.py", "\nclass Status", "\ndef x(): ...\nclass Status")

    work.during = save
    runner.run("sources", place)
    made = _made(place)
    assert made.code == made_by.record("sources") != began
    assert made.before == [{"mm_model/records.py": began["mm_model/records.py"]}]


def test_work_that_nobody_signed_is_unknown(place: Path, work: Work, capsys: Any) -> None:
    work.stop_at = "b"
    with pytest.raises(Killed):
        runner.run("sources", place)
    (note,) = (place / "work" / "tiny" / "sources").glob("*/code.json")
    note.write_text("torn")
    work.stop_at = None
    runner.run("sources", place)
    assert _made(place).before == [{}]
    assert "begun by other code than lies here now, which none recorded" in _status(capsys)[1]


def _as_before(folder: Path) -> str:
    """Write the manifest as it was before code was recorded; return the digest it had."""
    path = folder / manifest.NAME
    content = json.loads(path.read_text())
    for name in ("code", "before", "own_digest"):
        del content[name]
    own = digests.of_value(content)
    atomic.write_json(path, content | {"own_digest": own})
    return own


def test_outputs_from_before_are_of_unknown_code_and_else_hold(
    place: Path, work: Work, capsys: Any, monkeypatch: Any
) -> None:
    runner.run("sources", place)
    runner.run("ingest", place)
    folders = [place / "data" / "tiny" / stage for stage in ("sources", "ingest")]
    old = _as_before(folders[0])
    _as_before(folders[1])
    for note in (place / "work" / "tiny").glob("*/*/code.json"):
        note.unlink()
    assert _made(place).digest == old == _made(place, "ingest").inputs["sources"]
    runner.run("ingest", place)
    code, said = _status(capsys)
    assert code == 3
    assert said.splitlines()[1] == "  sources   up to date; made before its code was recorded"
    monkeypatch.setenv(made_by.STRICT, "1")
    runner.run("sources", place)
    assert len(work.computed) == 6


def test_the_manifest_of_equal_work_is_equal(place: Path, work: Work) -> None:
    runner.run("sources", place)
    path = place / "data" / "tiny" / "sources" / manifest.NAME
    first = hashlib.sha256(path.read_bytes()).hexdigest()
    shutil.rmtree(place / "data")
    shutil.rmtree(place / "work" / "tiny" / "sources")
    runner.run("sources", place)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == first
    assert str(place) not in path.read_text()


def test_a_word_that_means_nothing_is_refused(place: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv(made_by.STRICT, "yes")
    assert cli.main(["run", "sources"]) == 1
    assert (
        "Stopped: MM_STRICT=yes means nothing: give 1, or leave it out." in capsys.readouterr().err
    )
    assert not (place / "data").exists()
