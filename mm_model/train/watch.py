"""Samples of a training run: held-out people from step 0 on, at the same seeds every time.

Writes `samples/references.jpg` (a person a row), `samples/step_<n>.strip.jpg` (the same rows,
frames side by side, which the report page plays) and the overview `samples/step_<n>.jpg`. Nothing
here touches training's randomness. Several processes share the people; the first one writes.
"""

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mm_model.generation.backbone import Backbone
from mm_model.generation.clips import Sampling, Size, features_of, generate, rows_of
from mm_model.generation.reference_book import ReferenceBook
from mm_model.media.encode import write_mp4
from mm_model.media.sheet import grid, picture_bytes, strip
from mm_model.nn.identity.portrait import Photograph, portrait
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.records import WATCHED_REFERENCES
from mm_model.run import views
from mm_model.run.stage import Job
from mm_model.settings import TrainSettings
from mm_model.store import sealed, tables
from mm_model.store.atomic import write_bytes, write_json
from mm_model.store.lookup import Lookup
from mm_model.train.processes import Processes

PEOPLE = 6
KEPT = "checkpoints/samples"
_SEED = 1000
_SMOOTH = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class Watched:
    """One person to look at: a prompt and one or two references."""

    identity: str
    prompt: str
    shown: tuple[Photograph, ...]

    def portrait(self, margin: float | None) -> Image.Image:
        """What the encoder sees of the first reference."""
        return portrait(self.shown[0].pixels, self.shown[0].face, margin).image


def chosen_people(job: Job, backbone: Backbone, count: int = PEOPLE) -> list[Watched]:
    """Held-out people with a kept cross or synthetic pair; training people where there are none."""
    names = ("pair_id", "target", "reference", "kind", "identity", "split", "media")
    pairs = tables.read(job.inputs["pairs"] / "pairs.parquet", names, {"status": "kept"})
    ingest = Lookup(job.inputs["ingest"] / "samples.parquet", "sample_id", ("caption",))
    held_out = pairs[pairs["split"] == "held_out"]
    source = held_out if len(held_out) else pairs
    book = ReferenceBook.open(job.inputs, backbone)
    people: list[Watched] = []
    for identity, group in source.sort_values("pair_id").groupby("identity"):
        if len(people) == count:
            break
        clips = group[group["media"] == "clip"]
        row = (clips if len(clips) else group).iloc[0]
        keys = group.sort_values(["kind", "pair_id"])["reference"].drop_duplicates()[:2]
        shown = tuple(book.seen(key) for key in keys)
        people.append(Watched(str(identity), ingest.row(row["target"])["caption"], shown))
    return people


class Watcher:
    """Makes the pictures of one run; call it with the step."""

    def __init__(
        self,
        job: Job,
        backbone: Backbone,
        pipe: Any,
        settings: TrainSettings,
        processes: Processes,
    ) -> None:
        self.job, self.pipe, self.num_frames = job, pipe, settings.sample_frames
        self.processes = processes
        self.people = chosen_people(job, backbone)
        margin = pipe.adapter.config.reference_margin
        self.portraits = [person.portrait(margin) for person in self.people]
        self.features: IdentityFeatures = features_of(
            backbone, [person.shown for person in self.people], margin
        )
        self.sampling = Sampling(
            steps=settings.sample_steps,
            guidance=settings.sample_guidance,
            face_guidance=settings.sample_face_guidance,
        )
        self.kept, self.folder = job.work / KEPT, job.out / "samples"
        if processes.is_first:
            self._begin()

    def _begin(self) -> None:
        """Who is watched, and what earlier attempts saw."""
        job = self.job
        self.kept.mkdir(parents=True, exist_ok=True)
        self._take_up()
        write_json(
            self.folder / "people.json",
            [{"identity": p.identity, "prompt": p.prompt} for p in self.people],
        )
        size = (job.profile.model.width, job.profile.model.height)
        fitted = [shown.resize(size, _SMOOTH) for shown in self.portraits]
        self._save(np.concatenate([np.asarray(picture) for picture in fitted]), WATCHED_REFERENCES)

    def _take_up(self) -> None:
        """Copy the pictures that a run which was cut off left whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.kept.glob("*.jpg")):
            if flaw := sealed.flaw(path, self.job.fingerprint):
                self.job.say(f"sample {path.name} of the work folder {flaw}: it is left out")
                sealed.remove(path)
            else:
                shutil.copy(path, self.folder / path.name)

    def __call__(self, step: int) -> None:
        """Generate, save, send to tracking, and let the report page grow."""
        clips = self._clips()
        if not self.processes.is_first:
            return
        sizes = self.job.profile.model
        references = [np.asarray(shown) for shown in self.portraits]
        rows = [references, [clip[0] for clip in clips]]
        if self.num_frames > 1:
            rows += [[clip[len(clip) // 2] for clip in clips], [clip[-1] for clip in clips]]
        strips = np.concatenate([strip(clip) for clip in clips])
        self._save(strips, f"step_{step:06d}.strip.jpg")
        sheet = grid(rows, (sizes.height, sizes.width), zoom=max(1, 96 // sizes.height))
        path = self._save(sheet, f"step_{step:06d}.jpg")
        self.job.tracker.picture(path, "people", step)
        if self.num_frames > 1:
            views.attempt("clip for MLflow", partial(self._film, clips, step), views.WITHOUT)
        self.job.show()

    def _film(self, clips: np.ndarray, step: int) -> None:
        """Send `clips`, `[P,F,H,W,3]`, side by side as one clip."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "people.mp4"
            write_mp4(path, np.concatenate(list(clips), axis=2), self.job.profile.model.fps)
            self.job.tracker.picture(path, "people", step)

    def _clips(self) -> np.ndarray:
        """Clips `[P,F,H,W,3]` of all people, each made by one of the processes."""
        at = self.processes
        own = slice(at.rank, None, at.count)
        places = range(len(self.people))[own]
        made: list[np.ndarray] = []
        if places:
            made = list(
                generate(
                    self.pipe,
                    [self.people[place].prompt for place in places],
                    rows_of(self.features, own),
                    [_SEED + place for place in places],
                    size=Size.of(self.job.profile.model, self.num_frames),
                    sampling=self.sampling,
                )
            )
        found = {
            place: clip
            for said in at.all_said(dict(zip(places, made, strict=True)))
            for place, clip in said.items()
        }
        return np.stack([found[place] for place in range(len(self.people))])

    def _save(self, picture: np.ndarray, name: str) -> Path:
        """Into the output, and beside the checkpoints for a run that resumes."""
        write_bytes(self.kept / name, picture_bytes(picture, quality=92))
        sealed.seal(self.kept / name, self.job.fingerprint)
        return Path(shutil.copy(self.kept / name, self.folder / name))
