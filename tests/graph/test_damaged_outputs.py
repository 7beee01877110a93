"""The advice for a damaged output is a command, and the command helps: tried in a tree with DVC."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mm_model.errors import UserError
from mm_model.store import manifest
from mm_model.store.layout import Layout
from orchestration import code_version, dvc_lock, rendering
from orchestration.dvc_command import environment
from orchestration.outcome import Outcome
from tests.graph.conftest import Tree

FILE = "result.txt"


def _output(tree: Tree, stage: str = "faces") -> Path:
    return tree.root / "data" / "tiny" / stage


def _flip(path: Path) -> None:
    """One bit, with the old time kept, as a failing disk leaves it."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _copy_of(tree: Tree, content: bytes) -> Path:
    """DVC's cache object of the bytes."""
    cache = tree.root / ".dvc" / "cache" / "files" / "md5"
    return next(p for p in cache.rglob("*") if p.is_file() and p.read_bytes() == content)


def _listing_of(tree: Tree, stage: str) -> Path:
    name = yaml.safe_load((tree.root / "dvc.lock").read_text())["stages"][stage]["outs"][0]["md5"]
    return tree.root / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]


def _advised(tree: Tree, stage: str = "faces") -> str:
    with pytest.raises(UserError) as caught:
        manifest.verified(_output(tree, stage))
    assert "\n" not in str(caught.value)
    return re.search("'([^']+)'", str(caught.value))[1]


def _follow(tree: Tree, command: str) -> str:
    done = subprocess.run(
        command,
        shell=True,
        cwd=tree.root,
        env=environment(tree.root),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _only_output(tree: Tree, name: str) -> None:
    _flip(_output(tree) / name)


def _both(tree: Tree, name: str) -> None:
    _flip(_copy_of(tree, (_output(tree) / name).read_bytes()))
    _flip(_output(tree) / name)


def _copy_gone(tree: Tree, name: str) -> None:
    _copy_of(tree, (_output(tree) / name).read_bytes()).unlink()
    (_output(tree) / name).unlink()


def _listing(tree: Tree, name: str) -> None:
    _flip(_listing_of(tree, "faces"))
    _flip(_output(tree) / name)


def _lock(tree: Tree, name: str) -> None:
    _flip(_output(tree) / name)
    (tree.root / "dvc.lock").write_bytes(b"schema: [\x00")


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("damage", "name", "runs"),
    [
        (_only_output, FILE, []),
        pytest.param(_only_output, manifest.NAME, [], marks=SLOW),
        (_both, FILE, ["faces"]),
        pytest.param(_both, manifest.NAME, ["faces"], marks=SLOW),
        pytest.param(_copy_gone, FILE, ["faces"], marks=SLOW),
        pytest.param(_listing, FILE, ["faces"], marks=SLOW),
        pytest.param(_lock, FILE, [], marks=SLOW),
    ],
)
def test_the_advised_command_brings_the_output_back(
    done: Tree, damage: Callable, name: str, runs: list[str]
) -> None:
    good = {p.name: p.read_bytes() for p in _output(done).rglob("*") if p.is_file()}
    damage(done, name)
    _follow(done, _advised(done))
    assert {p.name: p.read_bytes() for p in _output(done).rglob("*") if p.is_file()} == good
    assert done.executed() == runs
    if runs:  # the copy is mended too
        _follow(done, "rm -r data/tiny/faces && dvc checkout data/tiny/faces")
        manifest.verified(_output(done))
    assert done.is_clean()


@pytest.mark.slow
def test_dvc_checkout_is_advised_only_where_it_helps(done: Tree) -> None:
    _both(done, FILE)
    _follow(done, "rm -r data/tiny/faces && dvc checkout data/tiny/faces")
    assert "dvc repro -f -s faces" in _advised(done)


@pytest.mark.slow
def test_a_cache_elsewhere_is_looked_at(done: Tree, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    (done.root / ".dvc" / "cache").rename(place)
    _follow(done, f"dvc config --local cache.dir {place}")
    _flip(_output(done) / FILE)
    command = _advised(done)
    assert command == "rm -r data/tiny/faces && dvc checkout data/tiny/faces"
    _follow(done, command)
    manifest.verified(_output(done))


@pytest.mark.slow
def test_a_damaged_input_stops_the_next_stage_with_the_advice(done: Tree) -> None:
    _both(done, FILE)
    (done.root / "source" / "pairs" / "stage.py").write_text("# version 2\n")
    result = subprocess.run(
        ["dvc", "repro", "-s", "pairs"],
        cwd=done.root,
        capture_output=True,
        text=True,
        env=environment(done.root),
        check=False,
    )
    assert result.returncode != 0
    assert "dvc repro -f -s faces" in result.stdout + result.stderr
    assert done.executed() == ["pairs"]


@pytest.mark.parametrize("content", [b"", b"schema: [\x00", b"- 1\n", b"\xff\xfe\x00"])
def test_a_damaged_lock_is_one_sentence_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dvc.lock").write_bytes(content)
    if content == b"":
        assert dvc_lock.entries(tmp_path, "tiny") == {}
        return
    with pytest.raises(UserError, match=r"dvc\.lock is damaged: remove it and run again"):
        dvc_lock.entries(tmp_path, "tiny")


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: unable to read: 'dvc.lock', YAML file structure is corrupted: unacceptable",
        "'./dvc.lock' is invalid.",
    ],
)
def test_dvc_s_words_on_a_damaged_lock_become_the_way_out(line: str) -> None:
    outcome = Outcome("faces", status=255)
    outcome.hear(line)
    assert outcome.sentence == f"dvc.lock is damaged: {dvc_lock.MEND}."


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\x00"])
def test_torn_records_of_an_output_are_shown_as_absent(tmp_path: Path, content: bytes) -> None:
    layout = Layout(tmp_path, "tiny")
    output = layout.output("faces")
    output.mkdir(parents=True)
    for name in ("manifest.json", "report.json", "audit.json"):
        (output / name).write_bytes(content)
    assert code_version.of_output(output) is None
    assert rendering.report_metadata(layout, "faces").keys() == {"output"}
    assert not rendering.check_result(layout, "faces", output / "audit.json").passed


@pytest.mark.slow
def test_the_way_out_of_a_damaged_lock_runs_nothing_again(done: Tree) -> None:
    (done.root / "dvc.lock").write_bytes(b"schema: [\x00")
    result = done.dagster("sources")
    assert not result.success
    (done.root / "dvc.lock").unlink()
    _follow(done, "dvc repro")
    assert done.executed() == [] and done.is_clean()
