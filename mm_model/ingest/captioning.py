"""Which captioner is asked about which kept file, and whose words count.

A file's own words come first where they can be used, then a model's, then the profile's template.
What a model said is kept in the work folder, a few batches at a time, so that a run that was killed
goes on where it was, and from run to run, so that it is asked about a file once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mm_model.captioners.lint import Bounds
from mm_model.captioners.port import MODEL, Asking, Captioner, Uncaptioned
from mm_model.captioners.table import is_model, open_captioner
from mm_model.ingest.captions import TEMPLATE, Captions, Judged
from mm_model.records import Reason, Status
from mm_model.rows import Row
from mm_model.run.measuring import Measuring
from mm_model.run.stage import Job
from mm_model.settings.device import device_of
from mm_model.store import atomic, digests, measured
from mm_model.store.shards import shard_by_shard
from mm_model.store.spill import KeyedSpill, Spill, Spills

RECORD = "captioners.json"
"""In the output where a model captioned: which one, for "image" and for "clip"."""
_FIELDS = {"image": "captioner", "clip": "clip_captioner"}
_ASKS = ("captioners/vision_language.py",)
_LIBRARIES = ("torch", "transformers", "tokenizers", "pillow", "av", "decord")
_BATCHES = 4
"""Batches of a shard: what a kill costs at most."""


@dataclass(frozen=True)
class Captioning:
    """The judge of captions, and by media who captions, with the name in the profile.

    anew: a model is asked about files that have words of their own too.
    """

    job: Job
    judge: Captions
    captioners: dict[str, tuple[str, Captioner]]
    anew: bool

    def filled(self, rows: Spill, given: KeyedSpill, spills: Spills) -> Iterator[Row]:
        """The rows in their order with the caption columns; `given` is captions.json.

        Where the profile says so, a row without a caption of use is rejected and its copy removed.
        All that a model is asked is asked before the first row.

        Raises:
            UserError: a model cannot be loaded, or not be asked.
        """
        said = {
            media: self._said(media, captioner, rows, given, spills)
            for media, (name, captioner) in self.captioners.items()
            if is_model(name)
        }
        spoke = set()
        for row in rows:
            own = given.get(row["source_id"])
            if row["status"] != Status.KEPT or row["media"] not in self.captioners:
                yield row | (self.judge.measures(own) if row["status"] != Status.KEPT else {})
                continue
            name, captioner = self.captioners[row["media"]]
            if row["media"] in said:
                judged = self._after(own, said[row["media"]])
            else:
                (words,) = captioner.captions([self._asked(row, own)])
                judged = self.judge.judged(words)
            row |= judged.row
            if judged.row["caption_origin"] == MODEL:
                spoke.add(row["media"])
            if name == TEMPLATE:
                row["caption_lint"] = None
            elif self.job.profile.ingest.caption_lint == "reject" and not judged.good:
                self._reject(row, judged)
            yield row
        record = {
            media: captioner.describe()
            for media, (_, captioner) in self.captioners.items()
            if media in spoke
        }
        if record:
            atomic.write_json(self.job.out / RECORD, record)

    def _asked(self, row: Row, own: Row | None) -> Uncaptioned:
        return Uncaptioned(self.job.out / row["file"], row["media"], row["num_frames"], own)

    def _own(self, own: Row | None) -> Judged:
        return self.judge.judged(None if self.anew else own)

    def _after(self, own: Row | None, said: Iterator[Row]) -> Judged:
        """Own words first, unless the profile says otherwise; the model's next for the rest."""
        first = self._own(own)
        return first if first.used else self.judge.judged(next(said)).after(first)

    def _said(
        self, media: str, captioner: Captioner, rows: Spill, given: KeyedSpill, spills: Spills
    ) -> Iterator[Row]:
        """The model's words on each kept file whose own are of no use, in the order of rows.

        As the work folder has them or the model finds them now.
        """
        items, said = spills.rows(f"asked-{media}"), spills.rows(f"said-{media}")
        for row in rows:
            mine = row["status"] == Status.KEPT and row["media"] == media
            if mine and not self._own(given.get(row["source_id"])).used:
                items.append({"file": Path(row["file"]).name, "num_frames": row["num_frames"]})
        if not items:
            return iter(said)
        folder = self.job.out / "files"
        device = device_of(self.job.profile.run).type  # another kind of device rounds otherwise
        measuring = Measuring(_ASKS, [captioner.describe(), media, device], libraries=_LIBRARIES)

        def compute(part: list[dict]) -> list[Row]:
            keys = [measuring.key(digests.of_file(folder / item["file"])) for item in part]
            known = cache.known(keys)
            others = [
                (key, Uncaptioned(folder / item["file"], media, item["num_frames"]))
                for key, item in zip(keys, part, strict=True)
                if key not in known
            ]
            words = captioner.captions([one for _, one in others]) if others else []
            found = {
                key: said for (key, _), said in zip(others, words, strict=True) if said is not None
            }
            cache.keep({key: said for key, said in found.items() if "problem" not in said})
            known |= found
            return [known[key] for key in keys if key in known]

        with measured.opened(self.job.layout.measured(f"captions-{media}")) as cache:
            for words in shard_by_shard(
                self.job.work / "captions" / media,
                items,
                self.job.profile.ingest.caption_batch * _BATCHES,
                compute,
                label=f"[{self.job.stage.name}] captioning {media}s",
                origin=self.job.fingerprint,
            ):
                said.append(words)
        if len(said) != len(items):
            raise ValueError(f"{len(items)} files were captioned and {len(said)} have words")
        return iter(said)

    def _reject(self, row: Row, judged: Judged) -> None:
        (self.job.out / row["file"]).unlink(missing_ok=True)
        finding = judged.finding
        said = finding.message if finding else row["caption_message"] or "nobody captioned it"
        row |= {
            "file": None,
            "status": Status.REJECTED,
            "reason": Reason.CONTENT_CAPTION,
            "reason_value": finding and finding.value,
            "reason_threshold": finding and finding.bound,
            "message": said[:300],
        }


def opened(job: Job) -> Captioning:
    """Who captions, as the profile says; models are looked at as far as possible without weights.

    Raises:
        UserError: the template cannot be used with the backbone's tokenizer, or a captioner that
            the profile names is not on the shelf or cannot be opened.
    """
    rules, shelf = job.profile.ingest, job.model("captioners")
    bounds = Bounds(
        rules.caption_min_words,
        rules.caption_max_words,
        rules.caption_latin_share,
        rules.caption_repeats,
    )
    judge = Captions(
        job.model("backbone"), rules.caption_template, bounds, strict=rules.caption_lint != "report"
    )
    names = {media: str(getattr(rules, field)) for media, field in _FIELDS.items()}
    wanted = partial(
        Asking,
        rules.caption_prompt,
        rules.clip_caption_prompt,
        rules.caption_frames,
        rules.caption_batch,
        rules.caption_tokens,
        dtype=rules.caption_dtype,
    )
    by_name: dict[str, Captioner] = {}
    for media, name in names.items():
        if name not in by_name:
            device = job.profile.run.device if is_model(name) else "cpu"
            by_name[name] = open_captioner(
                name, shelf, wanted(device=device), f"ingest.{_FIELDS[media]}"
            )
    captioners = {media: (name, by_name[name]) for media, name in names.items()}
    return Captioning(job, judge, captioners, rules.caption_anew)
