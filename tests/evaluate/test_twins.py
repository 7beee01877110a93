"""People whom colour cannot tell apart, and the choice between them."""

from pathlib import Path

import numpy as np
import pytest

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import Person, person
from mm_model.embedded.people.render import Frame
from mm_model.embedded.people.twins import SHAPES, TWINS, twin
from mm_model.evaluate import twins
from mm_model.facepack.port import Face, FacePack, open_judge, unit
from mm_model.judges.colour import ColourJudge

JUDGE = ColourJudge()


def _face(frame: Frame) -> Face:
    return Face(frame.box.astype(np.float32), 1.0, frame.landmarks.astype(np.float32))


def _taken(who: Person, seed: int) -> Frame:
    return photograph(who, np.random.default_rng(seed), 96)


def _seen(frame: Frame, judge: FacePack = JUDGE) -> np.ndarray:
    return unit(judge.embed(frame.image, _face(frame)))


def test_a_twin_shares_the_colours_and_not_the_shape() -> None:
    who = person(53_001)
    others = [twin(who, number) for number in range(TWINS)]
    assert len({who, *others}) == 1 + TWINS
    assert [twin(who, number) for number in range(TWINS)] == others, "the same every time"
    for other in others:
        for name in ("skin_tone", "skin_warmth", "hair_colour", "hair_style", "beard", "glasses"):
            assert other.trait(name) == who.trait(name)
        assert sum(other.trait(name) != who.trait(name) for name in SHAPES) == len(SHAPES)
    with pytest.raises(ValueError, match="numbered from 0"):
        twin(who, TWINS)


def _choice(judge: FacePack, seeds: range) -> float:
    """Share of people named right between them and their twins, from one more photograph."""
    hits = []
    for seed in seeds:
        found = twins.five(f"person_{seed}")
        assert found is not None
        probe = _seen(_taken(person(seed), seed), judge)
        said = twins.choices({"true": [[probe]]}, [found.gallery(judge)])
        assert said["true"]["people"] == 1 and said["true"]["chance"] == 0.2
        hits.append(said["true"]["hits"])
    return float(np.mean(hits))


def test_colour_is_near_chance_and_a_recogniser_is_not(root: Path) -> None:
    seeds = range(53_000, 53_040)
    assert _choice(JUDGE, seeds) < 0.42, "0.2 is chance; three standard errors of 40 people"
    tiny = open_judge(root / "weights/tiny/judge/models/judge", 128)
    assert _choice(tiny, seeds[:12]) > 0.8


def test_who_is_not_drawn_has_no_twins() -> None:
    assert twins.five("anna") is None and twins.five(None) is None
    assert twins.choices({"true": [[np.ones(3)]]}, [None]) == {}


def test_a_person_s_clips_share_a_hit_and_one_without_a_face_chooses_nobody() -> None:
    gallery = np.eye(3, dtype=np.float32)
    probes = {"base": [[gallery[0], None], [gallery[1]], []]}
    said = twins.choices(probes, [gallery, gallery, gallery])
    assert said == {"base": {"hits": 0.5, "people": 2, "chance": 0.4}}
