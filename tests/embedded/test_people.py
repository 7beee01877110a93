"""People, splits, captions: who exists, who belongs where, what may be said."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_model.embedded.people.action import ACTIONS, STILLS
from mm_model.embedded.people.caption import CAPTION_WORDS, caption
from mm_model.embedded.people.people import CATEGORIES, TRAIT_NAMES, person
from mm_model.embedded.people.split import SPLITS, WEIGHTS_PEOPLE, split_of

SEEDS = st.integers(0, 60_000)


@given(SEEDS)
def test_a_seed_is_always_the_same_person_with_numbers_in_unit_range(seed):
    who = person(seed)
    person.cache_clear()
    assert person(seed) == who
    vector = who.vector()
    assert vector.shape == (len(TRAIT_NAMES),)
    assert vector.dtype == np.float32
    assert ((vector >= 0) & (vector <= 1)).all()


def test_there_are_at_least_sixteen_numbers_that_tell_people_apart():
    vectors = np.stack([person(s).vector() for s in range(700)])
    assert (vectors.std(0) > 0.15).sum() >= 16
    assert len(np.unique(vectors, axis=0)) == 700


def test_categories_are_balanced_in_the_weights_people():
    counts = Counter(person(s).category for s in WEIGHTS_PEOPLE)
    assert counts == dict.fromkeys(CATEGORIES, 200)


def test_only_grown_men_have_beards_and_no_baby_wears_glasses():
    for seed in range(700):
        who = person(seed)
        if who.category not in ("man", "elderly man"):
            assert who.beard == "none"
        if who.category == "baby":
            assert who.glasses == "none"


def test_negative_seed_is_refused():
    with pytest.raises(ValueError, match="from 0"):
        person(-1)


def test_splits_are_disjoint_and_a_stranger_has_none():
    seeds = [s for people in SPLITS.values() for s in people]
    assert len(seeds) == len(set(seeds))
    for name, people in SPLITS.items():
        assert split_of(people[0]) == split_of(people[-1]) == name
    with pytest.raises(ValueError, match="no split"):
        split_of(1400)


@given(SEEDS, st.sampled_from([*ACTIONS, *STILLS]))
def test_a_caption_is_class_word_and_action_only(seed, action):
    who = person(seed)
    words = caption(who, action)
    article = "an" if who.category.startswith("elderly") else "a"
    assert words == f"{article} {who.category} {({**ACTIONS, **STILLS})[action]}"
    assert words == words.lower()
    assert set(words.split()) <= set(CAPTION_WORDS)


def test_no_caption_word_names_looks_place_or_light():
    described = {
        *("hair", "beard", "glasses", "skin", "nose", "tall", "young", "old", "blond", "dark"),
        *("shirt", "jacket", "light", "room", "park", "window", "red", "blue", "green", "freckles"),
    }
    assert not described & set(CAPTION_WORDS)
    assert len(CAPTION_WORDS) < 60


def test_unknown_action_is_refused():
    with pytest.raises(ValueError, match="unknown action"):
        caption(person(0), "flies")
