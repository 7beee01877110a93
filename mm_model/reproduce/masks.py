"""Magic-Me's ablation of prompt-to-segmentation, with true masks: is the background in the tokens?

Held-out drawn people are learned twice from the same photographs, noise and steps: with the true
mask of each, and with everything counted. Clips of both are compared, from equal noise. The paper
says that without segmentation the background enters the tokens, and that smoothness rises because
motion vanishes. Source: Magic-Me (arXiv 2402.09368), its ablation of prompt-to-segmentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mm_model.embedded.objects.example import PERSON, DrawnSubject
from mm_model.embedded.objects.things import Pictured
from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.metrics.pixels import hsv_histogram
from mm_model.metrics.subject import SubjectClip, measured
from mm_model.reproduce.alike import Likeness, shipped_judges
from mm_model.reproduce.claims import Claim
from mm_model.reproduce.drawn_tokens import TokenLearning
from mm_model.reproduce.results import Shelf
from mm_model.reproduce.subjects import strip_of_frames
from mm_model.settings import Profile, load_profile
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.vcd.animate import Take
from mm_model.vcd.augment import plain
from mm_model.vcd.bases import open_base
from mm_model.vcd.cog_clips import CogAnimator
from mm_model.vcd.tokens import placeholder_of

if TYPE_CHECKING:
    from mm_model.vcd.cogvideox import CogVideoX

NAME = "masks"
VERSION = 1
"""Raised when equal settings give another result."""

LEARNED, ASIDE = 8, 4
BASE, MASKED, WHOLE = "base", "masks", "no masks"
ONE, OWN = "one place", "places of their own"

_SIDE, _FPS = 128, 8.0
_OUTSIDE = 0.1
"""Ground is where at most this share of the photographs shows the person."""

_MOVING = ("frame_change", "proxy_frame_ssim", "proxy_dynamic_degree_margin")


@dataclass(frozen=True)
class MasksStudy:
    """Held-out adults by the seeds of `DrawnSubject`: none of those on whom values were chosen.

    places: photographs all of one place (as taken on one day), or each in a place of its own.
    """

    people: tuple[int, ...] = (8, 9, 10, 11, 12, 13)
    places: tuple[str, ...] = (ONE,)
    sentences: tuple[str, ...] = (
        "{} smiles",
        "{} nods",
        "{} turns the head to the left",
        "{} talks",
    )
    frames: int = 9
    seed: int = 10


CLAIMS = (
    Claim("without masks the background is in the tokens", "ground", up=True),
    Claim("without masks smoothness rises", "proxy_frame_ssim", up=True),
    Claim("without masks motion falls", "frame_change", up=False),
)


@dataclass(frozen=True, eq=False)
class _Bench:
    """What everybody is learned on, shown by and judged with."""

    profile: Profile
    base: CogVideoX
    animator: CogAnimator
    likeness: Likeness
    study: MasksStudy

    def seen(self, photographs: Sequence[Pictured]) -> list[Pictured]:
        """Photographs at the clips' size."""
        views = [plain(one.image, one.mask, self.base.size) for one in photographs]
        return [Pictured(view.pixels, view.mask) for view in views]

    def photographs(self, seed: int, places: str) -> list[Pictured]:
        """Those that the person is learned from."""
        who = DrawnSubject(PERSON, seed)
        return who.photographs(LEARNED, _SIDE, one_place=places == ONE)


def reproduce(root: Path, processes: int = 2, study: MasksStudy | None = None) -> Shelf:
    """Write `masks.json` and `masks.png`; returns where they lie. Resumes by person and place."""
    study = study or MasksStudy()
    torch.set_num_threads(max(1, processes))
    profile = load_profile(root, "tiny")
    opened = open_base(root / "weights" / "tiny" / "backbone", profile)
    base: Any = opened.base
    likeness, judges = shipped_judges(root, profile)
    bench = _Bench(profile, base, CogAnimator(base), likeness, study)
    likeness.enrol({seed: _aside(bench, seed) for seed in study.people})
    values = profile.subject.for_backbone().model_dump(mode="json", exclude={"on_backbone"})
    setting = {"study": asdict(study), "subject": values}
    decisive = {k: v for k, v in asdict(study).items() if k != "places"}  # a part has one place
    asked = [profile.serve.default_steps, profile.serve.default_guidance]
    packs = [likeness.judges[name].digest for name in sorted(likeness.judges)]
    shelf = Shelf(
        root / "work" / "reproduce" / NAME,
        NAME,
        digests.of_value([VERSION, decisive, values, asked, opened.digest, packs]),
    )
    parts = [_part(bench, shelf, seed, where) for where in study.places for seed in study.people]
    from mm_model.reproduce import plots

    notes = {"judges": {one.name: one.title for one in judges.judges}, "notes": judges.notes}
    shown = parts[: len(study.people)]
    shelf.write({**setting, **notes, **_figures(study, parts)}, plots.masked(shown))
    return shelf


def _aside(bench: _Bench, seed: int) -> list[np.ndarray]:
    """Photographs that nothing is learned from, each in a place of its own."""
    found = DrawnSubject(PERSON, seed).photographs(LEARNED + ASIDE, _SIDE)[LEARNED:]
    return [one.image for one in bench.seen(found)]


def _part(bench: _Bench, shelf: Shelf, seed: int, places: str) -> Document:
    """One person in photographs of some places; from the shelf where it was finished before."""
    name = f"{PERSON}-{seed}"
    key = f"{name}-{places.replace(' ', '-')}"
    if (kept := shelf.part(key)) is not None:
        return kept
    shown = bench.photographs(seed, places)
    clips = {BASE: _clips(bench, seed, None)}
    for variant in (MASKED, WHOLE):
        tokens = _tokens(bench, shelf, f"{key}-{variant.replace(' ', '-')}", (seed, shown, variant))
        clips[variant] = _clips(bench, seed, tokens)
    part = {
        "name": name,
        "places": places,
        "scores": {
            variant: _scores(bench, seed, places, found) for variant, found in clips.items()
        },
        "shown": strip_of_frames(bench.seen(shown), list(clips.values())),
    }
    shelf.keep(key, part)
    return part


def _tokens(
    bench: _Bench, shelf: Shelf, key: str, what: tuple[int, Sequence[Pictured], str]
) -> Any:
    seed, shown, variant = what
    values = bench.profile.subject.for_backbone()
    by = TokenLearning(bench.base, shelf.origin, values, bench.profile.run.seed)
    who, work = DrawnSubject(PERSON, seed), shelf.folder / "learning" / key
    name = f"{PERSON}-{seed}"
    found = by.learned((name, who.word), shown, work, title=key, masked=variant == MASKED)
    return found.tokens


def _clips(bench: _Bench, seed: int, tokens: Any) -> list[np.ndarray]:
    """A clip a sentence, with the tokens or without, from the same noise."""
    study, serve, word = bench.study, bench.profile.serve, DrawnSubject(PERSON, seed).word
    article = "an" if word[0] in "aeiou" else "a"
    name = "" if tokens is None else f" {placeholder_of(f'{PERSON}-{seed}')}"
    return [
        bench.animator.clip(
            Take(
                sentence.format(f"{article}{name} {word}"),
                study.seed + place,
                frames=study.frames,
                height=bench.base.size,
                width=bench.base.size,
                steps=serve.default_steps,
                guidance=serve.default_guidance,
            ),
            tokens,
        )
        for place, sentence in enumerate(study.sentences)
    ]


def _scores(bench: _Bench, seed: int, places: str, clips: list[np.ndarray]) -> Document:
    """Ground, motion and smoothness of clips of one kind, and whom they are like."""
    frames = np.concatenate(clips)
    ours = [measured(SubjectClip(frames=clip, fps=_FPS)).values for clip in clips]
    grounds = {
        str(other): ground_alike(frames, bench.seen(bench.photographs(other, places)))
        for other in bench.study.people
    }
    strangers = [value for who, value in grounds.items() if who != str(seed)]
    return {
        "ground": grounds[str(seed)] - float(np.mean(strangers)),
        "grounds": grounds,
        **{name: _mean([one[name] for one in ours]) for name in _MOVING},
        "identity": {judge: told[str(seed)] for judge, told in bench.likeness.of(clips).items()},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return float(np.mean(known)) if known else None


def ground_alike(frames: np.ndarray, photographs: Sequence[Pictured]) -> float:
    """Intersection, 0 to 1, of HSV histograms of what lies around: of photographs outside their
    masks, and of frames `[F,H,W,3]` where hardly any photograph shows the subject.
    """
    masks = np.stack([one.mask for one in photographs])
    where = masks.mean(axis=0) <= _OUTSIDE
    theirs = np.mean([hsv_histogram(one.image, ~one.mask) for one in photographs], axis=0)
    return float(np.mean([np.minimum(hsv_histogram(one, where), theirs).sum() for one in frames]))


def _figures(study: MasksStudy, parts: Sequence[Document]) -> Document:
    """Means and changes over people, and what is to be said of each claim."""
    found: Document = {"places": {}}
    for places in study.places:
        chosen = [part["scores"] for part in parts if part["places"] == places]
        measures = {name: [_named(one, name) for one in chosen] for name in ("ground", *_MOVING)}
        judges = list(chosen[0][BASE]["identity"])
        measures |= {f"identity, {j}": [_named(one, j) for one in chosen] for j in judges}
        rows = {name: _row(values) for name, values in measures.items()}
        claims = [
            {"claim": one.says, "verdict": one.verdict(rows[one.name]["change without masks"])}
            for one in CLAIMS
        ]
        found["places"][places] = {"measures": rows, "claims": claims}
    found["people"] = [{k: v for k, v in part.items() if k != "shown"} for part in parts]
    return found


def _named(scores: Document, name: str) -> dict[str, float | None]:
    """A measure, or a judge's cosine, by variant."""
    return {
        variant: one[name] if name in one else one["identity"][name]
        for variant, one in scores.items()
    }


def _row(values: Sequence[dict[str, float | None]]) -> Document:
    by = {variant: [one[variant] for one in values] for variant in (BASE, MASKED, WHOLE)}
    return {
        **{variant: mean_interval(one) for variant, one in by.items()},
        "change without masks": paired_interval(by[WHOLE], by[MASKED]),
        "change by masks": paired_interval(by[MASKED], by[BASE]),
    }
