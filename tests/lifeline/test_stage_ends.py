"""A stage under a real `dvc repro`: whoever is killed, nobody is left and the next run goes on."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from mm_model.store import lock, manifest
from tests.lifeline.family import ROOT, left
from tests.profiles import whole

pytestmark = pytest.mark.capability("killed, moved, full disk", scale="T")

RECIPE = {
    "train_people": 6,
    "held_out_people": 2,
    "photos_per_person": 3,
    "clips_per_person": 1,
    "size": 64,
    "num_frames": 9,
    "fps": 8,
    "fault_rate": 0.0,
    "seed": 3,
}

SHELLS = {
    "staying": '#!/bin/sh\neval "$2"\nexit $?\n',
    "leaving": '#!/bin/sh\neval "exec $2"\n',
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small repository whose only work is `sources`, the real command of the real graph."""
    code = ("mm_model/settings/sections.py", "mm_model/sources/stage.py")
    for name in (".dvc/config", "profiles/tiny.yaml", *code):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    _write(tmp_path / "dvc.yaml", {"stages": {n: stages[n] for n in ("settings", "sources")}})
    _write(tmp_path / "people.yaml", RECIPE)
    profile = whole(ROOT)
    profile["ingest"]["row_floor"] = 1
    _write(tmp_path / "profiles" / "tiny.yaml", profile)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    _write(tmp_path / "params.yaml", {**params, "profile": "tiny", "sources": "people.yaml"})
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def _write(path: Path, content: dict) -> None:
    path.write_text(yaml.safe_dump(content))


def repro(tree: Path, shell: str | None = None) -> subprocess.Popen:
    """`dvc repro`, as a user types it."""
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    given = {
        "PATH": binaries,
        "MM_ROOT": str(tree),
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    }  # nobody there: a quick end
    given |= {"SHELL": shell} if shell else {}
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=tree,
        env={**os.environ, **given},
        stdout=(tree / "said.txt").open("a"),
        stderr=subprocess.STDOUT,
    )


def until(condition, seconds: float = 60.0):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def stage_below(dvc: subprocess.Popen) -> psutil.Process | None:
    """The process of the stage itself."""
    for process in psutil.Process(dvc.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.cmdline()[1:4] == ["-m", "mm_model", "run"]:
                return process
    return None


def drawing(dvc: subprocess.Popen, tree: Path) -> list[psutil.Process]:
    """Everybody below `dvc`, once people are being drawn by both processes."""
    until(lambda: len(list(tree.glob("work/tiny/sources/*/drawn/call-*/*/*"))) > 1)
    return psutil.Process(dvc.pid).children(recursive=True)


@pytest.mark.parametrize(
    ("victim", "shell"), [("dvc", "staying"), ("dvc", "leaving"), ("stage", "staying")]
)
def test_nobody_is_left_nothing_is_half_written(tree: Path, victim: str, shell: str) -> None:
    script = tree / shell  # stays between DVC and the stage, or gives its place to the stage
    script.write_text(SHELLS[shell])
    script.chmod(0o755)
    dvc = repro(tree, str(script))
    family = drawing(dvc, tree)
    stage = stage_below(dvc)
    assert (stage.ppid() == dvc.pid) == (shell == "leaving")
    (dvc if victim == "dvc" else stage).send_signal(signal.SIGKILL)
    assert left(family) == []
    dvc.wait()
    assert not (tree / "data" / "tiny" / "sources").exists()
    (work,) = tree.glob("work/tiny/sources/*")
    with lock.held(work, "test"):
        pass


@pytest.mark.slow
def test_the_next_run_goes_on(tree: Path) -> None:
    dvc = repro(tree)
    family = drawing(dvc, tree)
    dvc.kill()
    assert left(family) == []
    dvc.wait()
    assert repro(tree).wait(300) == 0, (tree / "said.txt").read_text()
    assert manifest.verified(tree / "data" / "tiny" / "sources").report["kept"] == (6 + 2) * 4
