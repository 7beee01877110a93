"""What a training says of its own speed: samples, waiting, work, and the time left."""

import pytest

from mm_model.train import pace
from mm_model.train.pace import Pace, spoken

pytestmark = pytest.mark.capability("several processes", scale="T")


class _Clock:
    now = 100.0
    waited = 7.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize("processes", [1, 4])
def test_rates_are_of_the_span_since_the_last_look(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    clock = _Clock()
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(pace, "_peak", lambda: 400.0)
    at = Pace(16, lambda: clock.waited, tflop=50.0, processes=processes)
    clock.now, clock.waited = clock.now + 30, clock.waited + 9
    at.begin(2)  # what happened before is left out
    clock.now, clock.waited = clock.now + 8, clock.waited + 2
    said = at.taken(6)
    assert said["samples_per_second"] == 4 * 16 / 8
    assert said["share_of_time_waiting_for_data"] == 2 / 8
    assert said["tflop_per_second"] == 8 * 50 / processes, "of this process alone"
    assert said["mfu"] == 8 * 50 / processes / 400
    clock.now += 4
    assert at.taken(7)["samples_per_second"] == 16 / 4


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(30, "30 s"), (150, "2.5 min"), (5400, "90.0 min"), (9000, "2.5 h"), (200_000, "2.3 days")],
)
def test_time_left_is_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert spoken(seconds) == said
