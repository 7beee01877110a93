"""A stage whose training several processes share: killed, resumed, tracked, and as one would be."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import psutil
import pytest
from safetensors.torch import load_file

from mm_model.store import manifest
from tests.seams.facts import Chain

pytestmark = [pytest.mark.slow, pytest.mark.capability("several processes", scale="T")]

COMMAND = [sys.executable, "-m", "mm_model", "run", "pretrain"]


def _family(pid: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "mm_model.train" in (process.info["cmdline"] or []):
            found.append(process)
    return [p for p in found if pid in [parent.pid for parent in p.parents()]]


def test_a_killed_stage_leaves_no_process_and_ends_as_one_would(
    chain: Chain, tmp_path: Path, root: Path
) -> None:
    aside = shutil.ignore_patterns("work", "mlruns", "mlflow*", "reports")
    place = Path(shutil.copytree(chain.place, tmp_path / "root", ignore=aside))
    for later in ("pretrain", "finetune", "evaluate", "register"):
        shutil.rmtree(place / "data" / "tiny" / later, ignore_errors=True)
    told = {"MM_ROOT": str(place), "PYTHONPATH": str(root), "MM_PROCESSES": "2"}
    environment = {**os.environ, **told, "MM_SHARDING": "trained"}
    first = subprocess.Popen(COMMAND, env=environment, cwd=root, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    pattern = "work/tiny/pretrain/*/checkpoints/step_*-of-2.safetensors.seal"
    while len(list(place.glob(pattern))) < 2:
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    ranks = _family(first.pid)
    assert len(ranks) >= 2
    first.send_signal(signal.SIGKILL)
    first.wait()
    _, alive = psutil.wait_procs(ranks, timeout=20)
    assert not alive, "nobody trains on for a stage that is gone"

    second = subprocess.run(
        COMMAND,
        env={**environment, "MM_SHARDING": "none"},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert second.returncode == 0, second.stderr
    assert "resuming after step" in second.stdout and "2 processes" in second.stdout
    assert second.stdout.count("step 6/6") == 1, "one of them speaks"
    _as_one(chain, place)
    _tracked(place, second.stdout)


def _as_one(chain: Chain, place: Path) -> None:
    """The same files as one process leaves; numbers equal up to the order of sums."""
    ours, theirs = place / "data" / "tiny" / "pretrain", chain.output("pretrain")
    found, known = (set(manifest.read(folder).files) for folder in (ours, theirs))
    assert found == known
    curve, other = (pd.read_parquet(folder / "curve.parquet") for folder in (ours, theirs))
    assert list(curve["step"]) == list(other["step"])
    assert curve["loss"].to_numpy() == pytest.approx(other["loss"].to_numpy(), abs=1e-4)
    for name in ("adapter", "milestones/step_000003/adapter"):
        (weights,) = (ours / name).glob("*.safetensors")
        learned, alone = load_file(weights), load_file(theirs / name / weights.name)
        assert learned.keys() == alone.keys()
        assert max(float((learned[k] - alone[k]).abs().max()) for k in alone) < 2e-3


def _tracked(place: Path, said: str) -> None:
    """The points and pictures of the first process are in the stage's own run."""
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    runs = client.search_runs([experiment.experiment_id])
    (ended,) = [run for run in runs if run.info.status == "FINISHED"]
    points = client.get_metric_history(ended.info.run_id, "loss")
    assert [point.step for point in points][-1] == 6 and "resuming after step" in said
    assert list(place.glob(f"mlruns/**/{ended.info.run_id}/artifacts/samples/*.jpg"))
