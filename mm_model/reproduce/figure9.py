"""Figure 9: do the scales of the modulation tell layers apart, or timesteps?

A point is the scale vector sigma (of both norms) at one layer and one timestep; with CAN also for
one person. The silhouettes are of the vectors themselves, not of the picture that t-SNE draws.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mm_model.embedded.people.split import HELD_OUT_PEOPLE
from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone, given_adapter, load_backbone
from mm_model.generation.clips import features_of
from mm_model.nn.injection import files
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.reproduce import figure8, plots
from mm_model.reproduce.people import MARGIN, references_of, weights_of
from mm_model.reproduce.results import Shelf
from mm_model.settings import load_profile
from mm_model.store import digests

NAME = "figure9"
VERSION = 1


@dataclass(frozen=True)
class ScaleStudy:
    """`timesteps` evenly spread over the schedule, `people` of the held-out ones, the seed of t-SNE
    and its perplexity. Timesteps are compared in `spans` of equal length.
    """

    timesteps: int = 24
    people: int = 7
    spans: int = 6
    seed: int = 0
    perplexity: float = 30.0


@dataclass(frozen=True, eq=False)
class ScalePoints:
    """Points `[N,2d]` with what each is: modality, layer, timestep, person (-1: nobody)."""

    points: np.ndarray
    modality: np.ndarray
    layer: np.ndarray
    timestep: np.ndarray
    person: np.ndarray

    def of(self, modality: str) -> ScalePoints:
        """Those of one modality."""
        rows = self.modality == modality
        return ScalePoints(
            self.points[rows],
            self.modality[rows],
            self.layer[rows],
            self.timestep[rows],
            self.person[rows],
        )


MODALITIES = ("face", "text", "video", "text with CAN", "video with CAN")


def reproduce(root: Path, processes: int = 2, choice: ScaleStudy | None = None) -> Shelf:
    """Write `figure9.json` and `figure9.png` from a trained adapter; returns where they lie.

    It is that of `make run` (profile tiny), else the one that `make figure8` keeps, which is made
    where it is missing.
    """
    choice = choice or ScaleStudy()
    folder, whose = trained_adapter(root, processes)
    torch.set_num_threads(1)
    backbone = load_backbone(root / "weights" / "tiny" / "backbone", load_profile(root, "tiny").run)
    adapter = given_adapter(folder, backbone)
    if not isinstance(adapter, MagicMirrorAdapter) or not adapter.config.use_can:
        raise UserError(f"{folder} holds an adapter without CAN: figure 9 needs one that has it.")
    scales = collected(backbone, adapter, choice)
    placed = embedded(scales.points, choice)
    said = {
        "setting": asdict(choice),
        "adapter": {
            "from": whose,
            "stage": adapter.config.stage,
            "step": adapter.config.step,
            "sha256": files.sha256_file(folder / "adapter" / files.WEIGHTS_NAME),
        },
        "points": {name: len(scales.of(name).points) for name in MODALITIES},
        "silhouettes": {name: silhouettes(scales.of(name), choice.spans) for name in MODALITIES},
        "shift": shifts(scales),
    }
    origin = digests.of_value([VERSION, said["setting"], weights_of(backbone)])
    shelf = Shelf(root / "work" / "reproduce" / NAME, NAME, origin)
    shelf.write(said, plots.scales(scales, placed, said))
    return shelf


def trained_adapter(root: Path, processes: int = 2) -> tuple[Path, str]:
    """The folder above `adapter/` of a trained adapter, and what trained it."""
    run = root / "data" / "tiny" / "finetune"
    if (run / "adapter" / files.CONFIG_NAME).is_file():
        return run, "make run"
    kept = figure8.adapter_folder(root)
    if not (kept / files.CONFIG_NAME).is_file():
        figure8.reproduce(root, processes)
    return kept.parent, "make figure8"


@torch.no_grad()
def collected(backbone: Backbone, adapter: MagicMirrorAdapter, choice: ScaleStudy) -> ScalePoints:
    """The scales of all layers at all timesteps: of the base, of the face, and with CAN."""
    transformer = backbone.transformer
    times = torch.linspace(0, len(backbone.schedule) - 1, choice.timesteps).round().long()
    seeds = range(HELD_OUT_PEOPLE.start, HELD_OUT_PEOPLE.start + choice.people)
    seen = features_of(backbone, [references_of(seed) for seed in seeds], MARGIN)
    code = adapter.encode_identity(seen).id_code
    base = transformer.modulation_table(times)
    ours = transformer.modulation_table(times, code)
    parts: list[tuple[Tensor, str, int, list[int]]] = []
    for layer, plain in enumerate(base.base):
        parts.append((_sigma(plain, "video", 12), "video", layer, [-1]))
        parts.append((_sigma(plain, "text", 12), "text", layer, [-1]))
        if str(layer) not in adapter.layers:
            continue
        for modality in ("video", "text"):
            moved = _sigma(ours.base[layer], modality, 12)
            parts.append((moved, f"{modality} with CAN", layer, list(seeds)))
        face = ours.face[layer]
        if face is not None:
            parts.append((_sigma(face, "face", 6), "face", layer, [-1]))
    return _joined(parts, times)


def _sigma(modulation: Tensor, modality: str, chunks: int) -> Tensor:
    """The scales of both norms `[T,B,2d]` out of `modulation [T,B,chunks*d]`."""
    # CogVideoXLayerNormZero's order: shift, scale, gate of the video, then of the text.
    first = 4 if modality == "text" else 1
    found = modulation.chunk(chunks, dim=-1)
    return torch.cat([found[first], found[first + chunks // 2]], dim=-1)


def _joined(parts: list[tuple[Tensor, str, int, list[int]]], times: Tensor) -> ScalePoints:
    points, modality, layer, timestep, person = [], [], [], [], []
    for scale, name, number, people in parts:
        points.append(scale.flatten(0, 1).float().numpy())
        rows = scale.shape[0] * scale.shape[1]
        modality += [name] * rows
        layer += [number] * rows
        timestep += times.repeat_interleave(scale.shape[1]).tolist()
        person += people * scale.shape[0]
    return ScalePoints(
        np.concatenate(points),
        np.array(modality),
        np.array(layer),
        np.array(timestep),
        np.array(person),
    )


def silhouettes(scales: ScalePoints, spans: int) -> dict[str, float | None]:
    """Mean silhouette of one modality's points, from -1 to 1, by three ways to sort them.

    `layer`; `timestep`, in `spans` of equal length; `person`, a mean over layers, within each of
    which CAN may tell people apart. None where there are fewer than two sorts. Near 1 the sorts are
    clusters, near 0 and below they are not.
    """
    edges = np.linspace(scales.timestep.min(), scales.timestep.max() + 1, spans + 1)
    return {
        "layer": _silhouette(scales.points, scales.layer),
        "timestep": _silhouette(scales.points, np.digitize(scales.timestep, edges)),
        "person": _within_layers(scales),
    }


def _within_layers(scales: ScalePoints) -> float | None:
    found = []
    for layer in np.unique(scales.layer):
        rows = scales.layer == layer
        found.append(_silhouette(scales.points[rows], scales.person[rows]))
    told = [value for value in found if value is not None]
    return round(float(np.mean(told)), 4) if told else None


def _silhouette(points: np.ndarray, labels: np.ndarray) -> float | None:
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(labels)) < len(points):
        return None
    return round(float(silhouette_score(points, labels)), 4)


def shifts(scales: ScalePoints) -> dict[str, dict[str, float]]:
    """How far CAN moves the scales from the base's, in standard deviations of the base's points.

    `length` is the mean length of the shift, and `shared` the part of its square that is one and
    the same for all people and timesteps of a layer: near 1 it is a constant, not a person.
    """
    found = {}
    for modality in ("video", "text"):
        base, moved = scales.of(modality), scales.of(f"{modality} with CAN")
        rows = zip(base.layer, base.timestep, base.points, strict=True)
        places = {(int(n), int(t)): point for n, t, point in rows}
        keys = zip(moved.layer, moved.timestep, strict=True)
        change = moved.points - np.stack([places[int(n), int(t)] for n, t in keys])
        unit = float(np.sqrt(base.points.var(0).sum()))
        means = {n: change[moved.layer == n].mean(0) for n in np.unique(moved.layer)}
        shared = np.mean([np.square(means[n]).sum() for n in moved.layer])
        whole = float(np.square(change).sum(1).mean())
        found[modality] = {
            "length": round(float(np.linalg.norm(change, axis=1).mean()) / unit, 4),
            "shared": round(float(shared) / whole, 4) if whole else 1.0,
        }
    return found


def embedded(points: np.ndarray, choice: ScaleStudy) -> np.ndarray:
    """`[N,2]` by t-SNE, seeded."""
    from sklearn.manifold import TSNE

    perplexity = min(choice.perplexity, (len(points) - 1) / 3)
    made = TSNE(2, perplexity=perplexity, init="pca", random_state=choice.seed)
    return made.fit_transform(points)
