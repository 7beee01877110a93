"""A source folder that is suddenly empty, as when a disk is away: nothing is trained on it."""

import dagster as dg
import pytest

from orchestration import runs
from tests.graph.conftest import Tree
from tests.graph.test_automation import _tick_new_media

pytestmark = [pytest.mark.slow, pytest.mark.capability("Dagster over DVC", scale="T")]


def sentences(result: dg.ExecuteInProcessResult) -> list[str]:
    """Why the run ended, in the stages' own words."""
    failures = result.filter_events(lambda one: one.is_step_failure)
    known = [one.event_specific_data.user_failure_data for one in failures]
    return [data.description for data in known if data is not None]


def everything_in(tree: Tree) -> dict[str, bytes]:
    """The outputs that lie there."""
    found = (tree.root / "data" / "tiny").rglob("*")
    return {str(path): path.read_bytes() for path in found if path.is_file()}


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ("consent.yaml", "The audit of stage 'sources' failed"),
        (None, "raw has no consent record, and nothing else: if its disk is away, bring it back"),
    ],
)
def test_nothing_is_made_of_it_and_the_last_good_outputs_stay(
    done: Tree, monkeypatch: pytest.MonkeyPatch, left: str | None, told: str
) -> None:
    done.tick_outside_runs()
    good = everything_in(done)
    (done.root / "raw" / "first").unlink()
    if left is not None:
        (done.root / "raw" / left).write_text("basis: written\nadults: true\n")

    clock = [runs.now() + 1000]
    monkeypatch.setattr(runs, "now", lambda: clock[0])
    tick = _tick_new_media(done)
    clock[0] += 301
    assert _tick_new_media(done, tick.cursor).run_requests, "who emptied it may have meant it"

    done.behave(sources="real")
    result = done.dagster(**{"dagster/sensor_name": "new_media"})
    (sentence,) = sentences(result)
    assert told in sentence
    assert done.executed() == ["sources"]
    assert everything_in(done) == good, "the registered model among them"
