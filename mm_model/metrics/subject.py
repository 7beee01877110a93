"""What is measured of any clip of a subject, with a face or without: Magic-Me's metrics.

CLIP-I, DINO, CLIP-T and temporal smoothness need the networks of somebody who has them; without,
they are null with the reason, and proxies stand beside them under names of their own. Smoothness is
highest where nothing moves, so motion is always told with it. Source: Magic-Me (arXiv 2402.09368),
section 5.2; conventions by DreamBooth, motion by VBench.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from mm_model.metrics import pixels
from mm_model.metrics.port import Column, Values

Pictures = Sequence[np.ndarray]
Embed = Callable[[Pictures], np.ndarray]
"""Unit vectors float32 `[N,E]` of RGB uint8 pictures `[H,W,3]`."""

_PAIRS = "mean over all pairs of a frame and a photograph, whole pictures"

CLIP_I, DINO_I, CLIP_T, SMOOTH = "clip_i", "dino_i", "clip_t", "temporal_smoothness"

COLUMNS = (
    Column(
        name=CLIP_I,
        meaning="cosine of CLIP's embeddings of frames and photographs",
        better="higher",
        least=-1,
        most=1,
        convention=_PAIRS,
    ),
    Column(
        name=DINO_I,
        meaning="cosine of DINO's CLS features of frames and photographs",
        better="higher",
        least=-1,
        most=1,
        convention=_PAIRS,
    ),
    Column(
        name=CLIP_T,
        meaning="cosine of CLIP's embeddings of frames and the prompt",
        better="higher",
        least=-1,
        most=1,
        convention="mean over frames, a cosine and not 100 times it, 77 tokens at most",
    ),
    Column(
        name=SMOOTH,
        meaning="cosine of CLIP's embeddings of consecutive frames; 1 where nothing moves",
        least=-1,
        most=1,
        convention="mean over consecutive frames",
    ),
    Column(
        name="frame_change",
        meaning="mean change of a pixel from frame to frame",
        unit="of 255",
        least=0,
        most=255,
    ),
)
PROXIES = (
    Column(
        name="proxy_hsv_similarity",
        meaning="correlation of HSV histograms of frames and photographs",
        better="higher",
        least=-1,
        most=1,
        convention=_PAIRS,
    ),
    Column(
        name="proxy_hog_similarity",
        meaning="cosine of histograms of oriented gradients of frames and photographs",
        better="higher",
        least=0,
        most=1,
        convention=_PAIRS + ", centred squares of 64 pixels",
    ),
    Column(
        name="proxy_frame_ssim",
        meaning="structural similarity of consecutive frames; 1 where nothing moves",
        least=-1,
        most=1,
        convention="mean over consecutive frames, greys",
    ),
    Column(
        name="proxy_dynamic_degree",
        meaning="1 where the clip moves by VBench's rule, with Farneback's flow for RAFT's",
        least=0,
        most=1,
        convention="6/256 of the shorter side at 8 frames a second; one step at least must",
    ),
    Column(
        name="proxy_dynamic_degree_margin",
        meaning="the step that decides it, over the threshold",
        least=0,
        convention="above 1 the clip moves",
    ),
)


@dataclass(frozen=True, kw_only=True)
class SubjectClip:
    """`frames` RGB uint8 `[T,H,W,3]` at `fps` a second, the subject's photographs `[H,W,3]`, and
    the sentence, if any.
    """

    frames: np.ndarray
    fps: float
    photographs: tuple[np.ndarray, ...] = ()
    prompt: str | None = None


@dataclass(frozen=True, kw_only=True)
class SubjectNetworks:
    """What embeds: each None where nobody gave it. `weights` are their digests, by name."""

    clip: Embed | None = None
    clip_words: Callable[[str], np.ndarray] | None = None
    dino: Embed | None = None
    weights: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SubjectMeasures:
    """`values` of every column, None where it cannot be had, and in `unavailable` why."""

    values: Values
    unavailable: dict[str, str]


_NO_CLIP = "no CLIP was given (--clip DIR)"
_NO_DINO = "no DINO was given (--dino DIR)"
_NO_PHOTOGRAPHS = "no photographs were given (--photos DIR)"
_NO_PROMPT = "no prompt was given (--prompt)"
_ONE_FRAME = "one frame has no next one"


def measured(seen: SubjectClip, networks: SubjectNetworks | None = None) -> SubjectMeasures:
    """Every column of one clip."""
    networks = networks or SubjectNetworks()
    found: dict[str, float | str | None] = {**_embedded(seen, networks), **_plain(seen)}
    values = {name: one if isinstance(one, float) else None for name, one in found.items()}
    return SubjectMeasures(values, {k: v for k, v in found.items() if isinstance(v, str)})


def _embedded(seen: SubjectClip, networks: SubjectNetworks) -> dict[str, float | str | None]:
    """The columns that need networks; a text says why one cannot be had."""
    shown, told = bool(seen.photographs), seen.prompt
    found: dict[str, float | str | None] = {}
    if networks.clip is None:
        found |= dict.fromkeys((CLIP_I, CLIP_T, SMOOTH), _NO_CLIP)
    else:
        frames = networks.clip(list(seen.frames))
        photographs = networks.clip(seen.photographs) if shown else None
        found[CLIP_I] = _NO_PHOTOGRAPHS if photographs is None else over_pairs(frames, photographs)
        words = networks.clip_words(told) if told and networks.clip_words else None
        found[CLIP_T] = _NO_PROMPT if words is None else over_pairs(frames, words[None])
        found[SMOOTH] = smoothness(frames) if len(frames) > 1 else _ONE_FRAME
    if networks.dino is None:
        found[DINO_I] = _NO_DINO
    elif not shown:
        found[DINO_I] = _NO_PHOTOGRAPHS
    else:
        found[DINO_I] = over_pairs(
            networks.dino(list(seen.frames)), networks.dino(seen.photographs)
        )
    return {name: found[name] for name in (CLIP_I, DINO_I, CLIP_T, SMOOTH)}


def _plain(seen: SubjectClip) -> dict[str, float | str | None]:
    """Motion, and the proxies."""
    frames, photographs = seen.frames, seen.photographs
    found: dict[str, float | str | None] = {}
    moving = len(frames) > 1
    found["frame_change"] = pixels.frame_change(frames) if moving else _ONE_FRAME
    found["proxy_hsv_similarity"] = found["proxy_hog_similarity"] = _NO_PHOTOGRAPHS
    if photographs:
        colours = [[pixels.hsv_histogram(one) for one in some] for some in (frames, photographs)]
        pairs = [pixels.correlation(a, b) for a in colours[0] for b in colours[1]]
        found["proxy_hsv_similarity"] = float(np.mean(pairs))
        shapes = [
            np.stack([pixels.gradients(pixels.small_square(one)) for one in some])
            for some in (frames, photographs)
        ]
        found["proxy_hog_similarity"] = over_pairs(*shapes)
    found["proxy_frame_ssim"] = frame_ssim(frames) if moving else _ONE_FRAME
    moves = pixels.dynamic_degree(frames, seen.fps)
    names = ("proxy_dynamic_degree", "proxy_dynamic_degree_margin")
    found |= zip(names, moves or ("too few frames at 8 a second",) * 2, strict=True)
    return found


def over_pairs(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Mean cosine of all pairs of unit vectors `[N,E]` and `[M,E]`."""
    return float((ours.astype(np.float64) @ theirs.astype(np.float64).T).mean())


def smoothness(frames: np.ndarray) -> float:
    """Mean cosine of consecutive unit vectors `[T,E]`; 1 where nothing moves."""
    ours = frames.astype(np.float64)
    return float((ours[:-1] * ours[1:]).sum(axis=1).mean())


def frame_ssim(frames: np.ndarray) -> float:
    """Mean structural similarity of consecutive frames `[T,H,W,3]`."""
    return float(np.mean([pixels.ssim(one, other) for one, other in pairwise(frames)]))
