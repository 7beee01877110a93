"""One map of a pool: what is begun next, what is begun again, and how much is held back."""

from mm_model.run.pools.port import Crashed
from mm_model.run.pools.turn import Turn


def test_no_item_is_begun_far_beyond_the_first_that_is_not_done() -> None:
    turn = Turn(100, tries=2, ahead=8)
    begun = [place for _ in range(20) if (place := turn.take(1)) is not None]
    assert begun == list(range(8))
    turn.results |= {place: place for place in begun[1:]}
    assert list(turn.in_order()) == [] and turn.take(1) is None
    turn.results[0] = 0
    assert list(turn.in_order()) == begun
    assert turn.take(1) == 8


def test_a_first_item_that_crashed_is_begun_again_though_others_wait_behind_it() -> None:
    turn = Turn(20, tries=2, ahead=4)
    for place in [turn.take(1) for _ in range(4)]:
        turn.results[place or 0] = place
    del turn.results[0]
    turn.gone(0, Crashed())
    assert turn.take(1) is None, "alone"
    assert turn.take(0) == 0


def test_an_item_whose_machine_went_away_is_next_and_has_lost_no_try() -> None:
    turn = Turn(5, tries=1)
    places = [turn.take(1), turn.take(1)]
    turn.moved([place for place in places if place is not None])
    assert [turn.take(1) for _ in range(3)] == [0, 1, 2]
    assert turn.results == {}


def test_an_item_that_loses_one_machine_after_the_other_is_begun_alone_and_then_given_up() -> None:
    turn = Turn(3, tries=2)
    for _ in range(4):
        assert turn.take(1) == 0
        turn.moved([0])
    assert [turn.take(1), turn.take(1)] == [1, 2] and turn.take(1) is None
    turn.results |= {1: 1, 2: 2}
    for _ in range(3):
        assert list(turn.in_order()) == []
        assert turn.take(0) == 0
        turn.moved([0])
    assert list(turn.in_order()) == [Crashed(), 1, 2]


def test_a_second_try_whose_machine_went_away_is_still_alone() -> None:
    turn = Turn(2, tries=2)
    assert turn.take(1) == 0
    turn.gone(0, Crashed())
    assert turn.take(1) == 1
    turn.results[1] = 1
    assert turn.take(0) == 0
    turn.moved([0])
    assert turn.take(1) is None and turn.take(0) == 0
    turn.gone(0, Crashed())
    assert list(turn.in_order()) == [Crashed(), 1]
