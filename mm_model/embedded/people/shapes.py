"""Writes drawn people in the shapes that data sets of the paper's kind come in, as one collection.

`laion/` holds tars of samples, `sfhq/` and `ffhq/` folders of pictures, `web/` an index in Parquet
with files beside it (one link has rotted), `pexels/` clips with captions of their keyframes. Each
says in `source.yaml` what it is, and in `synthetic.json` the truth about every file. Same
arguments, same bytes. `python -m mm_model.embedded.people.shapes FOLDER` writes them.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from mm_model.embedded.people.action import ACTIONS, describe
from mm_model.embedded.people.caption import caption
from mm_model.embedded.people.clips import clip, photograph
from mm_model.embedded.people.encode import encode_mp4, encode_picture
from mm_model.embedded.people.people import Person, person
from mm_model.embedded.people.shot import shot
from mm_model.embedded.people.sources import GENERATOR, MARK, subject_name
from mm_model.embedded.people.split import TRAIN_PEOPLE
from mm_model.errors import UserError
from mm_model.media.terms import NAME
from mm_model.store import atomic, tables

_STREAM = 0x5D
_PER_TAR = 4
LICENCE = "Apache-2.0"
"""Of what this project draws."""

_SAID = {
    "licence": LICENCE,
    "origin": "drawn by mm_model.embedded.people",
    "consent": "synthetic:procedural",
}

ID_PHOTO = ["a squared ID photo of {who}"]
"""The paper's template for SFHQ without its black borders, which a square frame has not."""

PORTRAITS = ["a portrait photo of {who}", "a close-up of {who}", "the face of {who}"]
"""What is true of every portrait, whoever it shows."""

Truth = dict[str, dict[str, object]]
"""Name of an item within its source, to what is known of it."""


@dataclass(frozen=True)
class _Taken:
    """One drawn file: its bytes, captions of it and of its first frame, and the truth about it."""

    content: bytes
    words: str
    first_frame: str
    truth: dict[str, object]


@dataclass(frozen=True)
class _Drawing:
    """What is drawn: so many files of each person, at this size, by this seed."""

    people: tuple[Person, ...]
    each: int
    size: int
    num_frames: int
    fps: int
    seed: int

    def pictures(self, suffix: str) -> Iterator[_Taken]:
        """Photographs of everybody, one person after the other."""
        for who, rng in self._turns():
            frame = photograph(who, rng, self.size)
            action = describe(frame.pose)
            words, truth = caption(who, action), _truth(who, "photo", action)
            yield _Taken(encode_picture(frame.image, suffix), words, words, truth)

    def clips(self) -> Iterator[_Taken]:
        """Clips of everybody, one person after the other."""
        for who, rng in self._turns():
            action, place = str(rng.choice(list(ACTIONS))), shot(rng)
            made = clip(who, action, place, num_frames=self.num_frames, size=self.size, rng=rng)
            content, truth = encode_mp4(made.frames, self.fps), _truth(who, "clip", action)
            # Every action begins with a look at the camera.
            yield _Taken(content, caption(who, action), caption(who, "neutral"), truth)

    def _turns(self) -> Iterator[tuple[Person, np.random.Generator]]:
        for who in self.people:
            for number in range(self.each):
                yield who, np.random.default_rng([_STREAM, self.seed, who.seed, number])


def _truth(who: Person, media: str, action: str) -> dict[str, object]:
    return {
        "subject": subject_name(who.seed),
        "person": who.seed,
        "category": who.category,
        "media": media,
        "action": action,
        "expected": "kept",
    }


def write_shapes(
    folder: Path,
    *,
    people: Sequence[int],
    each: int = 2,
    size: int = 128,
    num_frames: int = 9,
    fps: int = 8,
    seed: int = 0,
) -> Truth:
    """Write the collection and return the truth of every item by its name in the collection.

    ``people`` are seeds, shared out among the shapes; ``each`` files of every person. ``size`` in
    pixels, even. Raises ``UserError`` for fewer people than shapes, or a folder that is not empty.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} already holds something; choose a new folder or remove it first")
    if len(set(people)) < len(SHAPES) or len(set(people)) < len(people):
        raise UserError(f"people: give at least {len(SHAPES)} different person seeds")
    if size < 32 or size % 2 or each < 1 or num_frames < 2 or fps < 1:
        raise UserError("size is even and at least 32, each and fps at least 1, num_frames 2")
    aside = folder.parent / f".{folder.name}.writing-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    truth: Truth = {}
    try:
        for number, (name, write) in enumerate(SHAPES.items()):
            theirs = tuple(person(one) for one in people[number :: len(SHAPES)])
            drawing = _Drawing(
                theirs, each=each, size=size, num_frames=num_frames, fps=fps, seed=seed
            )
            (aside / name).mkdir(parents=True)
            files = write(aside / name, drawing)
            mark = {"generator": GENERATOR, "shape": name, "seed": seed, "files": files}
            atomic.write_json(aside / name / MARK, mark)
            truth |= {f"{name}/{file}": said for file, said in files.items()}
        _say(aside, {"kind": "collection", "sources": {name: {} for name in SHAPES}})
        atomic.publish_folder(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return truth


def _say(folder: Path, said: dict[str, object]) -> None:
    atomic.write_text(folder / NAME, yaml.safe_dump(said, sort_keys=False))


def _laion(folder: Path, drawing: _Drawing) -> Truth:
    """Tars of pictures with a caption and a JSON each, as a downloader of web lists leaves them."""
    files: Truth = {}
    taken = list(drawing.pictures(".jpg"))
    for first in range(0, len(taken), _PER_TAR):
        name = f"{first // _PER_TAR:05d}.tar"
        with tarfile.open(folder / name, "w", format=tarfile.USTAR_FORMAT) as shard:
            for number, one in enumerate(taken[first : first + _PER_TAR], first):
                key = f"{number:09d}"
                known = {"caption": one.words, "key": key, "status": "success"}
                _add(shard, f"{key}.jpg", one.content)
                _add(shard, f"{key}.json", json.dumps(known, sort_keys=True).encode())
                _add(shard, f"{key}.txt", one.words.encode())
                files[f"{name}/{key}.jpg"] = one.truth
    _say(folder, {"kind": "tars", **_SAID})
    return files


def _add(shard: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    shard.addfile(member, io.BytesIO(content))


def _sfhq(folder: Path, drawing: _Drawing) -> Truth:
    """Numbered portraits without captions, all described by one template."""
    files = {}
    for number, one in enumerate(drawing.pictures(".jpg")):
        name = f"images/SFHQ_pt1_{number:08d}.jpg"
        files[_put(folder, name, one.content)] = one.truth
    _say(folder, {**_SAID, "people": "unknown", "captions": {"own": False, "pool": ID_PHOTO}})
    return files


def _ffhq(folder: Path, drawing: _Drawing) -> Truth:
    """Numbered portraits in folders of a thousand, described by a pool of lines."""
    files = {}
    for number, one in enumerate(drawing.pictures(".png")):
        name = f"{number // 1000 * 1000:05d}/{number:05d}.png"
        files[_put(folder, name, one.content)] = one.truth
    atomic.write_text(folder / "prompts.txt", "\n".join(PORTRAITS) + "\n")
    _say(folder, {**_SAID, "people": "unknown", "captions": {"pool": "prompts.txt"}})
    return files


def _web(folder: Path, drawing: _Drawing) -> Truth:
    """An index in Parquet with files beside it; one row's file is missing."""
    files: Truth = {}
    rows = []
    for number, one in enumerate(drawing.pictures(".jpg")):
        path = f"files/{number:06d}.jpg"
        files[_put(folder, path, one.content)] = one.truth
        rows.append({"path": path, "caption": one.words, "license": LICENCE})
    rows.append({"path": "files/rotten.jpg", "caption": "a man smiles", "license": LICENCE})
    files["files/rotten.jpg"] = {"expected": "missing"}
    tables.write(folder / "index.parquet", rows, ("path", "caption", "license"), {})
    _say(folder, {"kind": "index", **_SAID})
    return files


def _pexels(folder: Path, drawing: _Drawing) -> Truth:
    """Numbered clips; every second one has a caption, all have captions of their keyframes."""
    files = {}
    for number, one in enumerate(drawing.clips()):
        stem = f"{1_000_000 + number}"
        files[_put(folder, f"{stem}.mp4", one.content)] = one.truth
        atomic.write_text(folder / f"{stem}.keyframes.txt", f"{one.first_frame}\n")
        if number % 2:
            atomic.write_text(folder / f"{stem}.txt", f"{one.words}\n")
    _say(folder, {**_SAID, "people": "unknown", "captions": {"keyframes": True}})
    return files


def _put(folder: Path, name: str, content: bytes) -> str:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return name


SHAPES: dict[str, Callable[[Path, _Drawing], Truth]] = {
    "laion": _laion,
    "sfhq": _sfhq,
    "ffhq": _ffhq,
    "web": _web,
    "pexels": _pexels,
}
"""Name of each source of the collection, and what writes it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the shapes into the folder that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m mm_model.embedded.people.shapes",
        description="Write drawn people as tars, folders, an index and clips.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=20, help="how many people, at least five")
    parser.add_argument("--each", type=int, default=2, help="files of every person")
    parser.add_argument("--size", type=int, default=128, help="pixels of a side, even")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    people = TRAIN_PEOPLE[: max(0, options.people)]
    try:
        truth = write_shapes(
            options.folder, people=people, each=options.each, size=options.size, seed=options.seed
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(truth)} files of {len(people)} drawn people in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
