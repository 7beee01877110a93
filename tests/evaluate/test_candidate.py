"""Which stage's adapter is registered: told by identity and by the deciding goals."""

import pytest

from mm_model.evaluate.candidate import choose

PEOPLE = [0.2, 0.3, 0.25, 0.1, 0.4]


def _study(change: float, gaps: tuple[float, float] = (0.0, 0.0)) -> tuple[dict, dict]:
    """Fine-tuning differs by `change` from pretraining; copy-paste gaps of both, in that order."""
    wobble = (0.004, -0.004, 0.002, -0.002, 0.0)
    per_person = {
        "pretrain": {"identity": list(PEOPLE)},
        "finetune": {"identity": [v + change + w for v, w in zip(PEOPLE, wobble, strict=True)]},
    }
    pairs = zip(("pretrain", "finetune"), gaps, strict=True)
    return {stage: {"copy_paste_gap": {"value": gap}} for stage, gap in pairs}, per_person


@pytest.mark.parametrize(
    ("change", "gaps", "stage", "words"),
    [
        (0.05, (0.0, 0.0), "finetune", "keeps the person better"),
        (0.0, (0.0, 0.0), "finetune", "not told apart"),
        (-0.03, (0.0, 0.0), "pretrain", "fine-tuning lost likeness"),
        (-0.03, (0.3, 0.0), "finetune", "does not pass what every release must"),
        (0.05, (0.0, 0.3), "pretrain", "fine-tuning fails copy_paste_gap"),
        (-0.03, (0.3, 0.3), "finetune", "does not pass what every release must"),
    ],
)
def test_the_better_stage_is_the_candidate(
    change: float, gaps: tuple[float, float], stage: str, words: str
) -> None:
    found = choose(*_study(change, gaps))
    assert found.stage == stage
    assert words in found.sentence and f"{change:+.3f}" in found.sentence
    (gap,) = [goal["value"] for goal in found.goals if goal["name"] == "copy_paste_gap"]
    assert gap == gaps[("pretrain", "finetune").index(stage)], "the goals are the candidate's"


@pytest.mark.parametrize(
    ("change", "stage", "words"),
    [
        (0.05, "finetune", "it keeps the person better"),
        (0.0, "finetune", "the later one is taken"),
        (-0.03, "pretrain", "it keeps the person better"),
    ],
)
def test_where_each_fails_what_the_other_passes_the_better_one_is_taken(
    change: float, stage: str, words: str
) -> None:
    summary, per_person = _study(change, (0.3, 0.0))
    summary["finetune"]["faces_per_frame"] = {"value": 2.0}
    found = choose(summary, per_person)
    assert found.stage == stage and words in found.sentence
    assert "fine-tuning faces_in_frame, pretraining copy_paste_gap" in found.sentence


def test_a_mean_that_is_lower_by_chance_is_not_told_apart() -> None:
    summary, per_person = _study(0.0)
    per_person["finetune"]["identity"] = [
        value + stray for value, stray in zip(PEOPLE, (-0.1, 0.08, -0.09, 0.09, -0.03), strict=True)
    ]
    found = choose(summary, per_person)
    value, high = found.identity["value"], found.identity["high"]
    assert value is not None and value < 0 and high is not None and high > 0
    assert found.stage == "finetune" and "not told apart" in found.sentence
    summary["pretrain"]["copy_paste_gap"] = {"value": 0.3}
    summary["finetune"]["faces_per_frame"] = {"value": 2.0}
    assert choose(summary, per_person).stage == "finetune"


def test_three_people_tell_nothing_apart() -> None:
    summary, per_person = _study(-0.1)
    few = {stage: {"identity": by["identity"][:3]} for stage, by in per_person.items()}
    found = choose(summary, few)
    assert (found.stage, found.identity["low"]) == ("finetune", None)
    assert "too few people" in found.sentence
