"""A run whose process was killed: closed, and begun again where it ended, by Dagster's loops."""

from collections.abc import Iterator

import dagster as dg
import pytest

from orchestration import automation, runs
from tests.graph.conftest import Tree
from tests.graph.nights import Daemon, at

pytestmark = pytest.mark.capability("Dagster over DVC", scale="T")
NOON = at(1, "12:00")


@pytest.fixture
def daemon(done: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Dagster over the tree, with the schedule on."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("MM_ROOT", str(done.root))
    found = Daemon(done, NOON)
    found.start()
    found.switch_on("nightly")
    yield found
    found.power_cut()


@pytest.mark.slow
def test_it_goes_on_where_it_ended(daemon: Daemon, done: Tree) -> None:
    done.set("finetune", "steps", 41)
    mark = done.root / "sleeping-evaluate"
    done.behave(evaluate="sleep", register="real")

    def kill() -> bool:
        if mark.exists():
            done.behave()
            daemon.kill_run()
            mark.unlink()
        return False

    daemon.tick(at(2, "02:00"), kill)
    lost, again = daemon.runs()
    assert (lost.status, again.status) == (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS)
    assert again.parent_run_id == lost.run_id
    assert done.executed() == ["finetune", "evaluate", "evaluate", "register"]
    steps = daemon.instance.all_logs(again.run_id, dg.DagsterEventType.STEP_START)
    assert [one.step_key for one in steps] == ["evaluate", "register"]
    assert done.is_clean()


def _run(tree: Tree, parent: dg.DagsterRun | None, **tags: str) -> dg.DagsterRun:
    known = {"parent_run_id": parent.run_id, "root_run_id": parent.run_id} if parent else {}
    made = tree.instance.create_run_for_job(
        tree.definitions().resolve_job_def("everything"),
        status=dg.DagsterRunStatus.STARTED,
        tags=tags,
        **known,
    )
    return tree.instance.get_run_by_id(made.run_id) or made


def test_one_that_begins_again_is_not_judged_by_the_lease_of_the_one_before(fresh: Tree) -> None:
    """Dagster hands on all tags, and its new process has not said its own yet."""
    lost = _run(fresh, None, **{runs.TAG: "gone"})
    assert runs.settle(fresh.instance) == 1
    again = _run(fresh, lost, **{runs.TAG: "gone"})
    assert runs.settle(fresh.instance) == 0
    fresh.instance.add_run_tags(again.run_id, {runs.TAG: "gone too"})
    assert runs.settle(fresh.instance) == 1, "by its own it is"


def test_a_run_of_a_backfill_may_begin_again_and_a_persons_may_not(fresh: Tree) -> None:
    for tags, said in (({"dagster/backfill": "some"}, "2"), ({}, None)):
        run = _run(fresh, None, **tags)
        automation.keep(fresh.root, run, fresh.instance)
        found = fresh.instance.get_run_by_id(run.run_id)
        assert found is not None and found.tags.get("dagster/max_retries") == said
