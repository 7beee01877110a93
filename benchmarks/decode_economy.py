"""Frames decoded over frames needed, from `sources` to `faces`: the worst stage's.

Drawn clips and photographs, or varied ones (`--media`), go through the data stages in this process,
and every decoder that they call is counted. A stage needs each frame of a clip once, `ingest` of
every file, `faces` of what `ingest` kept (the profile looks at every frame); a photograph is one
frame. The table on stderr says which step of a stage decoded how many, and what the chain decoded
over what it would need if one stage did all.

PyAV's frames are counted as they come out. decord tells nothing of frames that it decodes only to
get to others, so its way through the key frames is followed: it seeks to the last one before the
wanted frame unless it is past that already. FFmpeg's look for damage decodes a photograph, too.
"""

import argparse
import bisect
import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.result import Result
from benchmarks.tree import STAGES, Tree, add_media, alone, fill, fill_clips, tell
from mm_model.store import tables

GOAL = 1.10
_THUMBNAILS = "thumbnails"
"""Small pictures that a stage made itself; they are no frames of a file."""


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--clips", type=int, default=100, help="clips")
    command.add_argument("--photographs", type=int, default=500, help="photographs")
    add_media(command)


def run(options: argparse.Namespace) -> Result:
    """The worst stage's ratio, of clips or of photographs."""
    alone()
    worst = 0.0
    for what, count in (("clips", options.clips), ("photographs", options.photographs)):
        if count:
            with tempfile.TemporaryDirectory() as name:
                worst = max(worst, _of(options, what, count, Path(name)))
    return Result(worst, GOAL, 1)


def _of(options: argparse.Namespace, what: str, count: int, place: Path) -> float:
    files = place / "files"
    (fill_clips(options, files, count) if what == "clips" else fill(options, files, 0, count))
    (place / "tree").mkdir()
    tree = Tree(place / "tree" / "root")
    tree.look_with(options)
    tree.use(files)
    tree.set("run", threads=1)
    counted = Counts()
    with counting(counted):
        for stage in STAGES:
            with counted.within(stage):
                tree.run(stage)
    needed = {
        "ingest": _frames(tree, "ingest", "num_frames"),
        "faces": _frames(tree, "faces", "frames_examined"),
    }
    worst = 0.0
    for stage, frames in needed.items():
        found = {name: number for (of, name), number in counted.frames.items() if of == stage}
        ratio = sum(found.values()) / frames
        worst = max(worst, ratio)
        tell(f"{count} {what}, {stage}: {found} of {frames} needed, {ratio:.3f}")
    decoded = sum(counted.frames.values())
    tell(f"{count} {what}, chain: {decoded / needed['ingest']:.3f} of what one look would need")
    return worst


def _frames(tree: Tree, stage: str, column: str) -> int:
    rows = tables.records(tree.output(stage) / "samples.parquet")
    return sum(int(row[column] or 0) for row in rows)


class Counts:
    """Frames decoded by (stage, step), as `counting` sees them."""

    def __init__(self) -> None:
        self.frames: Counter[tuple[str, str]] = Counter()
        self._stage, self._step = "", "look"

    @contextlib.contextmanager
    def within(self, stage: str) -> Iterator[None]:
        """What is decoded in the block is that stage's."""
        self._stage = stage
        yield

    def add(self, number: int, step: str | None = None) -> None:
        """So many frames were decoded."""
        if self._step != _THUMBNAILS:
            self.frames[self._stage, step or self._step] += number

    def step(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, what it decodes counted under `name`."""

        def told(*given: Any, **named: Any) -> Any:
            before, self._step = self._step, name
            try:
                return work(*given, **named)
            finally:
                self._step = before

        return told

    def each(self, work: Callable[..., Any], step: str | None = None) -> Callable[..., Any]:
        """`work`, which yields decoded frames one by one."""

        def told(*given: Any, **named: Any) -> Iterator[Any]:
            for frame in work(*given, **named):
                self.add(1, step)
                yield frame

        return told

    def once(self, work: Callable[..., Any], step: str | None = None) -> Callable[..., Any]:
        """`work`, which decodes one frame."""

        def told(*given: Any, **named: Any) -> Any:
            self.add(1, step)
            return work(*given, **named)

        return told


@contextlib.contextmanager
def counting(counts: Counts) -> Iterator[None]:
    """Every decoder of the data stages is counted, and they work in this process."""
    from mm_model.faces import sheet, stage
    from mm_model.ingest import report, sandbox
    from mm_model.media import decode, examine, images, strict
    from mm_model.run.pools.table import open_pool

    check, again = "refuse_damaged_picture", "look_again_at_the_doubtful"
    with contextlib.ExitStack() as patches:
        for owner, name, put in (
            (sandbox, "open_pool", lambda start, *_: open_pool(start, 0)),
            (examine, "every_frame", counts.each(strict.every_frame)),
            (decode, "_each_frame", counts.each(decode._each_frame)),
            (decode, "_is_plain", counts.once(decode._is_plain, "first frame, for its kind")),
            (images, "_decoded", counts.once(images._decoded)),
            (images, check, counts.once(strict.refuse_damaged_picture, "damage")),
            (report, "_sheet", counts.step(_THUMBNAILS, report._sheet)),
            (sheet, "sheet", counts.step("sheet", sheet.sheet)),
            (stage, again, counts.step("doubtful", getattr(stage, again))),
        ):
            patches.enter_context(mock.patch.object(owner, name, put))
        patches.enter_context(_decord(counts))
        yield


@contextlib.contextmanager
def _decord(counts: Counts) -> Iterator[None]:
    """Batches of decord are counted, where it is installed."""
    try:
        import decord
    except ImportError:
        yield
        return
    get_batch = decord.VideoReader.get_batch

    def counted(reader: Any, indices: Sequence[int]) -> Any:
        counts.add(decoded_for(indices, [int(key) for key in reader.get_key_indices()]))
        return get_batch(reader, indices)

    with mock.patch.object(decord.VideoReader, "get_batch", counted):
        yield


def decoded_for(indices: Sequence[int], keys: Sequence[int]) -> int:
    """How many frames a fresh reader decodes to give those at `indices`, with key frames `keys`.

    From where it stands it decodes on, or begins at the last key frame before the wanted one where
    that lies behind another key frame or before where it stands.
    """
    number, at = 0, 0
    for index in indices:
        key = keys[max(0, bisect.bisect_right(keys, index) - 1)]
        here = keys[max(0, bisect.bisect_right(keys, at) - 1)]
        if index < at or (key != here and key > at):
            at = key
        number += index - at + 1
        at = index + 1
    return number
