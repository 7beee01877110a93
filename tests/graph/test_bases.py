"""Profiles that build on others: DVC and Dagster run what another value means, and nothing else."""

from pathlib import Path

import pytest
import yaml

from mm_model.settings import load_profile
from tests.graph.conftest import STAGES, Tree

pytestmark = pytest.mark.slow


def _edit(tree: Tree, name: str, section: str, **values: object) -> None:
    path = tree.root / "profiles" / f"{name}.yaml"
    content = yaml.safe_load(path.read_text())
    content.setdefault(section, {}).update(values)
    path.write_text(yaml.safe_dump(content))


def _repro(tree: Tree) -> list[str]:
    tree.dvc("repro")
    assert tree.is_clean()
    return tree.executed()


def test_what_a_base_says_reaches_the_stages_that_it_concerns(done: Tree) -> None:
    _edit(done, "common", "register", confidence=0.9)
    assert _repro(done) == ["register"]
    _edit(done, "tiny", "pairs", per_target=3)
    assert _repro(done) == [], "a base's value said again is the same value"
    _edit(done, "common", "pairs", per_target=9)
    assert _repro(done) == [], "a value that the profile overrides"
    with (done.root / "profiles" / "common.yaml").open("a") as file:
        file.write("# a remark\n")
    assert _repro(done) == []


def test_a_value_moves_into_a_base_without_any_work(done: Tree) -> None:
    path = done.root / "profiles" / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    moved = content["faces"].pop("min_face")
    path.write_text(yaml.safe_dump(content))
    _edit(done, "common", "faces", min_face=moved)
    (done.root / "profiles" / ".#tiny.yaml").symlink_to("somebody@somewhere.1")
    assert _repro(done) == []


def test_dagster_sees_a_bases_value_too(done: Tree) -> None:
    done.tick_outside_runs()
    _edit(done, "common", "register", tolerated_change=0.2)
    assert list(done.stale()) == ["register"]
    assert done.dagster("register").success
    assert done.executed() == ["register"]
    assert done.stale() == {} and done.is_clean()
    _edit(done, "common", "pairs", per_target=9)
    assert done.stale() == {}
    client = done.client
    client.look()
    assert client.up_to_date == frozenset(STAGES)
    assert done.is_clean()


def test_an_experiment_with_a_value_that_only_a_base_says(done: Tree) -> None:
    done.dvc("exp", "run", "-S", "profiles/tiny.yaml:+register.confidence=0.8")
    assert done.executed() == ["register"]
    done.dvc("exp", "run", "-S", "profiles/common.yaml:pairs.kinds=[cross]")
    assert done.executed()[0] == "pairs"


def test_a_profile_of_ones_own_changes_with_its_base(fresh: Tree) -> None:
    (fresh.root / "profiles" / "mine.yaml").write_text("base: tiny\npretrain: {steps: 5}\n")
    params = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace("profile: tiny", "profile: mine"))
    assert _repro(fresh) == list(STAGES)
    _edit(fresh, "tiny", "pretrain", steps=6)
    assert _repro(fresh) == []
    _edit(fresh, "tiny", "evaluate", people=3)
    assert _repro(fresh) == ["evaluate", "register"]
    lock = yaml.safe_load((fresh.root / "dvc.lock").read_text())["stages"]["evaluate"]
    (said,) = lock["params"].values()
    assert said["evaluate"]["people"] == 3


def test_a_wrong_base_stops_before_any_stage(done: Tree) -> None:
    _edit(done, "common", "faces", min_fase=3)
    with pytest.raises(AssertionError, match=r"common\.yaml: faces\.min_fase is no setting"):
        done.dvc("repro")
    assert done.executed() == []


def test_a_stage_alone_is_locked_with_the_values_that_it_used(done: Tree, root: Path) -> None:
    """`dvc repro -s` of one stage does not look at the profile: the stage itself does."""
    done.behave(sources="real")
    params = done.root / "params.yaml"
    recipe = yaml.safe_load((root / "profiles" / "people.yaml").read_text())
    (done.root / "few.yaml").write_text(yaml.safe_dump(recipe | FEW))
    params.write_text(params.read_text().replace("sources: raw", "sources: few.yaml"))
    _edit(done, "tiny", "ingest", row_floor=1)
    _edit(done, "tiny", "sources", consent="licence:mit")
    done.dvc("repro", "--single-item", "sources")
    assert done.executed() == ["sources"]
    lock = yaml.safe_load((done.root / "dvc.lock").read_text())["stages"]["sources"]
    assert lock["params"]["data/tiny/settings.json"] == {"sources": {"consent": "licence:mit"}}
    assert load_profile(done.root, "tiny").sources.consent == "licence:mit"


FEW = {"train_people": 2, "held_out_people": 0, "photos_per_person": 1, "clips_per_person": 0}
