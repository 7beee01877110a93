"""Fourteen nights alone: what somebody finds in the mornings, with Dagster's own daemon.

A quarter of an hour beside other tests; a lost run, a backfill, a pin and a choice are in the slow
tests, each by itself.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.graph import fourteen
from tests.graph.conftest import REPOSITORY, Tree
from tests.graph.nights import Night, Watch, World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.endurance,
    pytest.mark.capability("nights alone", scale="T"),
]

PAGE = REPOSITORY / "docs" / "fourteen-nights.md"
NIGHTS = 14


class Lived(NamedTuple):
    """The nights, the world after them, and what was seen of the champion meanwhile."""

    nights: list[Night]
    world: World
    watch: Watch


@pytest.fixture(scope="module")
def lived(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """The whole story, lived through once."""
    root = tmp_path_factory.mktemp("nights") / "tree"
    shutil.copytree(planted, root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        patch.setenv("MM_ROOT", str(root))
        with fourteen.lived(Tree(root)) as (nights, world, watch):
            yield Lived(nights, world, watch)


def test_the_page_tells_what_happened(lived: Lived) -> None:
    """`python -m tests.graph.fourteen docs/fourteen-nights.md` writes it anew."""
    assert fourteen.written(lived.nights) == PAGE.read_text()
    assert len({night.number for night in lived.nights}) >= NIGHTS


def test_each_expected_run_came_once(lived: Lived) -> None:
    keys = Counter(
        (asked, run.tags["dagster/run_key"])
        for run in lived.world.daemon.runs()
        for asked in ("dagster/schedule_name", "dagster/sensor_name")
        if asked in run.tags and "dagster/parent_run_id" not in run.tags
    )
    assert {asked for asked, _ in keys} == {"dagster/schedule_name", "dagster/sensor_name"}
    assert set(keys.values()) == {1}


def test_no_sample_was_lost_and_none_stayed(lived: Lived) -> None:
    there = sorted(path.name for path in (lived.world.tree.root / "raw").iterdir())
    assert sorted(lived.world.trained_on()) == there
    assert not [name for name in there if name.startswith(("ben", "bad"))]


def test_the_champion_was_served_at_any_time(lived: Lived) -> None:
    assert lived.watch.served > NIGHTS
    assert lived.watch.failed == []


def test_what_did_not_change_was_not_made_again(lived: Lived) -> None:
    quiet = [night for night in lived.nights if night.story == "nothing"]
    assert quiet and all(set(night.worked) <= {"register"} for night in quiet)


def test_a_rollback_survives_a_better_model(lived: Lived) -> None:
    (night,) = [one for one in lived.nights if "went back" in one.story]
    assert night.champion == 4
    assert night.challenger is not None and night.challenger > 4
