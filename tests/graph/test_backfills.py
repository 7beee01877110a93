"""A backfill over partitions, by Dagster's own loops, through a power cut in its middle."""

import datetime
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from orchestration import subjects
from tests.graph.conftest import Tree
from tests.graph.nights import Daemon, at
from tests.graph.test_listed_subjects import listing_of

pytestmark = [pytest.mark.slow, pytest.mark.capability("Dagster over DVC", scale="T")]
NOW = at(1, "12:00")


@pytest.fixture
def daemon(done: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Dagster over the tree, in which three subjects are listed."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("MM_ROOT", str(done.root))
    done.set("automation", "retry_seconds", 0.1)
    listing_of(done, cup="object", hat="object", rex="animal")
    found = Daemon(done, NOW)
    found.start()
    subjects.listed(done.root, found.instance)
    yield found
    found.power_cut()


def later(minutes: int) -> datetime.datetime:
    return NOW + datetime.timedelta(minutes=minutes)


def learned(daemon: Daemon) -> dict[str, int]:
    """How often each partition was made."""
    records = daemon.instance.fetch_materializations(dg.AssetKey("subject"), limit=99).records
    names = [str(one.partition_key) for one in records]
    return {name: names.count(name) for name in sorted(names)}


def test_a_power_cut_in_a_backfill_loses_no_partition_and_makes_none_twice(
    daemon: Daemon, done: Tree
) -> None:
    done.behave(**{"subject@cup": "killed once", "subject@hat": "sleep"})
    asked = daemon.backfill("subject", "cup", "hat", "rex")
    mark = done.root / "sleeping-subject@hat"
    daemon.tick(later(1), mark.exists)
    assert mark.exists()
    daemon.power_cut()
    done.behave()
    daemon.start()
    daemon.tick(later(30))
    found = daemon.instance.get_backfill(asked)
    print([(r.status, r.tags.get("dagster/partition"), r.tags) for r in daemon.runs()])
    assert found is not None and found.status is BulkActionStatus.COMPLETED_SUCCESS
    assert learned(daemon) == {"cup": 1, "hat": 1, "rex": 1}
    worked = ["cup", "cup", "hat", "hat", "rex"]
    assert sorted(done.executed()) == [f"subject@{name}" for name in worked], (
        "both were killed once"
    )
