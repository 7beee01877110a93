"""Stands for `python -m mm_model run <stage>` in a toy tree: same files, no learning.

`behaviour.json` (no dependency of any stage) says which stage is to fail, sleep or be the real one.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from mm_model.errors import UserError, of_machine
from mm_model.run import made_by, stages
from mm_model.run.runner import fingerprint_of, model_digests
from mm_model.serving import code
from mm_model.settings import load_params, load_profile
from mm_model.store import atomic, closure, digests, experiment, figures, manifest
from mm_model.store.layout import Layout

ROOT = Path.cwd()
LIBRARY = ROOT / "library" / "mm_model"
"""Code of its own, which a test may change; the repository's without it."""


def _expectation(success: bool) -> dict:
    return {
        "expectation": "row_floor",
        "table": "samples.parquet",
        "column": None,
        "severity": "critical",
        "success": success,
        "observed": "3 rows",
        "rows": ["a", "b"],
        "sentence": "samples.parquet has 3 rows, 60 are needed",
    }


def _sleep(name: str) -> None:
    """Sleep with a child beside it, both found by the name of this tree."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", str(ROOT)])
    (ROOT / f"sleeping-{name}").write_text(str(child.pid))
    time.sleep(300)


def _really(name: str) -> int:
    """The stage itself, ended as the command line ends it."""
    from mm_model.report.views import VIEWS
    from mm_model.run import runner

    if not (ROOT / "data" / "tiny" / name / "release.json").is_file():  # a toy's own output
        shutil.rmtree(ROOT / "data" / "tiny" / name, ignore_errors=True)
    try:
        runner.run(name, ROOT, VIEWS)
    except UserError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    return 0


REPORT = {
    "total": 3,
    "kept": 2,
    "rejected": {"FACE_NONE": 1},
    "failed": {},
    "line": "3 in = 2 kept + 1 rejected (FACE_NONE 1) + 0 failed",
    "metrics": {"seen": 2, "absent": None},
    "pictures": ["pictures/sheet.jpg"],
    "notes": ["One sample showed no face."],
}


def _files(name: str, layout: Layout) -> list[str]:
    """Names of the raw files that a stage's output knows of: those that lie there, then those that
    the stage before had, without what `faces` finds nobody in."""
    if name == "sources":
        return sorted(path.name for path in (ROOT / "raw").iterdir())
    above = {"ingest": "sources", "faces": "ingest", "pairs": "faces", "precompute": "pairs"}
    taken = layout.output(above.get(name, "precompute")) / "files.json"
    known = json.loads(taken.read_text())
    return [one for one in known if not (name == "faces" and one.startswith("nobody"))]


def _show(name: str, out: Path, steps: int) -> None:
    """What DVC compares: more steps of pretraining, more identity."""
    if name in ("pretrain", "finetune"):
        figures.write(out, {"loss_first": 1.0, "loss_last": 1 / steps})
        figures.plot(out, "curve", [{"step": at, "loss": 1 / at} for at in (1, steps)])
    if name == "evaluate":
        figures.write(out, {"identity": steps / 1000})
        for table in ("learning", "people", "ladder"):
            row = {"step": 1, "identity": 0.5, "pretrain": 0.5, "person": "a"}
            figures.plot(out, table, [row | {"rank1": 0.5, "rung": "clips"}])


def _write(name: str, out: Path, fingerprint: str, layout: Layout) -> None:
    """What every stage leaves, and what the stages after it read of some."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    (out / "result.txt").write_text(fingerprint)
    (out / "pictures" / "sheet.jpg").write_bytes(b"\xff\xd8 toy \xff\xd9")
    if "@" not in name:
        atomic.write_json(out / "files.json", _files(name, layout))
    if name == "evaluate":
        measured = code.measured(layout.output("finetune") / "adapter")
        goal = {"name": "faces_found", "value": 0.9, "least": 0.8, "passed": True, "decides": True}
        said = {"identity": 0.5, "goals": [goal]}
        if (ROOT / "figures.json").is_file():  # what a test wants to have been measured
            said = json.loads((ROOT / "figures.json").read_text())
        said |= {"measured": measured}
        atomic.write_json(out / "metrics.json", said)
    if name == "precompute":
        (out / "pictures" / "shard-000000.tar").write_bytes(b"toy shard")
    if name in ("pretrain", "finetune"):
        trained = {"fingerprint": fingerprint, "files": _files(name, layout)}
        atomic.write_json(out / "adapter" / "magic_mirror_config.json", trained)
    atomic.write_json(out / "report.json", REPORT)


def _audit(name: str, out: Path, failed: bool) -> str:
    """The audit's record; return its sentence."""
    sentence = f"The audit of {name} failed: samples.parquet has 3 rows, 60 are needed."
    said = {"stage": name, "success": not failed, "sentence": sentence if failed else None}
    atomic.write_json(out / "audit.json", said | {"expectations": [_expectation(not failed)]})
    return sentence


def main(name: str) -> int:
    """Run the toy stage `name`; return the exit status."""
    behaviour = json.loads((ROOT / "behaviour.json").read_text()).get(name)
    with (ROOT / "executions.txt").open("a") as log:
        log.write(f"{name}\n")
    print(f"[{name}] at work", flush=True)
    if (asked := experiment.current()) is not None:
        with (experiment.tree_of(ROOT) / "experiments.txt").open("a") as log:
            log.write(f"{asked.name} {name} {'aside' if experiment.is_aside(ROOT) else 'here'}\n")
    told = [os.environ.get(one, "") for one in ("MLFLOW_TRACKING_URI", "DAGSTER_RUN_ID")]
    (ROOT / "told.txt").write_text("\n".join(told))
    if behaviour == "killed once" and not (mark := ROOT / f"killed-{name}").exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "full":
        print(f"Stopped: {of_machine(OSError(errno.ENOSPC, 'no space'))}", file=sys.stderr)
        return 1
    if behaviour == "sleep":
        _sleep(name)
    if behaviour == "real":
        return _really(name)
    params = load_params(ROOT)
    profile, layout = load_profile(ROOT, params.profile), Layout(ROOT, params.profile)
    entry = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][name.partition("@")[0]]
    stage = entry.get("do", entry)
    taken = [dep for dep in stage["deps"] if dep.startswith("data/")]
    inputs = {
        Path(dep).name: manifest.verified(layout.output(Path(dep).name)).digest for dep in taken
    }
    known = stages.of(name, ROOT)
    settings, version = digests.of_value(known.settings(profile)), known.version
    models = model_digests(known, params, layout)
    fingerprint = fingerprint_of(known, profile, inputs, models)
    out = layout.work(name, fingerprint) / "out"
    _write(name, out, fingerprint, layout)
    _show(name, out, profile.pretrain.steps)
    bad = name == "faces" and any(one.startswith("bad") for one in _files(name, layout))
    sentence = _audit(name, out, failed := behaviour == "audit" or bad)
    if failed:
        print(f"Stopped: {sentence}", file=sys.stderr)
        return 1
    code_of_now = made_by.record(name, LIBRARY if LIBRARY.is_dir() else closure.PACKAGE)
    manifest.seal(
        out,
        manifest.Manifest(name, version, fingerprint, inputs, settings, REPORT, code=code_of_now),
    )
    atomic.publish_folder(out, layout.output(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
