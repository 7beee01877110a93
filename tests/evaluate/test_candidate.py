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


def test_three_people_tell_nothing_apart() -> None:
    summary, per_person = _study(-0.1)
    few = {stage: {"identity": by["identity"][:3]} for stage, by in per_person.items()}
    found = choose(summary, few)
    assert (found.stage, found.identity["low"]) == ("finetune", None)
    assert "too few people" in found.sentence
