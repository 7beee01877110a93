"""What the doctor says of DVC, of Dagster's books and of alerts; it changes none of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from mm_model.doctor import tree
from mm_model.doctor.diagnosis import gathered
from mm_model.store import lease
from orchestration import alerts, doctor, home, runs
from tests.graph.conftest import Tree
from tests.graph.test_by_code import CHANGES

pytestmark = pytest.mark.capability("doctor", scale="T")


def _found(place: Tree) -> dict[str, list]:
    said: dict[str, list] = {}
    looks = [one for one in doctor.looks(place.root) if one[0] != "pip check"]
    for one in gathered(looks):
        said.setdefault(one.subject, []).append(one)
    return said


@pytest.fixture
def own_home(fresh: Tree, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Books of the tree's own."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.delenv(home.BOOKS, raising=False)
    return home.prepare(fresh.root)


def test_a_run_whose_process_is_gone_is_named_and_left_alone(fresh: Tree, own_home: Path) -> None:
    with dg.DagsterInstance.from_config(str(own_home)) as instance:
        job = fresh.definitions().resolve_job_def("everything")
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        left = lease.take(own_home / "leases" / "gone", "A Dagster run")
        content = left.path.read_bytes()
        left.release()
        left.path.write_bytes(content)
        instance.add_run_tags(run.run_id, {runs.TAG: "gone"})
        for _ in range(2):
            (dead,) = _found(fresh)["Dagster"]
            assert dead.state == "bad"
            assert f"run {run.run_id[:8]} of everything is said to go on" in dead.sentence
            assert "make run closes it" in dead.fix
        assert runs.settle(instance) == 1
    assert _found(fresh)["Dagster"][0].state == "good"


def test_what_dvc_left_is_told(fresh: Tree) -> None:
    assert _found(fresh)["dvc.lock"][0].sentence == "it knows 0 outputs of this profile"
    torn = fresh.root / ".dvc" / "tmp" / "rwlock"
    torn.parent.mkdir(exist_ok=True)
    torn.write_text('{"half": ')
    (fresh.root / "dvc.lock").write_text("stages: [")
    found = _found(fresh)
    (lock,) = found["dvc.lock"]
    assert lock.state == "bad" and "is damaged: remove it and run again" in lock.sentence
    (fresh.root / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    (torn_one,) = _found(fresh)["DVC's locks"]
    assert torn_one.state == "note" and torn_one.fix == "the next run removes it"
    assert torn.read_text() == '{"half": '


def test_what_other_code_made_is_mended_by_being_told_so(done: Tree) -> None:
    """A plain run does not make it again, so it is no way out of it."""
    done.change_code("metrics/identity.py", *CHANGES["metrics/identity.py"])
    done.set("register", "confidence", 0.9)
    fixes = {one.subject: one.fix for one in tree.outputs(done.root, done.package)}
    assert fixes == {"evaluate": "make run STRICT=1 makes it again", "register": "make run"}


def test_an_alert_that_waits_is_told(fresh: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(alerts.WEBHOOK, "http://127.0.0.1:9/secret")
    assert _found(fresh)["alerts"][0].state == "good"
    alerts.tell(fresh.root, alerts.Alert("one", "This is one."))
    (waits,) = _found(fresh)["alerts"]
    assert waits.state == "bad" and "secret" not in waits.sentence
    assert "python -m orchestration.alerts" in waits.fix


def test_make_doctor_says_it_all(fresh: Tree, own_home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.doctor", "--json"],
        env={**os.environ, "MM_ROOT": str(fresh.root)},
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    subjects = {one["subject"] for one in found}
    assert {"Python", "disk", "profile", "lock", "pip check", "Dagster", "alerts"} <= subjects
    bad = [one for one in found if one["state"] == "bad"]
    assert bool(bad) is bool(done.returncode), done.stderr
