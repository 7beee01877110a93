"""Writes a raw source folder of procedural people, as a user's own folder would look.

`<subject>/photo_000.jpg`, `<subject>/clip_000.mp4`, a caption beside each and the generator's mark
`synthetic.json` on top, which tells the truth about every file. Good material and faults are
mixed and named alike. Same arguments, same bytes. Refuses a folder that already holds something.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mm_model.embedded.people import faults
from mm_model.embedded.people.action import ACTIONS, describe
from mm_model.embedded.people.caption import caption
from mm_model.embedded.people.clips import clip, photograph
from mm_model.embedded.people.encode import encode_mp4, encode_picture
from mm_model.embedded.people.people import Person, person
from mm_model.embedded.people.shot import shot
from mm_model.errors import UserError
from mm_model.store import atomic

GENERATOR = "mm_model.world"  # a name in data: it stays when the module moves
VERSION = 1
MARK = "synthetic.json"
_STREAM = 0x5C


@dataclass(frozen=True)
class Plan:
    """One file to be: ``media`` is "photo" or "clip", ``fault`` a fault's name or ``None``."""

    media: str
    fault: str | None
    number: int


@dataclass
class _Drawing:
    people: list[Person]
    size: int
    num_frames: int
    fps: int
    seed: int
    files: dict[str, dict[str, object]] = field(default_factory=dict)


def subject_name(seed: int) -> str:
    """Folder name of a procedural subject, e.g. ``person_10007``."""
    return f"person_{seed:05d}"


def seed_of(name: str) -> int | None:
    """The seed of the procedural subject whose folder has this name; None for any other name."""
    digits = name.removeprefix("person_")
    if not (digits.isascii() and digits.isdecimal()) or name != subject_name(int(digits)):
        return None
    return int(digits)


def write_sources(
    folder: Path,
    *,
    people: Sequence[int],
    photos_per_person: int,
    clips_per_person: int,
    size: int,
    num_frames: int,
    fps: int,
    fault_rate: float,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, object]:
    """Write the folder and return the content of its mark.

    ``fault_rate`` adds that share of faulty files on top of the good ones, and whenever it is
    above 0 every fault at least once. ``progress(done, subjects)`` is called after each subject.
    Raises ``UserError`` for arguments that cannot be met or a folder that is not empty.
    """
    folder = Path(folder)
    _check(
        folder,
        people,
        photos=photos_per_person,
        clips=clips_per_person,
        size=size,
        num_frames=num_frames,
        fps=fps,
        fault_rate=fault_rate,
    )
    plans = _plan(len(people), photos_per_person, clips_per_person, fault_rate, seed)
    aside = folder.parent / f".{folder.name}.writing-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    job = _Drawing([person(p) for p in people], size, num_frames, fps, seed)
    try:
        for i, plan in enumerate(plans):
            _write_subject(aside, job, i, plan)
            if progress is not None:
                progress(i + 1, len(plans))
        mark = _mark(job, people, photos_per_person, clips_per_person, fault_rate)
        (aside / MARK).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")
        atomic.publish_folder(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return mark


def _check(
    folder: Path,
    people: Sequence[int],
    *,
    photos: int,
    clips: int,
    size: int,
    num_frames: int,
    fps: int,
    fault_rate: float,
) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} already holds something; choose a new folder or remove it first")
    if len(people) < 2 or len(set(people)) != len(people):
        raise UserError("people: give at least two different person seeds")
    if photos < 0 or clips < 0 or photos + clips == 0:
        raise UserError("photos_per_person and clips_per_person: ask for at least one file")
    if size < 32 or size % 2:
        raise UserError(f"size: {size} is not an even number of pixels from 32 up")
    if num_frames < 2 or fps < 1:
        raise UserError("num_frames must be at least 2 and fps at least 1")
    if not 0 <= fault_rate <= 1:
        raise UserError(f"fault_rate: {fault_rate} is not a share between 0 and 1")


def _plan(subjects: int, photos: int, clips: int, rate: float, seed: int) -> list[list[Plan]]:
    """What each subject's folder holds, in file order."""
    rng = np.random.default_rng([_STREAM, seed])
    extra: list[list[tuple[str, str]]] = [[] for _ in range(subjects)]
    for media, count, known in (
        ("photo", photos, faults.PHOTO_FAULTS),
        ("clip", clips, faults.CLIP_FAULTS),
    ):
        if rate == 0 or count == 0:
            continue
        wanted = max(len(known), round(rate * count * subjects))
        start = int(rng.integers(subjects))
        for i in range(wanted):
            extra[(start + i) % subjects].append((media, known[i % len(known)]))
    plans = []
    for faulty in extra:
        kinds = ["photo"] * photos + ["clip"] * clips
        items: list[tuple[str, str | None]] = [*((kind, None) for kind in kinds), *faulty]
        order = [items[i] for i in rng.permutation(len(items))]
        # A copy needs something good of its kind to be a copy of.
        order.sort(key=lambda item: item[1] == "duplicate")
        seen = {"photo": 0, "clip": 0}
        plan = []
        for media, fault in order:
            plan.append(Plan(media, fault, seen[media]))
            seen[media] += 1
        plans.append(plan)
    return plans


def _write_subject(aside: Path, job: _Drawing, index: int, plan: list[Plan]) -> None:
    who = job.people[index]
    folder = aside / subject_name(who.seed)
    folder.mkdir(parents=True)
    good: dict[str, tuple[str, bytes, str, str]] = {}
    for item in plan:
        rng = np.random.default_rng(
            [_STREAM, job.seed, who.seed, item.media == "clip", item.number]
        )
        name = f"{item.media}_{item.number:03d}"
        if item.fault == "duplicate":
            source, data, words, action = good[item.media]
            suffix = Path(source).suffix
            data = faults.fault_duplicate(data)
        else:
            suffix, data, words, action = _make(job, index, item, rng)
            source = ""
            if item.fault is None:
                good.setdefault(item.media, (name + suffix, data, words, action))
        (folder / (name + suffix)).write_bytes(data)
        (folder / f"{name}.txt").write_text(words + "\n", encoding="utf-8")
        truth: dict[str, object] = {
            "subject": folder.name,
            "person": who.seed,
            "category": who.category,
            "media": item.media,
            "action": action,
            "expected": item.fault or "kept",
        }
        if source:
            truth["copy_of"] = f"{folder.name}/{source}"
        job.files[f"{folder.name}/{name}{suffix}"] = truth


def _make(
    job: _Drawing, index: int, item: Plan, rng: np.random.Generator
) -> tuple[str, bytes, str, str]:
    """Suffix, bytes, caption and action of one file."""
    who = job.people[index]
    frames, action = _pixels(job, index, item, rng)
    if item.media == "photo":
        suffix = ".png" if rng.random() < 0.25 else ".jpg"
        data = encode_picture(frames[0], suffix)
    else:
        suffix, data = ".mp4", encode_mp4(frames, job.fps)
    if item.fault == "truncated":
        data = faults.fault_truncated(data, rng)
    return suffix, data, caption(who, action), action


def _pixels(
    job: _Drawing, index: int, item: Plan, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    who, size = job.people[index], job.size
    other = job.people[(index + 1 + int(rng.integers(len(job.people) - 1))) % len(job.people)]
    place, still = shot(rng), item.media == "photo"
    count = 1 if still else job.num_frames
    action = "neutral" if still else str(rng.choice(list(ACTIONS)))
    if item.fault == "no_face":
        return faults.fault_no_face(place, size, count, rng), action
    if item.fault == "two_faces":
        return faults.fault_two_faces(
            who, other, place, size=size, num_frames=count, rng=rng
        ), action
    if item.fault == "tiny_face":
        return faults.fault_tiny_face(who, place, size, count, rng), action
    if item.fault == "static":
        return faults.fault_static(photograph(who, rng, size).image, count, rng), action
    if still:
        frame = photograph(who, rng, size)
        frames, action = frame.image[None], describe(frame.pose)
    else:
        frames = clip(who, action, place, num_frames=count, size=size, rng=rng).frames
    if item.fault == "blur":
        frames = faults.fault_blur(frames, rng)
    elif item.fault == "text":
        frames = faults.fault_text(frames, rng)
    elif item.fault == "cut":
        frames = faults.fault_cut(
            frames, clip(other, action, shot(rng), num_frames=count, size=size, rng=rng).frames, rng
        )
    return frames, action


def _mark(
    job: _Drawing, people: Sequence[int], photos: int, clips: int, fault_rate: float
) -> dict[str, object]:
    return {
        "generator": GENERATOR,
        "version": VERSION,
        "seed": job.seed,
        "people": [int(min(people)), int(max(people))],
        "subjects": len(people),
        "photos_per_person": photos,
        "clips_per_person": clips,
        "size": job.size,
        "num_frames": job.num_frames,
        "fps": job.fps,
        "fault_rate": fault_rate,
        "files": dict(sorted(job.files.items())),
    }
