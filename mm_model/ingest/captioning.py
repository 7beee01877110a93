"""Which captioner is asked about which kept file, and whose words count.

A file's own words come first where they can be used, then a model's, then the profile's template.
What a model said is kept in the work folder, a few batches at a time, so that a run that was killed
goes on where it was, and from run to run, so that it is asked about a file once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mm_model.captioners.lint import Bounds
from mm_model.captioners.port import MODEL, Asking, Captioner, Uncaptioned
from mm_model.captioners.table import is_model, open_captioner
from mm_model.ingest.captions import TEMPLATE, Captions, Judged
from mm_model.records import Reason, Status
from mm_model.rows import Row
from mm_model.run.measuring import Measuring
from mm_model.run.stage import Job
from mm_model.store import atomic, digests, measured
from mm_model.store.shards import in_shards

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

    def fill(self, rows: Sequence[Row], given: dict[str, Row]) -> None:
        """Fill in, in place, the caption columns of every kept row; `given` is captions.json.

        Where the profile says so, a row without a caption of use is rejected and its copy removed.

        Raises:
            UserError: a model cannot be loaded, or not be asked.
        """
        for row in rows:
            if row["status"] != Status.KEPT:
                row |= self.judge.measures(given.get(row["source_id"]))
        record = {}
        for media, (name, captioner) in self.captioners.items():
            kept = [r for r in rows if r["status"] == Status.KEPT and r["media"] == media]
            asked = [self._asked(row, given) for row in kept]
            if is_model(name):
                found = self._by_model(captioner, asked)
            else:
                found = [self.judge.judged(said) for said in captioner.captions(asked)]
            for row, judged in zip(kept, found, strict=True):
                row |= judged.row
                if name == TEMPLATE:
                    row["caption_lint"] = None
                elif self.job.profile.ingest.caption_lint == "reject" and not judged.good:
                    self._reject(row, judged)
            if any(judged.row["caption_origin"] == MODEL for judged in found):
                record[media] = captioner.describe()
        if record:
            atomic.write_json(self.job.out / RECORD, record)

    def _asked(self, row: Row, given: dict[str, Row]) -> Uncaptioned:
        path = self.job.out / row["file"]
        return Uncaptioned(path, row["media"], row["num_frames"], given.get(row["source_id"]))

    def _by_model(self, captioner: Captioner, asked: list[Uncaptioned]) -> list[Judged]:
        """Own words first, unless the profile says otherwise; the model's for the rest."""
        own = [self.judge.judged(None if self.anew else one.own) for one in asked]
        places = [place for place, found in enumerate(own) if not found.used]
        if not places:
            return own
        said = self._said(captioner, [asked[place] for place in places])
        for place, words in zip(places, said, strict=True):
            own[place] = self.judge.judged(words).after(own[place])
        return own

    def _said(self, captioner: Captioner, asked: list[Uncaptioned]) -> list[Row]:
        """The model's words, as the work folder has them or the model finds them now."""
        media = asked[0].media
        items = [{"file": one.path.name, "num_frames": one.num_frames} for one in asked]
        folder = asked[0].path.parent

        device = self.job.profile.run.device  # another kind of device rounds otherwise
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
            return in_shards(
                self.job.work / "captions" / media,
                items,
                self.job.profile.ingest.caption_batch * _BATCHES,
                compute,
                label=f"[{self.job.stage.name}] captioning {media}s",
                origin=self.job.fingerprint,
            )

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
