"""The time-lapse: references beside the generated people, from step 0 to the end of training.

Made from the samples that both training stages leave; it generates nothing. WebP or GIF by suffix.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mm_model.errors import UserError, first_line
from mm_model.records import WATCHED_REFERENCES
from mm_model.report.training import step_of
from mm_model.settings import load_profile
from mm_model.store import documents, recovery
from mm_model.store.atomic import write_bytes
from mm_model.store.layout import Layout

STAGES = ("pretrain", "finetune")
SIDE = 128
_BAND, _GAP = 22, 6
_PAPER = (250, 250, 252)
_HOLD = 3  # the last moment is shown this many times


@dataclass(frozen=True)
class Moment:
    """One sampled step: the words below it, and per person the clip `[F,H,W,3]`."""

    words: str
    clips: list[np.ndarray]


def _rows(path: Path, people: int) -> np.ndarray:
    """A picture in which `people` stand below each other, as `[P,H,W,3]`."""
    try:
        picture = np.asarray(Image.open(path).convert("RGB"))
        return picture.reshape(people, -1, *picture.shape[1:])
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as a picture ({first_line(error)}): "
            f"{recovery.way_out_of(path)}."
        ) from error


def moments(layout: Layout) -> tuple[np.ndarray, list[Moment]]:
    """References `[P,H,W,3]` and the sampled steps of both stages in order.

    Raises:
        UserError: no stage has samples, or they were made for different people.
    """
    profile, references, found, people = load_profile(layout.root, layout.profile), None, [], None
    for stage in STAGES:
        samples = layout.output(stage) / "samples"
        if not (samples / WATCHED_REFERENCES).is_file():
            continue
        here = documents.read(samples / "people.json", kind=list)
        if people is not None and here != people:
            raise UserError(f"{samples} shows other people than the stage before: run both again.")
        people = here
        references = _rows(samples / WATCHED_REFERENCES, len(people))
        frames = getattr(profile, stage).sample_frames
        for path in sorted(samples.glob("step_*.strip.jpg")):
            clips = [np.stack(np.split(row, frames, axis=1)) for row in _rows(path, len(people))]
            found.append(Moment(f"{stage}, step {step_of(path)}", clips))
    if references is None:
        raise UserError("There are no training samples to show yet: start with 'make run'.")
    return references, found


def _pair(reference: np.ndarray, picture: np.ndarray) -> Image.Image:
    height, width = reference.shape[:2]
    size = (SIDE * width // height, SIDE)
    sheet = Image.new("RGB", (2 * size[0] + _GAP, SIDE), _PAPER)
    for column, shown in enumerate((reference, picture)):
        fitted = Image.fromarray(shown).resize(size, Image.Resampling.BICUBIC)
        sheet.paste(fitted, (column * (size[0] + _GAP), 0))
    return sheet


def _frame(pairs: list[Image.Image], words: str) -> Image.Image:
    """Pairs beside each other, the words below."""
    width = sum(pair.width + 3 * _GAP for pair in pairs) - 3 * _GAP
    sheet = Image.new("RGB", (width, SIDE + _BAND), _PAPER)
    left = 0
    for pair in pairs:
        sheet.paste(pair, (left, 0))
        left += pair.width + 3 * _GAP
    ImageDraw.Draw(sheet).text((4, SIDE + 5), words, fill=(28, 36, 48))
    return sheet


def build(layout: Layout, target: Path, people: Sequence[int] | None = None) -> Path:
    """Write the time-lapse of the watched people with these numbers (the first three) to `target`.

    Raises:
        UserError: there are no samples or not that many people, or the suffix is another.
    """
    if target.suffix.lower() not in (".webp", ".gif"):
        raise UserError(f"{target.name}: a time-lapse is a .webp or a .gif file.")
    references, steps = moments(layout)
    people = range(min(3, len(references))) if people is None else people
    for person in people:
        if not 0 <= person < len(references):
            raise UserError(
                f"There is no person {person}: name numbers from 0 to {len(references) - 1}."
            )
    frames = [
        _frame([_pair(references[p], moment.clips[p][t]) for p in people], moment.words)
        for moment in [*steps, *[steps[-1]] * (_HOLD - 1)]
        for t in range(len(moment.clips[0]))
    ]
    save(frames, target, load_profile(layout.root, layout.profile).model.fps)
    return target


def save(frames: list[Image.Image], target: Path, fps: int) -> None:
    """Write pictures of one size as a film, atomically; the suffix of `target` names the format."""
    with io.BytesIO() as film:  # see `media.sheet.picture_bytes`
        frames[0].save(
            film,
            format=target.suffix[1:].upper(),
            save_all=True,
            append_images=frames[1:],
            duration=round(1000 / fps),
            loop=0,
            quality=70,
            method=6,
        )
        write_bytes(target, film.getvalue())
