"""Watermarks, as a classifier of the shelf tells them, beside what the sandbox finds out of a file.

Workers are many and may have little memory, so the one model is this process's: they hand small
views over, which are scored a few files at a time and dropped. A cached or recorded fact never
holds one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_model.classifiers.picture import SHELF, PictureClassifier, open_classifier
from mm_model.ingest.sandbox import Allowance, Facts, Sandbox
from mm_model.media import looks
from mm_model.media.failure import MediaError
from mm_model.records import Reason
from mm_model.run.stage import Job
from mm_model.store import atomic

RECORD = "classifiers.json"
"""In the output where a model classified: which one, by the column that it fills."""
COLUMN = "watermark"
SETTING = "ingest.watermark_model"

_FILES = 16
"""Whose views are held at once: 80 MB if all are clips. No worker is busy while they are scored,
for one whose parent does not listen would look like one that hangs."""


def opened(job: Job) -> PictureClassifier | None:
    """The classifier that the profile names, without its weights yet; None where it names none.

    Raises:
        UserError: it is not on the shelf, cannot be opened, or has no such label.
    """
    rules = job.profile.ingest
    if rules.watermark_model is None or rules.watermark_label is None:
        return None
    return open_classifier(
        job.model(SHELF),
        rules.watermark_model,
        rules.watermark_label,
        job.profile.run.device,
        field=SETTING,
        way_out="set ingest.watermark_model, watermark_label and watermark_above to null",
    )


def record(job: Job, classifier: PictureClassifier | None) -> None:
    """Write down in the output which model was asked, if one was."""
    if classifier is not None:
        atomic.write_json(job.out / RECORD, {COLUMN: classifier.describe()})


@dataclass(frozen=True)
class WatermarkSandbox:
    """A sandbox, whose workers hand views over, and whose facts then hold `watermark` instead."""

    inner: Sandbox
    classifier: PictureClassifier

    @property
    def allowance(self) -> Allowance:
        """What one file may cost."""
        return self.inner.allowance

    def check_all(self, requests: Sequence[tuple[Path, bool]]) -> Iterator[Facts | MediaError]:
        """For each (path, thumbnail), in order: its facts, or the failure, returned.

        Raises:
            UserError: the model cannot be loaded or asked.
        """
        for start in range(0, len(requests), _FILES):
            yield from self._scored(list(self.inner.check_all(requests[start : start + _FILES])))

    def _scored(self, found: list[Facts | MediaError]) -> list[Facts | MediaError]:
        pictures, owners = [], []
        for place, facts in enumerate(found):
            if isinstance(facts, MediaError):
                continue
            try:
                shown = [looks.seen(view) for view in facts.pop("views")]
            except (ValueError, KeyError, TypeError) as error:
                # Only a worker that a file took over says such a thing.
                said = f"the decoder handed over no picture of this file ({error})"
                found[place] = MediaError(Reason.SYS_WORKER_CRASH, said)
                continue
            facts[COLUMN] = None
            pictures += shown
            owners += [facts] * len(shown)
        scores = self.classifier.scores(pictures) if pictures else []
        for facts, score in zip(owners, scores, strict=True):
            facts[COLUMN] = score if facts[COLUMN] is None else max(facts[COLUMN], score)
        return found
