"""Figure 8: does CAN make the adapter learn a person's looks in fewer steps?

The same backbone, start, batches and steps, with CAN and without it; three seeds. The error is that
of the prediction on the faces of people whom no training saw.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mm_model.embedded.people.split import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone, load_backbone
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.precompute.sample import TrainingSample
from mm_model.reproduce import plots
from mm_model.reproduce.examination import TIMESTEPS, HeldOut
from mm_model.reproduce.learning import Course, Lesson, fresh_pair, learn
from mm_model.reproduce.people import DrawnCrowd, encoded, weights_of
from mm_model.reproduce.results import Shelf
from mm_model.reproduce.worlds import DAY
from mm_model.run.pools.port import whole
from mm_model.run.pools.table import open_pool
from mm_model.settings import TrainSettings, load_profile
from mm_model.store import digests
from mm_model.store.atomic import Document

NAME = "figure8"
VERSION = 1
"""Raised when equal settings give another result."""

VARIANTS = {"with CAN": True, "without CAN": False}


@dataclass(frozen=True)
class ConvergenceStudy:
    """How much is drawn and learned. Held-out people come in sevens, one of each category."""

    seeds: int = 3
    people: int = 240
    pictures_each: int = 3
    held_out: int = 49
    course: Course = field(default_factory=lambda: Course(steps=200, batch=16, rate=2e-3))
    looks: tuple[int, ...] = (0, 25, 50, 75, 100, 150, 200, 250, 300)

    @property
    def learned(self) -> DrawnCrowd:
        """Whom the adapters learn from."""
        return DrawnCrowd(TRAIN_PEOPLE.start, self.people, self.pictures_each, 1, DAY)

    @property
    def examined(self) -> DrawnCrowd:
        """Whom they are examined on."""
        return DrawnCrowd(HELD_OUT_PEOPLE.start, self.held_out, 1, 1, DAY)


@dataclass(frozen=True)
class Run:
    """One training: a variant and a seed."""

    variant: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.variant.replace(' ', '-').lower()}-seed-{self.seed}"


@dataclass(frozen=True)
class Classroom:
    """What every run of a process shares."""

    backbone: Backbone
    rules: TrainSettings
    learned: list[TrainingSample]
    examined: HeldOut


def adapter_folder(root: Path) -> Path:
    """Where the adapter of the first seed with CAN is kept, for figure 9."""
    return root / "work" / "reproduce" / NAME / "adapter"


def longer(steps: int) -> ConvergenceStudy:
    """The same, for another number of steps: the batches and the first steps are the same too.

    Raises:
        UserError: fewer than one step.
    """
    if steps < 1:
        raise UserError(f"--steps is {steps}: give a whole number from 1 on.")
    setting = ConvergenceStudy()
    looks = tuple(sorted({*(look for look in setting.looks if look < steps), steps}))
    return replace(setting, course=replace(setting.course, steps=steps), looks=looks)


def reproduce(root: Path, processes: int = 2, setting: ConvergenceStudy | None = None) -> Shelf:
    """Train what is missing, write `figure8.json` and `figure8.png`; returns where they lie.

    A run that is cut off loses no more than the trainings it was at.
    """
    setting = setting or ConvergenceStudy()
    bench = opened(root, setting)
    base = bench.examined.errors(None)
    origin = digests.of_value([VERSION, asdict(setting), weights_of(bench.backbone)])
    shelf = Shelf(root / "work" / "reproduce" / NAME, NAME, origin)
    runs = [Run(variant, seed) for seed in range(setting.seeds) for variant in VARIANTS]
    missing = [run for run in runs if shelf.part(run.name) is None]
    start = (lambda: bench) if processes == 0 else partial(opened, root, setting)
    with closing(open_pool(start, processes)) as pool:
        task = partial(trained, setting=setting, keep=adapter_folder(root))
        found = whole(pool.map(task, missing), "A training ended early: make figure8 goes on.")
        for run, curve in zip(missing, found, strict=True):
            shelf.keep(run.name, curve)
            print(f"{run.name}: {curve['seconds']:.0f} s", flush=True)
    curves = [{**asdict(run), **(shelf.part(run.name) or {})} for run in runs]
    said = summary(curves, base)
    shelf.write(
        {"setting": asdict(setting), "timesteps": TIMESTEPS, "base": base, "runs": curves, **said},
        plots.convergence(curves, base, said),
    )
    return shelf


def opened(root: Path, setting: ConvergenceStudy) -> Classroom:
    """Backbone and samples, from the kept files where they are there."""
    torch.set_num_threads(1)
    profile = load_profile(root, "tiny")
    backbone = load_backbone(root / "weights" / "tiny" / "backbone", profile.run)
    kept = root / "work" / "reproduce"
    learned = encoded(setting.learned, backbone, kept / "learned.safetensors")
    examined = encoded(setting.examined, backbone, kept / "held-out.safetensors")
    return Classroom(backbone, profile.pretrain, learned, HeldOut(backbone, examined))


def trained(bench: Classroom, run: Run, *, setting: ConvergenceStudy, keep: Path) -> Document:
    """The curve of one training: steps, errors by region, digest of its batches, seconds."""
    began, worked = time.monotonic(), time.process_time()
    backbone = bench.backbone
    adapter = fresh_pair(backbone, run.seed, VARIANTS[run.variant])
    model = MagicMirrorModel(backbone.transformer, adapter)
    lesson = Lesson(backbone, bench.learned, bench.rules, setting.course.batch, run.seed)
    curve: dict[str, list[float]] = {"step": []}

    def watch(step: int) -> None:
        if step in setting.looks:
            curve["step"].append(step)
            for region, error in bench.examined.errors(model).items():
                curve.setdefault(region, []).append(error)

    batches = learn(model, backbone, lesson, setting.course, watch)
    if run == Run("with CAN", 0):
        adapter.save_pretrained(keep, stage=NAME, step=setting.course.steps)
    return {
        **curve,
        "batches": batches,
        "parameters": sum(p.numel() for p in adapter.parameters()),
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - worked, 1),
    }


def summary(curves: Sequence[Document], base: dict[str, float]) -> Document:
    """Means and standard deviations over seeds, and in how many steps each variant gets how far.

    `told apart` is the error with a stranger's photographs minus that with one's own.
    `steps_to` says, of each part of the way from the base's error on faces to the best mean that
    the variant without CAN reaches, the first step at which a variant's mean is there (a straight
    line between two looks; null: never).
    """
    regions = ("face", "hair", "stranger")
    means: dict[str, dict[str, list[float]]] = {}
    spreads: dict[str, dict[str, list[float]]] = {}
    for variant in VARIANTS:
        own = [one for one in curves if one["variant"] == variant]
        stacked = {name: np.array([one[name] for one in own]) for name in regions}
        stacked["told apart"] = stacked["stranger"] - stacked["face"]
        means[variant] = {k: np.round(v.mean(0), 5).tolist() for k, v in stacked.items()}
        spreads[variant] = {k: np.round(v.std(0), 5).tolist() for k, v in stacked.items()}
    steps = list(curves[0]["step"])
    way = base["face"] - min(means["without CAN"]["face"])
    reached = {}
    for share in (0.25, 0.5, 0.75, 1.0):
        level = base["face"] - share * way
        reached[f"{share:.0%}"] = {
            "error": round(level, 5),
            **{v: first_below(steps, means[v]["face"], level) for v in VARIANTS},
        }
    return {"steps": steps, "means": means, "deviations": spreads, "steps_to": reached}


def first_below(steps: Sequence[int], errors: Sequence[float], level: float) -> float | None:
    """The step at which a curve first falls to `level`, on straight lines between its points."""
    for place in range(len(steps)):
        if errors[place] <= level:
            if place == 0:
                return float(steps[0])
            (a, b), (x, y) = errors[place - 1 : place + 1], steps[place - 1 : place + 1]
            return round(x + (a - level) / (a - b) * (y - x), 1)
    return None
