"""Two whole runs in two places, side by side, leave the same files and figures.

What they import on the way, in their process and those they start, counts as the stages' code.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mm_model.run.stages import NAMES
from mm_model.store import manifest
from mm_model.store.layout import Layout
from tests.imported import noting, uncounted
from tests.media.test_equal_bytes import load
from tests.small_chain import small_root

pytestmark = pytest.mark.capability("equal runs", scale="T")

COMPARED = NAMES[: NAMES.index("register")]
"""What `register` writes names the versions of its own registry."""

MEMORY_AND_HASHES = (("85", "1"), ("170", "2"))
"""MALLOC_PERTURB_ and PYTHONHASHSEED of each place."""


def full_root(root: Path, place: Path) -> Path:
    """The embedded default as it is, in a place of its own."""
    shutil.copytree(root / "profiles", place / "profiles")
    params = yaml.safe_load((root / "params.yaml").read_text())
    for name in ("facepack", "judge", "backbone"):
        params[name] = str(root / params[name])
    for name in ("judges", "captioners", "classifiers", "synthesizer"):
        (place / params[name]).mkdir(parents=True)
    params |= {"profile": "tiny", "sources": "profiles/people.yaml"}
    (place / "params.yaml").write_text(yaml.safe_dump(params))
    return place


def run_beside_each_other(name: str, places: list[Path], root: Path) -> None:
    """One stage in every place at once, each process with another memory and other hashes."""
    started = []
    for place, (memory, hashes) in zip(places, MEMORY_AND_HASHES, strict=False):
        command, environment = noting(name, place, root)
        environment |= {"MALLOC_PERTURB_": memory, "PYTHONHASHSEED": hashes}
        log = (place / f"{name}.log").open("w")
        started.append(
            (subprocess.Popen(command, env=environment, cwd=place, stdout=log, stderr=log), log)
        )
    for process, log in started:
        process.wait()
        log.close()
        assert process.returncode == 0, Path(log.name).read_text()[-2000:]


@pytest.mark.minutes
@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "load_processes"),
    [
        pytest.param(small_root, 0, id="few people"),
        pytest.param(full_root, 1, id="embedded default", marks=pytest.mark.endurance),
    ],
)
def test_two_runs_leave_the_same_files_and_import_what_counts(
    made: object, load_processes: int, root: Path, tmp_path: Path
) -> None:
    places = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        places.append(made(root, tmp_path / name))
    with load(load_processes):
        for name in COMPARED:
            run_beside_each_other(name, places, root)
            ours, theirs = (manifest.read(Layout(p, "tiny").output(name)).files for p in places)
            differing = [f for f in ours.keys() | theirs.keys() if ours.get(f) != theirs.get(f)]
            assert not differing, f"{name}: {sorted(differing)}"
    run_beside_each_other("register", places[:1], root)
    for name in NAMES:
        assert not uncounted(name, places[0]), name
