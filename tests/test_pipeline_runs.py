"""MLflow's run of a whole pipeline: made once, above its stages, with the state they are in."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mm_model.store.layout import Layout
from mm_model.tracking.parents import KEY_TAG
from mm_model.tracking.told import RunContext, Summary, TrackedData
from mm_model.tracking.tracker import Tracker
from tests.test_tracking import (
    ROOT,
    closed_port,
    empty_store,
    eventually,
    history,
    layout,
    runs,
    spooled,
)

__all__ = ["empty_store", "layout"]
pytestmark = pytest.mark.capability("tracking", scale="T")

DATA = TrackedData(
    "tiny/pairs", "data/tiny/pairs", digest="d" * 64, context="training", dvc="5.dir", samples=7
)

PLAIN = Summary(metrics={}, curves=(), digest="e" * 64, note="ours")
LAST = replace(
    PLAIN,
    metrics={"candidate/identity": 0.4},
    curves=((0, {"over_steps/identity": 0.1}), (3, {"over_steps/identity": 0.4})),
)


def told(**changed: Any) -> RunContext:
    """What a run is told, without readings of the machine."""
    whole = {"pretrain": {"steps": 3}, "params": {"profile": "tiny"}}
    usual = {"data": (DATA,), "whole": whole, "samples": "tree", "system_seconds": None}
    return RunContext(**{**usual, **changed})


def stage(layout: Layout, name: str, **changed: Any) -> Tracker:
    return Tracker(layout, name, told=told(**changed))


def pipelines(layout: Layout) -> list[Any]:
    return [run for run in runs(layout) if KEY_TAG in run.data.tags]


def below(layout: Layout, parent: Any) -> dict[str, Any]:
    """The stages' runs of a pipeline, by name."""
    mark = parent.info.run_id
    found = [run for run in runs(layout) if run.data.tags.get("mlflow.parentRunId") == mark]
    return {run.info.run_name: run for run in found}


@pytest.fixture
def by_dagster(monkeypatch: Any) -> None:
    monkeypatch.setenv("DAGSTER_RUN_ID", "abc-1")


@pytest.mark.usefixtures("by_dagster")
def test_stages_stand_below_one_run_that_sums_them_up(layout: Layout) -> None:
    for name in ("pretrain", "evaluate"):
        tracker = stage(layout, name)
        with tracker.running({}, {"steps": 3}):
            tracker.log({"loss": 0.5}, 1)
            note = f"{name} went well"
            tracker.summary(replace(LAST if name == "evaluate" else PLAIN, note=note))
    (parent,) = pipelines(layout)
    children = below(layout, parent)
    assert list(children) == ["pretrain", "evaluate"]
    assert parent.info.status == "FINISHED"
    assert parent.info.end_time == children["evaluate"].info.end_time
    assert parent.info.start_time == children["pretrain"].info.start_time
    assert parent.data.params["pretrain.steps"] == "3"
    assert parent.data.metrics["candidate/identity"] == 0.4
    assert parent.data.metrics["pretrain/loss"] == 0.5
    assert {"seconds/pretrain", "seconds/evaluate"} <= set(parent.data.metrics)
    assert history(layout, parent, "over_steps/identity") == [(0, 0.1), (3, 0.4)]
    assert "pretrain went well" in parent.data.tags["mlflow.note.content"]
    assert children["pretrain"].data.tags["output_digest"] == "e" * 64


@pytest.mark.usefixtures("by_dagster")
def test_an_experiment_is_found_whole_by_its_name(layout: Layout, monkeypatch: Any) -> None:
    told_by_dvc = {"DVC_EXP_NAME": "sweep-2", "DVC_EXP_BASELINE_REV": "c0ffee"}
    for name, value in (told_by_dvc | {"DVC_ROOT": str(layout.root)}).items():
        monkeypatch.setenv(name, value)
    with stage(layout, "pretrain").running({}, {}):
        pass
    (parent,) = pipelines(layout)
    for run in (parent, below(layout, parent)["pretrain"]):
        assert run.data.tags["dvc.experiment"] == "sweep-2"
        assert run.data.tags["dvc.baseline"] == "c0ffee"


@pytest.mark.usefixtures("by_dagster")
def test_a_description_that_somebody_wrote_stays(layout: Layout) -> None:
    from mm_model.tracking import store

    for name in ("pretrain", "finetune"):
        tracker = stage(layout, name)
        with tracker.running({}, {}):
            tracker.summary(PLAIN)
        (parent,) = pipelines(layout)
        client = store.open_client(layout)
        client.set_tag(parent.info.run_id, "mlflow.note.content", "the one for the talk")
    assert pipelines(layout)[0].data.tags["mlflow.note.content"] == "the one for the talk"


@pytest.mark.usefixtures("by_dagster")
def test_data_is_shown_with_digest_place_and_dvc_s_version(layout: Layout) -> None:
    with stage(layout, "pretrain").running({}, {}):
        pass
    (parent,) = pipelines(layout)
    for run in (parent, below(layout, parent)["pretrain"]):
        (given,) = run.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("tiny/pairs", "d" * 32)
        source = json.loads(given.dataset.source)
        assert source == {"uri": "data/tiny/pairs", "dvc_md5": "5.dir"}
        assert json.loads(given.dataset.profile) == {"num_rows": 7}
        tags = {tag.key: tag.value for tag in given.tags}
        assert tags["mlflow.data.context"] == "training"


@pytest.mark.usefixtures("by_dagster")
def test_a_stage_that_failed_and_was_tried_again_does_not_count(layout: Layout) -> None:
    with pytest.raises(ValueError), stage(layout, "pretrain").running({}, {}):
        raise ValueError
    assert pipelines(layout)[0].info.status == "FAILED"
    tracker = stage(layout, "pretrain")
    with tracker.running({}, {}):
        tracker.runs(60)
        assert pipelines(layout)[0].info.status == "RUNNING"
    (parent,) = pipelines(layout)
    assert parent.info.status == "FINISHED"


def test_another_pipeline_has_a_run_of_its_own_and_a_stage_alone_none(
    layout: Layout, monkeypatch: Any
) -> None:
    for run in ("abc-1", "abc-2"):
        monkeypatch.setenv("DAGSTER_RUN_ID", run)
        with stage(layout, "pretrain").running({}, {}):
            pass
    monkeypatch.delenv("DAGSTER_RUN_ID")
    with stage(layout, "finetune").running({}, {}):
        pass
    first, second = pipelines(layout)
    assert [list(below(layout, one)) for one in (first, second)] == [["pretrain"], ["pretrain"]]
    (alone,) = (run for run in runs(layout) if run.info.run_name == "finetune")
    assert "mlflow.parentRunId" not in alone.data.tags


@pytest.mark.usefixtures("by_dagster")
@pytest.mark.parametrize("moved", [False, True])
def test_what_a_dead_server_missed_comes_below_the_right_run_later(
    layout: Layout, monkeypatch: Any, tmp_path: Path, moved: bool
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    for name in ("pretrain", "finetune"):
        with stage(layout, name).running({}, {}):
            pass
    assert len(spooled(layout)) == 2
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    if moved:
        place = tmp_path / "moved"
        place.mkdir()
        for name in ("work", "mlflow.db"):
            shutil.move(layout.root / name, place / name)
        layout = Layout(place, "tiny")
    monkeypatch.setenv("DAGSTER_RUN_ID", "abc-2")
    with stage(layout, "evaluate").running({}, {}):
        pass
    early, late = pipelines(layout)
    assert list(below(layout, early)) == ["pretrain", "finetune"]
    assert list(below(layout, late)) == ["evaluate"]
    assert early.info.start_time == below(layout, early)["pretrain"].info.start_time
    assert early.info.end_time == below(layout, early)["finetune"].info.end_time
    assert [one.info.status for one in (early, late)] == ["FINISHED"] * 2
    assert not spooled(layout)


def test_pictures_go_where_the_profile_lets_them(layout: Layout) -> None:
    picture = layout.root / "clip.mp4"
    picture.write_bytes(b"a clip")
    for samples in ("none", "tree"):
        tracker = stage(layout, samples, samples=samples)
        with tracker.running({}, {}):
            tracker.picture(picture, "seen", 3)
            Tracker(layout, samples, tracker.folder).picture(picture, "joined", 3)
    kept = {run.info.run_name: layout.root / run.info.artifact_uri for run in runs(layout)}
    found = {path.name for path in (kept["tree"] / "samples").iterdir()}
    assert found == {"seen-0000003.mp4", "joined-0000003.mp4"}
    assert not (kept["none"] / "samples").exists()


@pytest.mark.parametrize(("samples", "arrives"), [("tree", False), ("all", True)])
def test_another_store_than_the_tree_s_gets_pictures_only_when_told(
    layout: Layout, monkeypatch: Any, tmp_path: Path, samples: str, arrives: bool
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copyfile(layout.root / "mlflow.db", elsewhere / "theirs.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}/theirs.db")
    picture = layout.root / "look.jpg"
    picture.write_bytes(b"a picture")
    tracker = stage(layout, "pretrain", samples=samples)
    with tracker.running({}, {}):
        tracker.picture(picture, "step", 3)
        tracker.log({"loss": 1.0}, 1)
    (run,) = runs(layout)
    assert run.data.metrics["loss"] == 1.0
    assert bool(list(elsewhere.rglob("step-0000003.jpg"))) is arrives


def test_readings_of_the_machine_are_shown_and_stay_with_the_stage(
    layout: Layout, monkeypatch: Any
) -> None:
    monkeypatch.setenv("DAGSTER_RUN_ID", "abc-1")
    with stage(layout, "pretrain", system_seconds=0.1).running({}, {}):
        pass
    (parent,) = pipelines(layout)
    child = below(layout, parent)["pretrain"]
    assert child.data.metrics["system/system_memory_usage_megabytes"] > 1
    assert child.data.metrics["system/process_memory_usage_megabytes"] > 1
    assert not [name for name in parent.data.metrics if "system/" in name]


STAGE = """
    import sys, time
    from pathlib import Path
    from mm_model.store.layout import Layout
    from tests.test_pipeline_runs import stage
    with stage(Layout(Path(sys.argv[1]), "tiny"), sys.argv[2]).running({}, {}):
        print("begun", flush=True)
        time.sleep(float(sys.argv[3]))
"""


def start(layout: Layout, name: str, seconds: float, **variables: str) -> subprocess.Popen[str]:
    """A stage's process that works for so long."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **variables}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-c", textwrap.dedent(STAGE), str(layout.root), name, str(seconds)]
    return subprocess.Popen(
        command, env=environment, cwd=layout.root, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_two_stages_at_once_make_one_run(layout: Layout) -> None:
    both = [start(layout, name, 0, DAGSTER_RUN_ID="abc-1") for name in ("pretrain", "subject")]
    assert [one.wait(180) for one in both] == [0, 0]
    with stage(layout, "evaluate").running({}, {}):
        pass  # ships what a busy machine left
    (parent,) = pipelines(layout)
    assert set(below(layout, parent)) == {"pretrain", "subject"}
    assert parent.info.status == "FINISHED"


@pytest.mark.slow
def test_after_a_kill_no_run_stays_at_work(layout: Layout, monkeypatch: Any) -> None:
    process = start(layout, "pretrain", 600, DAGSTER_RUN_ID="abc-1")
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    for _ in range(3):  # it may take a busy machine more than a minute to load MLflow
        with contextlib.suppress(AssertionError):
            eventually(lambda: pipelines(layout) and below(layout, pipelines(layout)[0]))
            break
    assert pipelines(layout)[0].info.status == "RUNNING"
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    monkeypatch.setenv("DAGSTER_RUN_ID", "abc-2")
    with stage(layout, "pretrain").running({}, {}):
        pass
    killed, finished = pipelines(layout)
    assert (killed.info.status, finished.info.status) == ("KILLED", "FINISHED")
    assert killed.info.end_time == below(layout, killed)["pretrain"].info.end_time
    assert killed.info.end_time <= finished.info.start_time


def test_stages_of_one_dvc_command_share_a_run_and_two_commands_do_not(tmp_path: Path) -> None:
    """`dvc` sets DVC_STAGE for a stage's process, often with a shell between."""
    asked = "from mm_model.tracking import pipeline; print(pipeline.of_process().key)"
    command = f"""
import os, subprocess, sys
for stage in ("pretrain", "finetune"):
    line = [sys.executable, "-c", {asked!r}]
    subprocess.run(["sh", "-c", '"$@"; true', "sh", *line], env=dict(os.environ, DVC_STAGE=stage))
"""
    environment = {name: one for name, one in os.environ.items() if name != "DAGSTER_RUN_ID"}
    environment["PYTHONPATH"] = str(ROOT)
    keys = [
        subprocess.run(
            [sys.executable, "-c", command],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=environment,
        ).stdout.split()
        for _ in range(2)
    ]
    assert [len(one) for one in keys] == [2, 2]
    assert len({*keys[0]}) == len({*keys[1]}) == 1
    assert keys[0] != keys[1]


def test_gpus_are_read_where_the_stage_works_on_them(monkeypatch: Any) -> None:
    from mm_model.tracking.system import SystemReader

    def unknown(place: int) -> int:
        raise ModuleNotFoundError("pynvml")

    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 1,
        mem_get_info=lambda place: (6_000_000, 8_000_000),
        utilization=unknown,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    found = SystemReader().read()
    assert found["system/gpu_0_memory_usage_megabytes"] == 2
    assert found["system/gpu_0_memory_usage_percentage"] == 25
    assert "system/gpu_0_utilization_percentage" not in found
    monkeypatch.setattr(cuda, "is_initialized", lambda: False)
    assert not [name for name in SystemReader().read() if "gpu" in name]
