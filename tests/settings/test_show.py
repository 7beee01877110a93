"""`config show` prints every value and where it came from; `config write` what DVC compares."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.commands import cli
from mm_model.settings import load_profile, show
from tests.profiles import whole

SHIPPED = ("tiny", "tiny-long", "real-small", "paper", "workstation")


@pytest.fixture
def tree(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with the shipped profiles."""
    shutil.copytree(root / "profiles", tmp_path / "profiles", ignore=lambda *_: ["local.yaml"])
    shutil.copy(root / "params.yaml", tmp_path)
    monkeypatch.setenv("MM_ROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shown_is_the_profile_and_each_line_says_where_it_stands(
    tree: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    assert cli.main(["config", "show", name]) == 0
    said = capsys.readouterr().out
    assert yaml.safe_load(said) == whole(tree, name)
    section = ""
    for line in said.splitlines()[1:]:
        value, _, origin = line.partition("  # ")
        key = value.strip().partition(":")[0]
        if not origin:
            section = key
            continue
        if origin == show.IN_CODE:  # a filter's own setting, which no profile named
            assert value.strip() == f"{key}: null"
            continue
        path, _, number = origin.rpartition(":")
        written = (tree / path).read_text().splitlines()[int(number) - 1]
        assert f"{key}:" in written, (section, line, written)


def test_the_nearest_file_is_named(tree: Path) -> None:
    (tree / "profiles" / "local.yaml").write_text("base: tiny-long\nfaces:\n  max_faces: 2\n")
    lines = show.text(tree, "local").splitlines()
    assert lines[0] == (
        "# profiles/local.yaml <- profiles/tiny-long.yaml <- profiles/tiny.yaml "
        "<- profiles/common.yaml"
    )
    (faces,) = (line for line in lines if line.startswith("  max_faces:"))
    assert faces.split() == ["max_faces:", "2", "#", "profiles/local.yaml:3"]
    people = next(line for line in lines if "clips_per_person" in line)
    assert people.split()[-1].startswith("profiles/tiny-long.yaml:")
    (tree / "profiles" / "copy.yaml").write_text(show.text(tree, "local"))
    assert load_profile(tree, "copy") == load_profile(tree, "local")


def test_values_from_an_anchor_are_shown_where_the_anchor_stands(tree: Path) -> None:
    text = "base: tiny\npretrain: &same\n  steps: 9\nfinetune:\n  <<: *same\n  batch_size: 2\n"
    (tree / "profiles" / "local.yaml").write_text(text)
    mine = load_profile(tree, "local")
    assert (mine.pretrain.steps, mine.finetune.steps, mine.finetune.batch_size) == (9, 9, 2)
    shown = [
        line.split() for line in show.text(tree, "local").splitlines() if "local.yaml:" in line
    ]
    assert ["steps:", "9", "#", "profiles/local.yaml:3"] in shown
    assert ["batch_size:", "2", "#", "profiles/local.yaml:6"] in shown


def test_texts_of_every_kind_survive_being_shown(tree: Path) -> None:
    title = "Ünïcode: 'quotes' # no remark, - nor a list, " + "long " * 60
    text = yaml.safe_dump({"base": "tiny", "title": title, "register": {"model_name": "null"}})
    (tree / "profiles" / "local.yaml").write_text(text)
    shown = yaml.safe_load(show.text(tree, "local"))
    assert (shown["title"], shown["register"]["model_name"]) == (title, "null")
    assert shown["evaluate"]["face_guidance"] == "keep"


def test_the_profile_in_use_is_shown_without_a_name(
    tree: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli.main(["config", "show"]) == 0
    assert capsys.readouterr().out.startswith("# profiles/tiny.yaml <- profiles/common.yaml\n")
    assert cli.main(["config", "show", "huge"]) == 1
    assert "There is no profile 'huge'" in capsys.readouterr().err


def test_what_is_written_down_is_the_profile_and_stays_while_it_does(tree: Path) -> None:
    assert cli.main(["config", "write"]) == 0
    path = tree / "data" / "tiny" / "settings.json"
    assert json.loads(path.read_text()) == whole(tree)
    os.utime(path, (1, 1))
    show.write(tree, "tiny")
    assert path.stat().st_mtime == 1
    for damage in (b"{", b"\xff"):
        path.write_bytes(damage)
        show.write(tree, "tiny")
        assert json.loads(path.read_text()) == whole(tree)


def test_a_value_that_no_file_says_is_told_as_such(tree: Path, monkeypatch: Any) -> None:
    """No setting has a default today; one that had would be shown."""
    profile, written = show.resolved(tree, "tiny")
    del written.origins["faces", "max_faces"]
    monkeypatch.setattr(show, "resolved", lambda *_: (profile, written))
    (line,) = (one for one in show.text(tree, "tiny").splitlines() if "max_faces" in one)
    assert line.endswith("# default in code")


def test_whoever_reads_the_first_line_alone_gets_no_trace(tree: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "mm_model", "config", "show"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as shown:
        shown.stdout.close()
        said = shown.stderr.read()
    assert (said, shown.returncode) == ("", 1)
