"""Clips made and measured, a batch at a time, by whoever holds an `Examination`.

On one machine that is the stage's own process. On several each worker opens its own models, judges
and people, and what comes back of a clip is its cells and three frames, never the whole clip.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch

from mm_model.evaluate import candidate, judged, ladder, sheets, variants
from mm_model.evaluate.cells import Cell, Known, evidence
from mm_model.evaluate.looks import Look, look_at
from mm_model.evaluate.people import Subject, held_out_people, training_people
from mm_model.facepack.port import FacePack, open_judge, open_pack
from mm_model.generation.backbone import Backbone, load_backbone
from mm_model.judges.port import Judge
from mm_model.judges.shelf import Bench, open_judges
from mm_model.metrics import table as metrics
from mm_model.metrics.identity import centroid
from mm_model.metrics.port import Context, Evidence
from mm_model.metrics.table import Instruments
from mm_model.run.stage import Job
from mm_model.settings.device import device_of, settle

SHUFFLED = "shuffled"

Measures = Mapping[str, float | None]
"""Columns and their values; None where there is none."""


@dataclass(frozen=True)
class ClipBatch:
    """Clips that are made together, `clips` (person, number) by their places.

    `model` makes them; None where they are the control `variant`. `known` says whether the people
    are those of the training split.
    """

    variant: str
    model: str | None
    clips: tuple[tuple[int, int], ...]
    known: bool = False


@dataclass(frozen=True)
class ExaminedClip:
    """What is kept of one clip: its cells, and of a person's first the `stills [3,H,W,3]`.

    Those are the first, the middle and the last frame, uint8, as made, before any encoding.
    """

    variant: str
    person: int
    cells: tuple[Cell, ...]
    stills: np.ndarray | None


def batches(model: str, people: int, job: Job) -> Iterator[ClipBatch]:
    """The clips of a model of so many tested people, as many together as fit."""
    each, most = job.profile.evaluate.clips_per_person, variants.together_of(job.profile)
    places = [(person, number) for person in range(people) for number in range(each)]
    for start in range(0, len(places), most):
        yield ClipBatch(model, model, tuple(places[start : start + most]))


def of_known(stage: str, people: int, job: Job) -> Iterator[ClipBatch]:
    """The clips of a stage's adapter of people that it was trained on, for the ladder alone."""
    for one in batches(stage, people, job):
        yield replace(one, variant=ladder.TRAINING_PEOPLE, known=True)


def controls(people: Sequence[Subject]) -> Iterator[ClipBatch]:
    """The controls, a person at a time; who has no clip has no true one."""
    for name in variants.CONTROLS[:-1]:
        for place, person in enumerate(people):
            if name == variants.STILL or person.true_clip is not None:
                yield ClipBatch(name, None, ((place, 0),))


def shuffled(stage: str) -> str:
    """A stage's clips judged as other people; in the end the candidate's are the control."""
    return f"{SHUFFLED} {stage}"


class Examination:
    """All that clips of a job are made and measured with, each part opened when it is asked for.

    What is sent to a worker is where things lie; it opens its own.
    """

    def __init__(self, job: Job) -> None:
        self._profile, self._inputs, self._out = job.profile, job.inputs, job.out
        self._models = {name: job.model(name) for name in ("backbone", "facepack", "judge")}
        self._shelf = job.model("judges")

    def __getstate__(self) -> dict[str, object]:
        mine = ("_profile", "_inputs", "_out", "_models", "_shelf")
        return {name: self.__dict__[name] for name in mine}

    def __call__(self) -> "Examination":
        """The start of a worker."""
        torch.set_num_threads(self._profile.run.threads)
        settle(device_of(self._profile.run))
        return self

    @cached_property
    def pack(self) -> FacePack:
        """The pipeline's own pack, which finds the faces."""
        return open_pack(self._models["facepack"], self._profile.faces.detection_size)

    @cached_property
    def bench(self) -> Bench:
        """All judges."""
        house = open_judge(self._models["judge"], self._profile.faces.detection_size)
        return open_judges(self._shelf, house=house, used=[self.pack])

    @cached_property
    def instruments(self) -> Instruments:
        """All metrics, by the judge of the headlines."""
        judge, device = self.bench.headline.pack, self._profile.run.device
        return metrics.opened(Context(pack=self.pack, judge=judge, device=device))

    @cached_property
    def held_out(self) -> tuple[list[Subject], list[str]]:
        """The tested people, and sentences on what could not be had."""
        return held_out_people(self._inputs, self._profile)

    @cached_property
    def trained_on(self) -> list[Subject]:
        """As many people of the training split."""
        return training_people(self._inputs, self._profile)

    @cached_property
    def _backbone(self) -> Backbone:
        return load_backbone(self._models["backbone"], self._profile.run)

    @cached_property
    def _made_by(self) -> variants.Models:
        return variants.Models(self._backbone, variants.adapters(self._inputs), self._profile)

    @cached_property
    def _known(self) -> dict[bool, dict[str, Known]]:
        return {}

    def _known_of(self, known: bool, people: list[Subject]) -> dict[str, Known]:
        """By judge, what it knows of the people of a split."""
        if known not in self._known:
            self._known[known] = {one.name: Known.of(people, one) for one in self.bench.judges}
        return self._known[known]

    def examine(self, batch: ClipBatch) -> list[ExaminedClip]:
        """Make the clips of a batch and measure each; writes `videos/` and `strips/`."""
        people = self.trained_on if batch.known else self.held_out[0]
        if batch.model is None:
            made = [self._control(batch.variant, people[place]) for place, _ in batch.clips]
        else:
            made = self._made_by.clips(batch.model, people, batch.clips)
        return [
            self._examined(batch, people, place, clip)
            for place, clip in zip(batch.clips, made, strict=True)
        ]

    def _control(self, name: str, person: Subject) -> np.ndarray:
        sizes = self._profile.model
        if name == variants.STILL:
            still = variants.still_reference(person, sizes)
            return np.repeat(still[None], sizes.num_frames, axis=0)
        assert person.true_clip is not None
        clip = person.true_clip
        return variants.round_trip(self._backbone, clip) if name == "vae_round_trip" else clip

    def _examined(
        self, batch: ClipBatch, people: list[Subject], place: tuple[int, int], clip: np.ndarray
    ) -> ExaminedClip:
        """Write a clip, read it back, look at it and measure it, also as another person's."""
        name, (p, number), known = batch.variant, place, self._known_of(batch.known, people)
        seeds = variants.seeds_of([people[p].identity], number + 1)[0]
        seed = 0 if batch.model is None else seeds[number]
        stem = f"{people[p].identity}_{name}_{seed}"
        frames = variants.through_file(
            clip, self._out / f"videos/{stem}.mp4", self._profile.model.fps
        )
        sheets.save_strip(frames, self._out / f"strips/{stem}.jpg")
        judges, rules = self.bench.judges, self._profile.faces
        look = look_at(frames, pack=self.pack, judges=judges, rules=rules)
        whose = [(name, p)]
        if name in candidate.STAGES and len(people) > 1:
            whose.append((shuffled(name), (p + 1) % len(people)))
        cells = []
        for variant, judged_as in whose:
            seen = partial(
                self._seen, frames, look, known, prompt=people[p].prompt, judged_as=judged_as
            )
            values, said = self._measured(seen, look, batch.known)
            cells.append(
                Cell(
                    cell_id=f"{variant}/{people[p].identity}/{seed}",
                    variant=variant,
                    identity=people[p].identity,
                    prompt=people[p].prompt,
                    seed=seed,
                    video=f"videos/{stem}.mp4",
                    values=values,
                    judged=said,
                    centroids={judge: centroid(faces) for judge, faces in look.faces.items()},
                )
            )
        stills = clip[[0, len(clip) // 2, -1]] if number == 0 else None
        return ExaminedClip(name, p, tuple(cells), stills)

    def _seen(
        self,
        frames: np.ndarray,
        look: Look,
        known: Mapping[str, Known],
        judge: Judge,
        *,
        prompt: str,
        judged_as: int,
    ) -> Evidence:
        return evidence(
            frames,
            look,
            fps=self._profile.model.fps,
            prompt=prompt,
            judge=judge,
            known=known[judge.name],
            judged_as=judged_as,
        )

    def _measured(
        self, seen: Callable[[Judge], Evidence], look: Look, few: bool
    ) -> tuple[Measures, dict[str, Measures]]:
        """Values by the headline judge, and by judge what it says of who a clip shows.

        `few`: who it shows is all that is asked.
        """
        asked = self.instruments.only(*judged.METRICS)
        values = (asked if few else self.instruments).measure(seen(self.bench.headline))
        found: dict[str, Measures] = {}
        for one in self.bench.judges:
            said = asked.measure(seen(one))
            mine = {column: said[column] for column in judged.columns()}
            found[one.name] = {**mine, judged.OWN_FACE: look.found.get(one.name)}
        return values, found


def examine(made: Examination, batch: ClipBatch) -> list[ExaminedClip]:
    """Task: see `Examination.examine`."""
    return made.examine(batch)


def told(made: Examination, _: None) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Task: what `metrics.json` says of the metrics, and why some could not be had."""
    return made.instruments.told(), made.instruments.unavailable
