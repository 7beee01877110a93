"""Studies of a size as partitions: run by their own command, recorded, and not done twice."""

import textwrap
from pathlib import Path

import dagster as dg
import pytest

from mm_model.reproduce import methods, protocol, tiers
from orchestration import definitions, jobs
from orchestration.dvc_client import DvcStageClient
from tests.graph.conftest import Tree

pytestmark = pytest.mark.capability("Dagster over DVC", scale="T")

TOY = """
    # stands for `python -m mm_model.reproduce`: the same words, the same place, no learning
    import sys
    from pathlib import Path

    study, _, tier = sys.argv[1:]
    with open("executions.txt", "a") as log:
        log.write(f"{study}-{tier}\\n")
    if tier == "paper":
        print("Stopped: the people of this size are not there: draw them.", file=sys.stderr)
        sys.exit(1)
    place = Path("work/reproduce") / study / ("" if (study, tier) == ("methods", "quick") else tier)
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{study}.json").write_text(tier)
"""


def run(tree: Tree, key: str) -> dg.ExecuteInProcessResult:
    """The job `studies` for one partition."""
    (tree.root / "toy_study.py").write_text(textwrap.dedent(TOY))
    client = DvcStageClient(tree.root, views=(), outward=(), studies=("toy_study.py",))
    return (
        definitions.build(client)
        .resolve_job_def(jobs.STUDIES)
        .execute_in_process(
            instance=tree.instance,
            partition_key=key,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (made,) = result.asset_materializations_for_node("study")
    return {name: one.value for name, one in made.metadata.items()}


def test_a_study_at_a_size_is_a_partition_with_its_result(fresh: Tree) -> None:
    first = shown(run(fresh, "protocol|smoke"))
    assert first["how"] == "computed"
    assert first["numbers"] == "work/reproduce/protocol/smoke/protocol.json"
    assert shown(run(fresh, "protocol|smoke"))["how"] == "unchanged"
    assert shown(run(fresh, "methods|quick"))["numbers"] == "work/reproduce/methods/methods.json"
    assert fresh.executed() == ["protocol-smoke", "protocol-smoke", "methods-quick"]
    made = fresh.instance.get_materialized_partitions(dg.AssetKey("study"))
    assert made == {"protocol|smoke", "methods|quick"}


def test_what_it_refuses_is_the_run_s_sentence(fresh: Tree) -> None:
    result = run(fresh, "protocol|paper")
    (event,) = result.filter_events(lambda one: one.is_step_failure)
    said = event.event_specific_data.user_failure_data.description
    assert said == "the people of this size are not there: draw them."


def test_the_sizes_are_those_of_the_studies(fresh: Tree) -> None:
    assert {"methods": tuple(methods.TIERS), "protocol": tuple(protocol.TIERS)} == tiers.TIERS
    everything = fresh.definitions().resolve_job_def(jobs.EVERYTHING)
    assert "study" not in {node.name for node in everything.nodes}, "no night runs a study"
    places = [
        tiers.folder_of(Path(), name, size) for name in tiers.TIERS for size in tiers.TIERS[name]
    ]
    assert len(set(places)) == len(places)
