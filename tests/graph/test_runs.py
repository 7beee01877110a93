"""Dagster and plain DVC on one tree: whoever ran last, both agree."""

import subprocess
import threading
from pathlib import Path

import dagster as dg
import pytest
import yaml

from tests.graph.conftest import STAGES, Tree

pytestmark = [pytest.mark.slow, pytest.mark.capability("Dagster over DVC", scale="T")]


def _metadata(result: dg.ExecuteInProcessResult, stage: str) -> dict:
    events = result.asset_materializations_for_node(stage)
    return {name: value.value for name, value in events[0].metadata.items()}


def _failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Why each failed step failed: a stage's sentence, or the defect."""
    found = {}
    for event in result.filter_events(lambda event: event.is_step_failure):
        data = event.step_failure_data
        known = data.user_failure_data
        found[event.step_key] = known.description if known else data.error.to_string()
    return found


def test_a_full_run_leaves_everything_up_to_date(fresh: Tree) -> None:
    result = fresh.dagster()
    assert result.success
    assert fresh.executed() == list(STAGES)
    assert fresh.is_clean()
    assert fresh.stale() == {}
    shown = _metadata(result, "faces")
    assert shown["how"] == "computed"
    assert shown["account"] == "3 in = 2 kept + 1 rejected (FACE_NONE 1) + 0 failed"
    assert (shown["in"], shown["kept"], shown["rejected"], shown["failed"]) == (3, 2, 1, 0)
    assert shown["metric seen"] == 2
    assert shown["metric absent"] == "unavailable"
    assert "One sample showed no face." in shown["notes"]
    assert shown["picture"].startswith("![pictures/sheet.jpg](data:image/jpeg;base64,")
    checks = result.get_asset_check_evaluations()
    assert {check.asset_key.to_user_string() for check in checks} == set(STAGES)
    assert all(check.passed for check in checks)
    git = subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=fresh.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert git.stdout == " M dvc.lock\n", "the record of the run, and nothing else"

    assert _failures(fresh.dagster("faces")) == {}
    assert fresh.executed() == []
    assert fresh.tick_outside_runs() == 0, "a run that Dagster made needs no report"


def test_an_outside_repro_is_reported_once(done: Tree) -> None:
    assert set(done.stale()) == set(STAGES)
    assert done.tick_outside_runs() > 0
    assert done.stale() == {}
    lock = yaml.safe_load((done.root / "dvc.lock").read_text())["stages"]
    for name in STAGES:
        event = done.instance.get_latest_materialization_event(dg.AssetKey(name))
        tags = event.asset_materialization.tags
        assert tags["dagster/data_version"] == lock[name]["outs"][0]["md5"]
    assert done.tick_outside_runs() == 0


@pytest.mark.minutes
def test_parts_by_either_in_any_order(done: Tree) -> None:
    done.tick_outside_runs()
    done.set("pairs", "per_target", 7)
    assert list(done.stale()) == ["pairs"]
    assert "code version" in done.stale()["pairs"]
    assert _failures(done.dagster("pairs", "precompute", "pretrain")) == {}
    assert set(done.stale()) == {"finetune", "evaluate", "register"}, "their inputs changed"
    done.dvc("repro")
    assert done.executed() == [
        "pairs",
        "precompute",
        "pretrain",
        "finetune",
        "evaluate",
        "register",
    ]
    done.tick_outside_runs()
    assert done.stale() == {}
    assert done.is_clean()

    done.set("register", "confidence", 0.9)
    done.dvc("repro", "register")
    done.set("evaluate", "people", 3)
    assert _failures(done.dagster("evaluate", "register")) == {}
    done.executed()
    assert done.tick_outside_runs() == 0
    assert done.stale() == {}
    assert done.is_clean()


def test_changed_raw_media_make_sources_stale_until_it_ran(done: Tree) -> None:
    done.tick_outside_runs()
    (done.root / "raw" / "second").write_text("new")
    done.instance.report_runless_asset_event(
        dg.AssetObservation("raw", tags={"dagster/data_version": "whatever lies there now"})
    )
    assert list(done.stale()) == ["sources"]
    assert _failures(done.dagster("sources")) == {}
    assert done.executed() == ["sources"]
    assert "sources" not in done.stale()
    (done.root / "raw" / "third").write_text("new")
    (done.root / "params.yaml").touch()
    done.dvc("repro", "--single-item", "ingest")
    done.tick_outside_runs()
    assert "sources" in done.stale(), "DVC says raw changed after sources ran"


def test_a_value_there_and_back_is_restored_not_computed(done: Tree) -> None:
    before = (done.root / "data/tiny/pretrain/result.txt").read_text()
    steps = yaml.safe_load((done.root / "profiles/tiny.yaml").read_text())["pretrain"]["steps"]
    done.set("pretrain", "steps", steps + 1)
    there = done.dagster("pretrain")
    assert done.executed() == ["pretrain"]
    assert (done.root / "data/tiny/pretrain/result.txt").read_text() != before
    done.set("pretrain", "steps", steps)
    back = done.dagster("pretrain")
    assert done.executed() == []
    assert [_metadata(run, "pretrain")["how"] for run in (there, back)] == ["computed", "restored"]
    assert (done.root / "data/tiny/pretrain/result.txt").read_text() == before


def test_an_experiment_with_one_value_changed(done: Tree) -> None:
    done.dvc("exp", "run", "-S", "profiles/tiny.yaml:pretrain.steps=3")
    assert done.executed() == ["pretrain", "finetune", "evaluate", "register"]
    done.tick_outside_runs()
    assert done.stale() == {}


def test_a_failed_stage_leaves_the_last_good_output(done: Tree) -> None:
    """DVC takes an output away before it runs a stage; who looks meanwhile finds it again."""
    before = (done.root / "data/tiny/faces/result.txt").read_text()
    done.behave(faces="audit")
    done.set("faces", "min_face", 30)
    assert set(_failures(done.dagster())) == {"faces"}
    assert (done.root / "data/tiny/faces/result.txt").read_text() == before
    assert done.executed() == ["faces"], "nothing below it ran on what was brought back"
    assert set(_failures(done.dagster("faces"))) == {"faces"}
    assert done.executed() == ["faces"], "it is no output of today's settings"
    assert (done.root / "data/tiny/faces/manifest.json").is_file()
    done.behave()
    assert _failures(done.dagster()) == {}
    assert (done.root / "data/tiny/faces/result.txt").read_text() != before
    assert done.is_clean()


def test_a_first_failure_has_nothing_to_bring_back(fresh: Tree) -> None:
    fresh.behave(sources="audit")
    assert set(_failures(fresh.dagster())) == {"sources"}
    assert not (fresh.root / "data/tiny/sources").exists()


@pytest.mark.parametrize(
    ("behaviour", "tags", "times"),
    [
        ("killed once", {"dagster/schedule_name": "nightly"}, 2),
        ("killed once", {}, 1),
        ("audit", {"dagster/schedule_name": "nightly"}, 1),
    ],
)
def test_only_what_the_machine_ended_is_tried_again_and_only_unwatched(
    done: Tree, behaviour: str, tags: dict[str, str], times: int
) -> None:
    done.behave(register=behaviour)
    done.set("register", "confidence", 0.9)
    done.set("automation", "retry_seconds", 0.01)
    result = done.dagster(**tags)
    assert done.executed() == ["register"] * times, "and what was good is not made again"
    assert result.success is (times == 2)


def test_a_failed_audit_stops_the_graph_with_the_stages_words(done: Tree) -> None:
    done.behave(faces="audit")
    done.set("faces", "min_face", 30)
    result = done.dagster("faces", "pairs")
    words = "The audit of faces failed: samples.parquet has 3 rows, 60 are needed."
    assert _failures(result) == {"faces": words}
    assert done.executed() == ["faces"]
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert check.description == words
    assert "| row_floor | samples.parquet |" in check.metadata["expectations"].value

    done.behave()
    assert _failures(done.dagster("faces", "pairs")) == {}
    assert (done.root / "data/tiny/faces/manifest.json").is_file()


def test_a_killed_stage_fails_and_runs_again(done: Tree) -> None:
    done.behave(register="sleep")
    done.set("register", "confidence", 0.9)

    def kill() -> None:
        done.until_asleep("register")
        for process in done.processes():
            if "toy_stage.py" in process.cmdline():
                process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    result = done.dagster("register")
    killer.join()
    assert "register was killed (signal 9)" in _failures(result)["register"]
    assert done.processes() == [], "the stage's own child went with it"
    done.behave()
    assert _failures(done.dagster("register")) == {}
    assert done.is_clean()


def test_a_lock_list_torn_by_a_kill_does_not_stop_the_next_run(done: Tree) -> None:
    torn = done.root / ".dvc" / "tmp" / "rwlock"
    torn.write_text("")
    assert _failures(done.dagster("sources")) == {}
    torn.write_text('{"half": ')
    assert done.tick_outside_runs() > 0


def test_a_missing_input_is_named(done: Tree) -> None:
    folder: Path = done.root / "weights" / "judge"
    (folder / "first").unlink()
    folder.rmdir()
    failure = _failures(done.dagster("evaluate"))["evaluate"]
    assert "weights/judge" in failure
