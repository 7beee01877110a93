"""Magic-Me's noise prior: motion and identity of clips against gamma, on the embedded default.

The same held-out people, sentences and noise at each gamma; Magic Mirror makes the clips. Source:
Magic-Me (arXiv 2402.09368), section 4.1.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mm_model.embedded.people.caption import caption
from mm_model.embedded.people.people import person
from mm_model.facepack.port import open_judge, open_pack
from mm_model.generation.backbone import given_adapter, load_backbone
from mm_model.generation.clips import Sampling, pipeline_of
from mm_model.methods.magic_mirror import MagicMirror
from mm_model.methods.port import Shot
from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.metrics.pixels import frame_change
from mm_model.nn.injection import files
from mm_model.reproduce import plots
from mm_model.reproduce.alike import Likeness
from mm_model.reproduce.figure9 import trained_adapter
from mm_model.reproduce.figure16 import adults, photographs_of
from mm_model.reproduce.people import SIZE, weights_of
from mm_model.reproduce.results import Shelf
from mm_model.settings import load_profile
from mm_model.store import digests
from mm_model.store.atomic import Document

NAME = "gamma"
VERSION = 2
"""Raised when equal settings give another result."""

_JUDGE = "house"


@dataclass(frozen=True)
class PriorStudy:
    """`people` held-out adults do `actions` at each of `gammas`, by `steps` of the solver (None: as
    it is served).
    """

    people: int = 7
    actions: tuple[str, ...] = ("smiles", "nods", "turns left")
    gammas: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
    steps: int | None = None
    seed: int = 7


def reproduce(root: Path, processes: int = 2, study: PriorStudy | None = None) -> Shelf:
    """Write `gamma.json` and `gamma.png` from a trained adapter; returns where they lie.

    It is that of `make run` (profile tiny), else the one that `make figure8` keeps. Resumes by
    person.
    """
    study = study or PriorStudy()
    folder, whose = trained_adapter(root, processes)
    torch.set_num_threads(1)
    bench = _Bench(root, folder, study)
    made_by = files.sha256_file(folder / "adapter" / files.WEIGHTS_NAME)
    setting = asdict(study) | {"sampling": asdict(bench.sampling)}
    shelf = Shelf(
        root / "work" / "reproduce" / NAME,
        NAME,
        digests.of_value([VERSION, setting, bench.weights, made_by]),
    )
    parts = [_part(bench, shelf, seed) for seed in adults(study.people)]
    rows = _figures(study, parts)
    said = {
        "setting": setting,
        "adapter": {"from": whose, "sha256": made_by},
        "people": adults(study.people),
        "by_gamma": rows,
    }
    shelf.write(said, plots.noise_prior(rows))
    return shelf


class _Bench:
    """The loaded method, and who judges."""

    def __init__(self, root: Path, folder: Path, study: PriorStudy) -> None:
        profile = load_profile(root, "tiny")
        backbone = load_backbone(root / "weights" / "tiny" / "backbone", profile.run)
        size = profile.faces.detection_size
        self.study, self.weights = study, weights_of(backbone)
        self.method = MagicMirror(pipeline_of(backbone, given_adapter(folder, backbone)))
        self.sampling = Sampling(
            steps=study.steps or profile.serve.default_steps,
            guidance=profile.serve.default_guidance,
            face_guidance=profile.evaluate.face_guidance,
        )
        self.frames = profile.model.num_frames
        pack = open_pack(root / "weights/tiny/facepack/models/tiny", size, 1)
        judge = open_judge(root / "weights/tiny/judge/models/judge", size)
        self._likeness = Likeness(pack, {_JUDGE: judge})
        self._likeness.enrol(
            {seed: [one.pixels for one in photographs_of(seed)] for seed in adults(study.people)}
        )

    def clips(self, seed: int, gamma: float) -> list[np.ndarray]:
        """A clip an action of the person `seed`, from one photograph."""
        somebody = self.method.enroll(photographs_of(seed, 1))
        sampling = replace(self.sampling, gamma=gamma)
        shots = [
            Shot(
                prompt=caption(person(seed), action),
                seed=self.study.seed + number,
                num_frames=self.frames,
                height=SIZE,
                width=SIZE,
            )
            for number, action in enumerate(self.study.actions)
        ]
        return list(self.method.generate([somebody], shots, sampling))

    def identity(self, seed: int, clips: list[np.ndarray]) -> float | None:
        """Mean cosine of the faces with four photographs; None without a face."""
        return self._likeness.of(clips)[_JUDGE][str(seed)]


def _part(bench: _Bench, shelf: Shelf, seed: int) -> Document:
    if known := shelf.part(str(seed)):
        return known
    part: Document = {}
    for gamma in bench.study.gammas:
        clips = bench.clips(seed, gamma)
        part[str(gamma)] = {
            "motion": float(np.mean([frame_change(clip) for clip in clips])),
            "identity": bench.identity(seed, clips),
        }
    shelf.keep(str(seed), part)
    return part


def _figures(study: PriorStudy, parts: list[Document]) -> list[Document]:
    """Per gamma the means over people and how far they are from gamma 0, with intervals."""
    plain = str(study.gammas[0])
    rows = []
    for gamma in study.gammas:
        row: Document = {"gamma": gamma}
        for name in ("motion", "identity"):
            values = [part[str(gamma)][name] for part in parts]
            before = [part[plain][name] for part in parts]
            row[name] = mean_interval(values)
            row[f"{name}, change"] = paired_interval(values, before)
        rows.append(row)
    return rows
