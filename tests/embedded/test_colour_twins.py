"""Colour twins: colour cannot tell them apart and they are nobody of a split."""

import pytest

from mm_model.embedded.people import twins
from mm_model.embedded.people.appearance import appearance
from mm_model.embedded.people.people import person
from mm_model.embedded.people.split import split_of

PEOPLE = (10_000, 10_001, 10_004, 50_006)


@pytest.mark.parametrize("seed", PEOPLE)
def test_a_twin_has_the_colours_and_the_hair_but_not_the_face(seed: int) -> None:
    who = person(seed)
    for other in twins.twins(who):
        assert (other.category, other.hair, other.beard, other.glasses) == (
            who.category,
            who.hair,
            who.beard,
            who.glasses,
        )
        one, two = appearance(who), appearance(other)
        for colour in ("skin", "hair", "lip", "iris", "brow", "beard"):
            assert getattr(one, colour) == getattr(two, colour)
        for name in twins.SHAPE:
            away = abs(who.trait(name) - other.trait(name))
            assert min(away, 1 - away) >= 0.25 - 1e-9
            assert 0 <= other.trait(name) < 1


def test_twins_are_four_others_each_time_the_same_and_of_no_split() -> None:
    found = [other for seed in PEOPLE for other in twins.twins(person(seed))]
    assert len({other.seed for other in found}) == len({o.traits for o in found}) == 16
    twins.twin.cache_clear()
    assert found == [other for seed in PEOPLE for other in twins.twins(person(seed))]
    for other in found:
        with pytest.raises(ValueError, match="belongs to no split"):
            split_of(other.seed)


def test_a_twin_has_no_twins_and_there_is_no_fifth() -> None:
    who = person(10_000)
    with pytest.raises(ValueError, match="is a twin"):
        twins.twin(twins.twin(who, 0), 0)
    with pytest.raises(ValueError, match="0 to 3"):
        twins.twin(who, 4)
