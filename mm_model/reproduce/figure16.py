"""Figures 16 and 17: what else the trained model makes of one held-out person.

Clips from one photograph and from four, pictures, shots of several sentences, and a sentence with
words of style. Shots that share a seed begin from equal noise: how alike they look is measured
against shots of equal sentences with seeds of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mm_model.embedded.people.caption import caption
from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.embedded.people.split import HELD_OUT_PEOPLE
from mm_model.facepack.port import Face
from mm_model.generation.backbone import given_adapter, load_backbone
from mm_model.generation.clips import Sampling, pipeline_of
from mm_model.methods.magic_mirror import MagicMirror
from mm_model.methods.port import Shot
from mm_model.nn.identity.portrait import Photograph
from mm_model.nn.identity.subject import MOST_REFERENCES, unknown_words
from mm_model.nn.injection import files
from mm_model.reproduce import plots
from mm_model.reproduce.figure9 import trained_adapter
from mm_model.reproduce.people import SIZE, weights_of
from mm_model.reproduce.results import Shelf
from mm_model.settings import load_profile
from mm_model.store import digests

NAME = "figure16"
VERSION = 1
"""Raised when equal settings give another result."""

_STREAM, _MOST_TURNED = 0x16, 20.0
_CORNER = 8
"""Side in pixels of the upper corners, where the ground behind a person is seen."""
_ADULTS = ("man", "woman", "elderly man", "elderly woman")


@dataclass(frozen=True)
class UsesStudy:
    """`people` held-out adults do `actions` (names of `embedded.people.action.ACTIONS`) in clips of
    `frames`, by `steps` of the solver (None: as it is served). `style` is put behind a sentence.
    """

    people: int = 7
    actions: tuple[str, ...] = ("smiles", "nods", "turns left")
    style: str = ", art nouveau style"
    frames: int = 9
    steps: int | None = None
    seed: int = 7


@dataclass(frozen=True, eq=False)
class ShownUse:
    """One row of the picture: the photographs that were shown, and frames `[N,H,W,3]`."""

    name: str
    photographs: Sequence[np.ndarray]
    frames: np.ndarray


@dataclass(eq=False)
class _Bench:
    """The loaded method, and how it samples."""

    method: MagicMirror
    sampling: Sampling
    study: UsesStudy
    tokenizer: Any

    def made(
        self, shown: Sequence[Photograph], prompts: Sequence[str], seeds: Sequence[int], frames: int
    ) -> list[np.ndarray]:
        """A shot a sentence, one by one, of the one person."""
        somebody = self.method.enroll(shown)
        pairs = zip(prompts, seeds, strict=True)
        asked = [
            Shot(prompt=prompt, seed=seed, num_frames=frames, height=SIZE, width=SIZE)
            for prompt, seed in pairs
        ]
        return [
            clip
            for shot in asked
            for clip in self.method.generate([somebody], [shot], self.sampling)
        ]


def reproduce(root: Path, processes: int = 2, study: UsesStudy | None = None) -> Shelf:
    """Write `figure16.json` and `figure16.png` from a trained adapter; returns where they lie.

    It is that of `make run` (profile tiny), else the one that `make figure8` keeps.
    """
    study = study or UsesStudy()
    folder, whose = trained_adapter(root, processes)
    profile = load_profile(root, "tiny")
    torch.set_num_threads(1)
    backbone = load_backbone(root / "weights" / "tiny" / "backbone", profile.run)
    adapter = given_adapter(folder, backbone)
    sampling = Sampling(
        steps=study.steps or profile.serve.default_steps,
        guidance=profile.serve.default_guidance,
        face_guidance=profile.evaluate.face_guidance,
    )
    bench = _Bench(MagicMirror(pipeline_of(backbone, adapter)), sampling, study, backbone.tokenizer)
    crowd = adults(study.people)
    looks = [_looks(bench, seed) for seed in crowd]
    said = {
        "setting": asdict(study),
        "adapter": {
            "from": whose,
            "stage": adapter.config.stage,
            "step": adapter.config.step,
            "sha256": files.sha256_file(folder / "adapter" / files.WEIGHTS_NAME),
        },
        "people": crowd,
        "shots": {name: _mean([one[name] for one in looks]) for name in looks[0]},
        "unknown": list(
            unknown_words(bench.tokenizer, _sentences(crowd[0], study)[0] + study.style)
        ),
    }
    origin = digests.of_value([VERSION, said["setting"], weights_of(backbone)])
    shelf = Shelf(root / "work" / "reproduce" / NAME, NAME, origin)
    shelf.write(said, plots.uses(rows(bench, crowd), SIZE))
    return shelf


def adults(number: int) -> list[int]:
    """Seeds of the first held-out adults."""
    return [seed for seed in HELD_OUT_PEOPLE if person(seed).category in _ADULTS][:number]


def photographs_of(seed: int, number: int = MOST_REFERENCES) -> list[Photograph]:
    """Photographs of the person of this seed that show the face from the front."""
    rng = np.random.default_rng([_STREAM, seed])
    found: list[Photograph] = []
    while len(found) < number:
        drawn = photograph(person(seed), rng, 2 * SIZE)
        if drawn.visible and abs(drawn.pose.yaw) < _MOST_TURNED:
            found.append(Photograph(drawn.image, Face(drawn.box, 1.0, drawn.landmarks)))
    return found


def rows(bench: _Bench, crowd: Sequence[int]) -> list[ShownUse]:
    """What the picture shows, row by row."""
    study, first = bench.study, crowd[0]
    four, words = photographs_of(first), _sentences(first, bench.study)
    one, same = four[:1], [study.seed] * len(words)
    own = [study.seed + number for number in range(len(words))]
    stills = bench.made(one, words * 2, same + [study.seed + 1] * len(words), 1)
    found = [
        _row("one photograph", one, bench.made(one, words[:1], same[:1], study.frames)[0]),
        _row("four photographs", four, bench.made(four, words[:1], same[:1], study.frames)[0]),
        _row("pictures, two seeds", one, _joined(stills, 1)),
        _row("shots, one seed", one, _joined(bench.made(one, words, same, study.frames), 2)),
        _row("shots, three seeds", one, _joined(bench.made(one, words, own, study.frames), 2)),
    ]
    styled = bench.made(one, [words[0] + study.style], same[:1], study.frames)[0]
    return [*found, _row(f"'{study.style.strip(', ')}'", one, styled)]


def _row(name: str, shown: Sequence[Photograph], frames: np.ndarray) -> ShownUse:
    return ShownUse(name, [one.pixels for one in shown], frames)


def _joined(clips: Sequence[np.ndarray], each: int) -> np.ndarray:
    """`each` frames of every clip, spread from the first to the last."""
    return np.concatenate(
        [clip[np.linspace(0, len(clip) - 1, each).round().astype(int)] for clip in clips]
    )


def _sentences(seed: int, study: UsesStudy) -> list[str]:
    return [caption(person(seed), action) for action in study.actions]


def _looks(bench: _Bench, seed: int) -> dict[str, float]:
    """How far the shots of one person differ: from equal noise, and each from its own."""
    study = bench.study
    shown, words = photographs_of(seed, 1), _sentences(seed, study)
    same = bench.made(shown, words, [study.seed] * len(words), study.frames)
    own = bench.made(shown, words, [study.seed + n for n in range(len(words))], study.frames)
    styled = bench.made(shown, [words[0] + study.style], [study.seed], study.frames)
    found = {}
    for name, shots in (
        ("one seed", same),
        ("own seeds", own),
        ("style words", [same[0], *styled]),
    ):
        pairs = list(combinations(shots, 2))
        found[f"ground, {name}"] = float(np.mean([ground_apart(a, b) for a, b in pairs]))
        found[f"layout, {name}"] = float(np.mean([layout_alike(a, b) for a, b in pairs]))
    return found


def ground_apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of the colours in the upper corners of two clips, of 255 levels."""
    corners = [
        np.stack([clip[:, :_CORNER, :_CORNER], clip[:, :_CORNER, -_CORNER:]]).mean((1, 2, 3))
        for clip in (one, other)
    ]
    return float(np.abs(corners[0] - corners[1]).mean())


def layout_alike(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of the grey of two clips: 1 is one layout, 0 is none."""
    return float(np.corrcoef(one.mean(-1).ravel(), other.mean(-1).ravel())[0, 1])


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)
