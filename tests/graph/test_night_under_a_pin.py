"""A night while somebody's choice of champion is pinned: the newcomer waits as challenger."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mm_model.commands import cli
from orchestration import definitions, jobs
from orchestration.dvc_client import DvcStageClient
from tests.graph.conftest import Tree
from tests.graph.nights import World
from tests.graph.test_automation import NIGHT

pytestmark = [pytest.mark.slow, pytest.mark.capability("promotion, pins, rollback", scale="T")]


@pytest.fixture
def world(done: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A tree whose release is made by the real stage."""
    for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MM_ROOT", str(done.root))
    (done.root / "weights" / "backbone" / "model_index.json").write_text("{}")
    (tmp_path / "books").mkdir()
    done.instance = dg.DagsterInstance.local_temp(str(tmp_path / "books"))
    no_daemon: Any = None
    made = World(done, no_daemon)
    made.behave()
    return made


def night(world: World) -> str:
    """What the schedule asks for, carried out by the definitions as they are; what the run's page
    says of the release."""
    tree = world.tree
    loaded = definitions.build(DvcStageClient(tree.root, views=()))
    nightly = loaded.resolve_schedule_def("nightly")
    with dg.build_schedule_context(tree.instance, scheduled_execution_time=NIGHT) as context:
        asked: Any = nightly(context)
    result = loaded.resolve_job_def(jobs.EVERYTHING).execute_in_process(
        instance=tree.instance,
        raise_on_error=False,
        tags={**asked.tags, "dagster/schedule_name": "nightly"},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success
    (made,) = result.asset_materializations_for_node("register")
    return " ".join(str(one.value) for one in made.metadata.values())


def test_the_champion_stays_and_the_run_says_why(world: World) -> None:
    world.measure(0.3)
    night(world)
    assert world.alias("champion") == 1
    assert cli.main(["pin", "--reason", "the faces of Tuesday"]) == 0

    world.measure(0.8)
    world.tree.set("evaluate", "people", 20)
    said = night(world)
    assert (world.alias("champion"), world.alias("challenger")) == (1, 2)
    assert "the faces of Tuesday" in said

    said = night(world)  # nothing is new: the registry is asked whether all stands
    assert (world.alias("champion"), world.alias("challenger")) == (1, 2)
    assert "the faces of Tuesday" in said


def test_a_pin_that_came_after_the_last_run_is_told_by_the_next(world: World) -> None:
    world.measure(0.3)
    night(world)
    world.measure(0.8)
    world.tree.set("evaluate", "people", 20)
    assert "the light" not in night(world)
    assert world.alias("champion") == 2
    assert cli.main(["rollback", "--reason", "the light"]) == 0
    said = night(world)
    assert (world.alias("champion"), world.alias("challenger")) == (1, None)
    assert "the light" in said
