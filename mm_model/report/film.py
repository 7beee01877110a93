"""The film of the training: what the model made of watched people, from step 0 to the end.

It is played by the style sheet from the strips that the training sections embed anyway.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mm_model.records import WATCHED_REFERENCES
from mm_model.report.templating import fill
from mm_model.report.training import step_of
from mm_model.store import documents

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput

PEOPLE = 3
_HOLD = 3  # the last moment stands this many times as long
_WORDS = {"pretrain": "Training on pictures", "finetune": "Training on clips"}


def film(trained: Sequence[tuple["StageOutput", int]], seconds: float) -> str:
    """Moments of both trainings in order; `trained`: each stage with the frames of its samples.

    `seconds` is how long one moment stands. An empty text before the second moment is there, or
    where the stages watched different people.
    """
    moments, watched, first = [], None, ""
    for found, frames in trained:
        samples = found.folder / "samples" if found.folder else None
        if samples is None or not (samples / WATCHED_REFERENCES).is_file():
            continue
        people = documents.read(samples / "people.json", kind=list)
        if watched is not None and people != watched:
            return ""
        watched, first = people, first or f"{found.stage}-reference"
        for path in sorted(samples.glob("step_*.strip.jpg")):
            step = step_of(path)
            words = f"{_WORDS[found.stage]}, step {step}"
            moments.append({"place": f"{found.stage}-{step}", "words": words, "frames": frames})
    if watched is None or len(moments) < 2:
        return ""
    whole = len(moments) + _HOLD - 1
    for place, moment in enumerate(moments):
        moment["from"] = 100 * place / whole
        moment["to"] = 100 * (place + 1) / whole if place + 1 < len(moments) else None
    return fill(
        "film.html",
        moments=moments,
        reference=first,
        rows=len(watched),
        people=watched[:PEOPLE],
        seconds=whole * seconds,
    )
