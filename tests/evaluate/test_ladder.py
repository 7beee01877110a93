"""The ladder: hits worked out by hand, links that fail, too few people."""

from functools import partial

import numpy as np
import pytest

from mm_model.evaluate import ladder
from mm_model.evaluate.cells import Cell
from mm_model.evaluate.judged import hits_of
from mm_model.metrics.identity import centroid, copy_paste_gap, recognised
from mm_model.metrics.intervals import wilson_interval

pytestmark = pytest.mark.capability("ladder", scale="T")

GALLERY = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
NONE = np.full(2, np.nan)


def test_a_probe_is_recognised_by_its_nearest_gallery_row() -> None:
    probe = np.array([0.8, 0.6])
    assert recognised(probe, GALLERY, 0)
    assert not recognised(probe, GALLERY, 1)


def test_nobody_is_recognised_where_nobody_else_stands() -> None:
    assert not recognised(GALLERY[0], GALLERY[:1], 0)
    assert recognised(GALLERY[0], GALLERY[:2], 0)


def test_a_clip_without_a_face_and_a_tie_are_not_recognised() -> None:
    assert not recognised(None, GALLERY, 0)
    assert not recognised(np.array([1.0, 1.0]) / np.sqrt(2), GALLERY, 0)


def test_the_probe_of_a_clip_is_the_mean_over_frames_with_a_face() -> None:
    assert centroid(np.stack([GALLERY[0], NONE, GALLERY[1]])) == pytest.approx(
        np.array([1, 1]) / np.sqrt(2)
    )
    assert centroid(np.stack([NONE, NONE])) is None


def test_wilson_interval_of_golden_shares() -> None:
    assert wilson_interval(141, 200) == pytest.approx((0.6384129, 0.7638606), abs=1e-6)
    assert wilson_interval(0, 200) == pytest.approx((0.0, 0.0188453), abs=1e-6)
    assert wilson_interval(200, 200) == pytest.approx((0.9811547, 1.0), abs=1e-6)
    assert wilson_interval(0, 0) is None and wilson_interval(3, 3) is None


def test_every_rung_is_held_against_the_link_it_hangs_on() -> None:
    hits = {
        "true_clip": (20, 20),
        "vae_round_trip": (18, 20),
        ladder.TRAINING_PEOPLE: (14, 20),
        "finetune": (12, 20),
    }
    rungs = {rung["variant"]: rung for rung in ladder.climb(hits)}
    assert [rung["needed"] for rung in rungs.values()] == pytest.approx([0.8, 0.9, 0.72, 0.6])
    assert [rung["passed"] for rung in rungs.values()] == [True, True, False, True]
    assert rungs[ladder.TRAINING_PEOPLE]["mend"].startswith("Backbone or adapter")
    assert rungs["finetune"]["mend"] is None


def test_a_link_that_loses_nothing_more_names_the_one_before() -> None:
    hits = {
        "true_clip": (20, 20),
        "vae_round_trip": (10, 20),
        ladder.TRAINING_PEOPLE: (3, 20),
        "pretrain": (3, 20),
    }
    _, vae, known, ours = ladder.climb(hits, "pretrain")
    assert vae["mend"].startswith("The VAE") and known["mend"].startswith("Backbone or adapter")
    assert ours["variant"] == "pretrain" and "adapter, training people" in ours["mend"]
    ours = ladder.climb({**hits, "pretrain": (2, 20)}, "pretrain")[-1]
    assert ours["mend"].startswith("Generalisation")
    ours = ladder.climb({**hits, ladder.TRAINING_PEOPLE: (16, 20)}, "pretrain")[-1]
    assert ours["mend"].startswith("Generalisation"), "the link before did not fail"


def test_few_people_are_measured_but_not_judged() -> None:
    (rung,) = ladder.climb({"true_clip": (3, 3)})
    assert rung["rank1"] == 1.0
    assert rung["passed"] is None


def test_a_link_without_clips_is_left_out() -> None:
    assert [r["variant"] for r in ladder.climb({"finetune": (1, 20)})] == ["finetune"]


def test_the_gap_of_a_copy_is_positive() -> None:
    shown, withheld = GALLERY[:1], np.array([[0.6, 0.8]])
    gap = partial(copy_paste_gap, shown=shown, withheld=withheld)
    assert gap(shown) == pytest.approx(0.4)
    assert gap(np.array([[0.8, 0.6]])) == pytest.approx(-0.16)
    assert gap(NONE[None]) is None


def test_clips_of_a_person_share_one_hit() -> None:
    def cell(variant: str, person: str, named: float) -> Cell:
        return Cell(
            cell_id="",
            variant=variant,
            identity=person,
            prompt="",
            seed=0,
            video="",
            values={},
            judged={"tiny": {"rank1": named}},
        )

    cells = [cell("true_clip", p, 1.0) for p in "ab"]
    cells += [cell("finetune", "a", named) for named in (1.0, 0.0, 0.0, 1.0)]
    cells += [cell("finetune", "b", 1.0)]
    true, ours = ladder.climb(hits_of(cells, "tiny"))
    assert (true["hits"], true["people"], ours["hits"], ours["people"]) == (2.0, 2, 1.5, 2)
    assert ours["rank1"] == 0.75
