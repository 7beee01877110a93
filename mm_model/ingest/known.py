"""Files that an earlier run checked: their facts come from the cache of measurements.

The facts of a file follow from its bytes, the ending of its name, what checking it may cost, what
is looked for, and the code. The bounds of the profile's content rules are asked of facts, so that
another bound opens no file. `max_aspect` alone stops a check half way; facts that it would not have
stopped stay good.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from mm_model.classifiers.picture import PictureClassifier
from mm_model.decisions.ingest import aspect_of
from mm_model.ingest import files, sandbox, watermark
from mm_model.media.looks import WantedLooks
from mm_model.media.names import opened
from mm_model.records import Reason
from mm_model.rows import Row
from mm_model.run.measuring import LIBRARIES, Measuring
from mm_model.run.stage import Job
from mm_model.settings.device import device_of
from mm_model.store import measured
from mm_model.store.measured import MeasurementCache
from mm_model.store.shards import shard_by_shard
from mm_model.store.spill import Spill

_SHARD_SIZE = 64
_OF_THE_MOMENT = (Reason.IO_UNREADABLE, Reason.VID_DECODE_TIMEOUT)
"""Refusals that, like those of the system, say nothing lasting of the bytes."""


def checked(
    job: Job, items: Spill, looks: WantedLooks, classifier: PictureClassifier | None
) -> Iterator[Row]:
    """What became of each planned item, in their order: see `Checks`.

    Raises:
        UserError: a package that `looks` take is absent, or the classifier cannot be asked.
    """
    rules = job.profile.ingest
    allowance = sandbox.Allowance(
        rules.decode_seconds,
        rules.decode_memory_mb,
        rules.max_pixels,
        rules.max_frames,
        rules.max_aspect,
    )
    with (
        sandbox.opened(allowance, job.profile.run.threads, looks) as workers,
        measured.opened(job.layout.measured(job.stage.name)) as cache,
    ):
        examiner: sandbox.Examiner = workers
        model = None
        if classifier is not None:
            examiner = watermark.WatermarkSandbox(workers, classifier)
            # another kind of device rounds otherwise
            model = classifier.describe() | {"device": device_of(job.profile.run).type}
        checks = Checks(examiner, looks, cache, job.layout.root, model)
        yield from shard_by_shard(
            job.work / "shards",
            items,
            _SHARD_SIZE,
            checks,
            label=f"[{job.stage.name}] checking files",
            origin=job.fingerprint,
        )
    if checks.taken:
        job.say(f"{checks.taken} of {len(items)} files were checked before")


class Checks:
    """From planned items to what became of each: known from before, or checked by `examiner`.

    `model` says which model looks beside the workers and how, None of none. `taken` counts the
    files that were not opened.
    """

    def __init__(
        self,
        examiner: sandbox.Examiner,
        looks: WantedLooks,
        cache: MeasurementCache,
        root: Path,
        model: Row | None = None,
    ) -> None:
        self._examiner, self._cache, self._root = examiner, cache, root
        costs = asdict(examiner.allowance)
        self._max_aspect = costs.pop("max_aspect")
        del costs["seconds"]  # a check that ended in time is the same under any
        weights = [[package.version, package.files] for package in looks.packages]
        about = [costs, looks.text_band, looks.nsfw, looks.quality, weights]
        self._measuring = (
            Measuring(("ingest/files.py",), about)
            if model is None
            else Measuring(
                ("ingest/files.py", "ingest/watermark.py"),
                [*about, model],
                (*LIBRARIES, "torch", "transformers"),
            )
        )
        self.taken = 0

    def __call__(self, items: Sequence[Row]) -> list[Row]:
        """For each item: {"facts": ...}, {"refused": ..., "measured": ...}, or {} if not opened."""
        keys = {item["source_id"]: self._key(item) for item in items if item["refused"] is None}
        known = self._cache.known(keys.values())
        found = {}
        for item in items:
            record = known.get(keys.get(item["source_id"], ""))
            if record and self._serves(record, item["shown"]):
                found[item["source_id"]] = _shown(record["outcome"], item["shown"])
        self.taken += len(found)
        others = [item for item in items if item["source_id"] not in found]
        outcomes = files.checked(others, self._examiner, self._root)
        found |= {
            item["source_id"]: outcome for item, outcome in zip(others, outcomes, strict=True)
        }
        self._cache.keep(
            {
                keys[item["source_id"]]: {"max_aspect": self._max_aspect, "outcome": outcome}
                for item, outcome in zip(others, outcomes, strict=True)
                if _lasts(outcome)
            }
        )
        return [found[item["source_id"]] for item in items]

    def _key(self, item: Row) -> str:
        return self._measuring.key(item["sha256"], opened(item["path"], self._root).suffix.lower())

    def _serves(self, record: Row, shown: bool) -> bool:
        facts = record["outcome"].get("facts")
        if facts is None:
            return bool(record["max_aspect"] == self._max_aspect)
        if shown and facts["thumbnail"] is None:
            return False
        limit = self._max_aspect
        same = record["max_aspect"] == limit or limit is None
        return same or aspect_of(facts["width"], facts["height"]) <= limit


def _lasts(outcome: Row) -> bool:
    if "facts" in outcome:
        return True
    reason = outcome.get("refused", {}).get("reason")
    return reason is not None and not (reason.startswith("SYS_") or reason in _OF_THE_MOMENT)


def _shown(outcome: Row, shown: bool) -> Row:
    if shown or "facts" not in outcome:
        return outcome
    return {"facts": outcome["facts"] | {"thumbnail": None}}
