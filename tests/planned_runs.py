"""Runs of the embedded default on fewer people, by which the plan's arithmetic is judged.

`python -m tests.planned_runs fifth` runs that one again in a folder of its own and writes
docs/runs/fifth.json anew: seconds, processor seconds and memory of each stage, and what it counted.
`mm_model/planning/check.py` says which of them is calibrated on.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from mm_model.environment import hardware
from mm_model.run import stages
from mm_model.store import documents
from mm_model.store.layout import Layout

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "docs" / "runs"


def plant(folder: Path, known: dict[str, Any]) -> None:
    """A tree that runs what a stored run changed and whom it drew, with the shipped weights."""
    shutil.copytree(ROOT / "profiles", folder / "profiles", ignore=lambda *_: ["local.yaml"])
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    shelves = ("judges", "captioners", "classifiers", "synthesizer")
    for entry in ("facepack", "judge", "backbone"):
        params[entry] = str(ROOT / params[entry])
    for shelf in shelves:
        (folder / params[shelf]).mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump({**params, "profile": "tiny"}))
    profile = folder / "profiles" / "tiny.yaml"
    values = yaml.safe_load(profile.read_text())
    for section, changes in known["changed"].items():
        values[section] |= changes
    profile.write_text(yaml.safe_dump(values))
    recipe = folder / "profiles" / "people.yaml"
    people = yaml.safe_load(recipe.read_text())
    recipe.write_text(yaml.safe_dump({**people, **known["people"]}))


def spent(folder: Path, stage: str) -> tuple[float, float, int]:
    """Seconds, processor seconds and the largest resident memory (MB) of one stage, run there."""
    env = {**os.environ, "MM_ROOT": str(folder)}
    command = [sys.executable, "-m", "mm_model", "run", stage]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=sys.stderr)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{stage} failed.")
    return time.monotonic() - began, _cpu(used), used.ru_maxrss // 1024


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


def run(name: str) -> dict[str, Any]:
    """Run a stored run whole, again; what docs/runs keeps of it."""
    known = documents.read(RUNS / f"{name}.json")
    said: dict[str, Any] = {
        "profile": "tiny",
        "changed": known["changed"],
        "people": known["people"],
        "hardware": hardware(),
        **{part: {} for part in ("stages", "seconds", "cpu_seconds", "memory_mb")},
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plant(folder, known)
        for stage in stages.NAMES:
            seconds, cpu, memory = spent(folder, stage)
            report = documents.read(Layout(folder, "tiny").output(stage) / "report.json")
            said["stages"][stage] = {"account": report["line"]}
            said["seconds"][stage] = round(seconds, 1)
            said["cpu_seconds"][stage] = round(cpu, 1)
            said["memory_mb"][stage] = memory
    return said


def main(names: list[str]) -> None:
    """Run each and write it down."""
    for name in names:
        target = RUNS / f"{name}.json"
        target.write_text(json.dumps(run(name), indent=1, sort_keys=True) + "\n")
        print(target)


if __name__ == "__main__":
    main(sys.argv[1:])
