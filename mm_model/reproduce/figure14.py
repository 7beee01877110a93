"""Figure 14: what can the modulation alone learn of a set of data?

Of one fresh adapter only CAN and phi_face learn (`trained: modulation`), on clips of the same
people in two worlds: by day as they are drawn, and at dusk (dim and blue, blurred, at half the
pace). Held-out people are generated from equal noise by each, by an adapter of which everything
learned at dusk, and by the plain backbone.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from mm_model.embedded.people.split import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from mm_model.generation.backbone import Backbone, load_backbone
from mm_model.generation.clips import Sampling, Size, features_of, generate, pipeline_of
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.reproduce import plots
from mm_model.reproduce.learning import Course, Lesson, fresh_pair, learn
from mm_model.reproduce.people import (
    MARGIN,
    SIZE,
    DrawnCrowd,
    encoded,
    references_of,
    target_of,
    weights_of,
)
from mm_model.reproduce.results import Shelf
from mm_model.reproduce.worlds import DAY, DUSK, World
from mm_model.run.pools.port import whole
from mm_model.run.pools.table import open_pool
from mm_model.settings import load_profile
from mm_model.store import atomic, digests, sealed
from mm_model.store.atomic import Document

NAME = "figure14"
VERSION = 1
"""Raised when equal settings give another result."""

BASE = "base"
MEASURES = ("brightness", "blueness", "sharpness", "motion")


@dataclass(frozen=True)
class Variant:
    """An adapter: what of it learns, and in which world; nothing, for the plain backbone."""

    name: str
    trained: str
    world: World


VARIANTS = (
    Variant("modulation, day", "modulation", DAY),
    Variant("modulation, dusk", "modulation", DUSK),
    Variant("all, dusk", "all", DUSK),
)


@dataclass(frozen=True)
class WorldStudy:
    """How much is drawn, learned and generated."""

    people: int = 120
    frames: int = 9
    shown: int = 7
    sampler_steps: int = 10
    guidance: float = 2.0
    course: Course = field(default_factory=lambda: Course(steps=150, batch=8, rate=2e-3))

    def crowd(self, world: World) -> DrawnCrowd:
        """Whom an adapter learns from in a world: a clip each."""
        return DrawnCrowd(TRAIN_PEOPLE.start, self.people, 1, self.frames, world)

    @property
    def seeds(self) -> range:
        """Held-out people who are generated, one of each category first."""
        return range(HELD_OUT_PEOPLE.start, HELD_OUT_PEOPLE.start + self.shown)


def reproduce(root: Path, processes: int = 2, scale: WorldStudy | None = None) -> Shelf:
    """Make what is missing, write `figure14.json` and `figure14.png`; returns where they lie."""
    scale = scale or WorldStudy()
    backbone = _backbone(root)
    origin = digests.of_value([VERSION, asdict(scale), weights_of(backbone)])
    shelf = Shelf(root / "work" / "reproduce" / NAME, NAME, origin)
    names = [BASE, *(one.name for one in VARIANTS)]
    missing = [one for one in names if sealed.flaw(_clips_of(shelf, one), origin)]
    start = partial(_backbone, root) if processes else (lambda: backbone)
    with closing(open_pool(start, processes)) as pool:
        worlds = [] if not missing else [DAY, DUSK]
        encode = partial(_samples, scale=scale, root=root)
        list(whole(pool.map(encode, worlds), "Encoding ended early: make figure14 goes on."))
        task = partial(made, scale=scale, root=root)
        found = whole(pool.map(task, missing), "A training ended early: make figure14 goes on.")
        for name, (clips, seconds) in zip(missing, found, strict=True):
            path = _clips_of(shelf, name)
            with atomic.written_aside(path) as aside, aside.open("wb") as file:
                np.save(file, clips)
            sealed.seal(path, origin)
            shelf.keep(f"{name} seconds", {"seconds": seconds})
            print(f"{name}: {seconds:.0f} s", flush=True)
    clips = {name: np.load(_clips_of(shelf, name)) for name in names}
    seconds = {name: (shelf.part(f"{name} seconds") or {}).get("seconds") for name in names}
    true = {world.name: _true(scale, world) for world in (DAY, DUSK)}
    said = {"setting": asdict(scale), "seconds": seconds, **summary(clips, true)}
    shelf.write(said, plots.distributions(clips, true, said))
    return shelf


def _clips_of(shelf: Shelf, name: str) -> Path:
    return shelf.folder / "parts" / f"{name.replace(', ', '-')}.npy"


def _backbone(root: Path) -> Backbone:
    torch.set_num_threads(1)
    profile = load_profile(root, "tiny")
    return load_backbone(root / "weights" / "tiny" / "backbone", profile.run)


def made(
    backbone: Backbone, name: str, *, scale: WorldStudy, root: Path
) -> tuple[np.ndarray, float]:
    """Clips uint8 `[N,F,H,W,3]` of the held-out people by a variant, and the seconds it took."""
    began = time.monotonic()
    adapter = features = None
    known = {one.name: one for one in VARIANTS}
    if name in known:
        adapter = taught(backbone, known[name], scale, root)
        seen = [references_of(seed) for seed in scale.seeds]
        features = features_of(backbone, seen, MARGIN)
    clips = generate(
        pipeline_of(backbone, adapter),
        [target_of(scale.crowd(DAY), seed, 0)[2] for seed in scale.seeds],
        features,
        list(scale.seeds),
        size=Size(num_frames=scale.frames, height=SIZE, width=SIZE),
        sampling=Sampling(steps=scale.sampler_steps, guidance=scale.guidance, face_guidance="keep"),
    )
    return clips, round(time.monotonic() - began, 1)


def taught(
    backbone: Backbone, variant: Variant, scale: WorldStudy, root: Path
) -> MagicMirrorAdapter:
    """A fresh adapter after its course in the variant's world."""
    samples = encoded(scale.crowd(variant.world), backbone, _kept(root, variant.world))
    adapter = fresh_pair(backbone, 0, use_can=True)
    model = MagicMirrorModel(backbone.transformer, adapter, variant.trained)
    rules = load_profile(root, "tiny").pretrain
    learn(model, backbone, Lesson(backbone, samples, rules, scale.course.batch, 0), scale.course)
    return adapter.eval()


def _kept(root: Path, world: World) -> Path:
    return root / "work" / "reproduce" / f"clips-{world.name}.safetensors"


def _samples(backbone: Backbone, world: World, *, scale: WorldStudy, root: Path) -> None:
    """Encode a world's clips where they are not kept; two trainings read those of dusk."""
    encoded(scale.crowd(world), backbone, _kept(root, world))


def _true(scale: WorldStudy, world: World) -> np.ndarray:
    """What the same prompts and people look like in a world, as drawn."""
    return np.stack([target_of(scale.crowd(world), seed, 0)[0] for seed in scale.seeds])


def measured(clips: np.ndarray) -> dict[str, float]:
    """Of clips uint8 `[N,F,H,W,3]`: mean brightness and mean blue minus red (0 to 255), sharpness
    (mean absolute Laplacian of the grey) and motion (mean absolute change from frame to frame).
    """
    values = clips.astype(np.float32)
    grey = values.mean(-1)
    edges = [np.abs(cv2.Laplacian(one, cv2.CV_32F)).mean() for clip in grey for one in clip]
    found = {
        "brightness": grey.mean(),
        "blueness": (values[..., 2] - values[..., 0]).mean(),
        "sharpness": np.mean(edges),
        "motion": np.abs(np.diff(values, axis=1)).mean(),
    }
    return {name: round(float(value), 3) for name, value in found.items()}


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Mean correlation of the grey of two sets of clips, clip by clip: 1 is one layout, 0 is none.

    Brightness and contrast, which a world changes, take no part.
    """
    pairs = zip(one, other, strict=True)
    values = [np.corrcoef(a.mean(-1).ravel(), b.mean(-1).ravel())[0, 1] for a, b in pairs]
    return round(float(np.mean(values)), 4)


def summary(clips: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> Document:
    """The measures of all; `place` of each variant between the worlds (0: day, 1: dusk); and how
    far the layouts of two variants are one (`layout`), beside that of different people.
    """
    numbers = {name: measured(one) for name, one in {**true, **clips}.items()}
    day, dusk = numbers[DAY.name], numbers[DUSK.name]
    place = {
        name: {
            what: round((numbers[name][what] - day[what]) / (dusk[what] - day[what]), 3)
            for what in MEASURES
        }
        for name in clips
    }
    first, second = (clips[one.name] for one in VARIANTS[:2])
    layout = {
        "modulation, day to dusk": alike(first, second),
        "the same with another person's clip": alike(first, np.roll(second, 1, axis=0)),
    }
    return {"measures": numbers, "place": place, "layout": layout}
