"""Which training stage's adapter is registered: the better one by the rule of promotion.

Fine-tuning on clips comes last and is taken, unless it fails a deciding goal that pretraining
passes, or pretraining keeps the person better by more than the interval and passes all of them.
Where each fails a goal that the other passes, the one that keeps the person better is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mm_model.metrics import goals
from mm_model.metrics.intervals import paired_interval
from mm_model.store.atomic import Document

STAGES = ("pretrain", "finetune")
_CALLED = {"pretrain": "pretraining on pictures", "finetune": "fine-tuning on clips"}

PerPerson = Mapping[str, Mapping[str, Sequence[float | None]]]


@dataclass(frozen=True)
class ChosenStage:
    """`identity`: paired interval of fine-tuning minus pretraining. `goals` are the stage's."""

    stage: str
    identity: Mapping[str, float | int | None]
    sentence: str
    goals: list[Document]


def choose(summary: Mapping[str, Any], per_person: PerPerson) -> ChosenStage:
    """The candidate of a study of both stages, and a sentence that says why.

    `summary` holds means by variant, `per_person` the figures of each person.
    """
    study = {"variants": summary, "per_person": per_person}
    judged = {stage: goals.judge(study, stage) for stage in STAGES}
    failed = {stage: set(goals.refused(judged[stage])) for stage in STAGES}
    identity = paired_interval(
        per_person["finetune"]["identity"], per_person["pretrain"]["identity"]
    )
    value, low, high = (identity[key] for key in ("value", "low", "high"))
    stage, why = "finetune", "the two are not told apart, and the later one is taken"
    if low is None or high is None:
        why = "too few people to tell the two apart, and the later one is taken"
    elif low > 0:
        why = "it keeps the person better"
    elif high < 0:
        why = "pretraining keeps the person better but does not pass what every release must"
    fails = {
        one: ", ".join(sorted(failed[one] - failed[other]))
        for one, other in (STAGES, reversed(STAGES))
    }
    if all(fails.values()):
        if high is not None and high < 0:
            stage, why = "pretrain", "it keeps the person better"
        why += (
            f"; both fail what every release must, fine-tuning {fails['finetune']}, pretraining "
            f"{fails['pretrain']}"
        )
    elif fails["finetune"]:
        stage, why = "pretrain", f"fine-tuning fails {fails['finetune']}"
    elif high is not None and high < 0 and not failed["pretrain"]:
        stage, why = "pretrain", "fine-tuning lost likeness"
    return ChosenStage(stage, identity, _sentence(stage, why, value, low, high), judged[stage])


def _sentence(
    stage: str, why: str, value: float | None, low: float | None, high: float | None
) -> str:
    told = "identity of neither is known"
    if value is not None:
        told = f"fine-tuning minus pretraining in identity {value:+.3f}"
        if low is not None:
            told += f", 95% interval {low:+.3f} to {high:+.3f}"
    return f"The candidate is the adapter after {_CALLED[stage]}: {why} ({told})."
