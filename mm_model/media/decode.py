"""Frames of clips that were verified before: decord for batches, PyAV where decord cannot read
or is not installed (it has no wheel for macOS and for Arm).

Use it on files that ingest has kept. A foreign file goes through `ingest.sandbox` first: decord can
hang for ever on a damaged one. Both readers give the same pictures (`media.frames`): upright, with
square pixels, in standard range; decord reads only the clips that need nothing but turning.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from mm_model.media.failure import MediaError
from mm_model.media.frames import Developer
from mm_model.media.probe import best_stream, open_clip
from mm_model.media.strict import is_unseen
from mm_model.records import Reason

_LEAD = 8
"""Packets that are looked at for frames which nobody is to see; they come right after the first."""


def read_frames(
    path: Path,
    indices: Sequence[int] | None = None,
    reader: Literal["decord", "pyav"] = "decord",
) -> np.ndarray:
    """Frames of a verified clip, uint8 [T, H, W, 3] RGB, in the order of `indices`.

    `indices` count decoded frames from 0 (None: all). decord reads plain clips; what it does not
    know (AV1) or does not see (pixels that are not square, wide colours, cuts by an edit list) is
    read with PyAV, and so is everything where decord is not installed.

    Raises:
        MediaError: VID_DECODE_ERROR when the frames cannot be had; FMT_HDR.
        IndexError: an index beyond the clip.
    """
    if reader == "pyav" or not _is_plain(path):
        return _with_pyav(path, indices)
    try:
        import decord
    except ImportError:
        return _with_pyav(path, indices)
    try:
        clip = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    except (decord.DECORDError, RuntimeError):
        return _with_pyav(path, indices)
    chosen = _chosen(indices, len(clip))
    try:
        frames = clip.get_batch(chosen).asnumpy()
    except (decord.DECORDError, RuntimeError):
        return _with_pyav(path, indices)
    return frames


def _is_plain(path: Path) -> bool:
    """Whether decord, which decodes every packet and turns the picture, reads this clip right."""
    import av

    with open_clip(path) as container:
        stream = best_stream(container)
        if len(container.streams.video) > 1 or any(e.is_discard for e in stream.index_entries):
            return False
        first, start = None, None
        try:
            for number, packet in enumerate(container.demux(stream)):
                start = packet.pts if start is None else start
                if is_unseen(packet, start):
                    return False
                first = first or next(iter(packet.decode()), None)
                if first is not None and number >= _LEAD:
                    break
        except av.error.FFmpegError:
            return False
        return first is not None and Developer(stream).plain(first)


def _chosen(indices: Sequence[int] | None, total: int) -> list[int]:
    if indices is None:
        return list(range(total))
    chosen = [int(index) for index in indices]
    if any(not 0 <= index < total for index in chosen):
        raise IndexError(f"frame indices {chosen} reach beyond the clip's {total} frames")
    return chosen


def _with_pyav(path: Path, indices: Sequence[int] | None) -> np.ndarray:
    if indices is None:
        frames = list(iterate_frames(path))
        if not frames:
            raise MediaError(Reason.VID_DECODE_ERROR, "no frame can be decoded", 0, 1)
        return np.stack(frames)
    wanted = {int(index) for index in indices}
    found: dict[int, np.ndarray] = {}
    total = 0
    for total, develop in enumerate(_each_frame(path), start=1):
        if total - 1 in wanted:
            found[total - 1] = develop()
        if len(found) == len(wanted):
            break
    if wanted - found.keys():
        _chosen(indices, total)
    return np.stack([found[int(index)] for index in indices])


def iterate_frames(path: Path) -> Iterator[np.ndarray]:
    """Decode one frame after the other with PyAV: uint8 [H, W, 3] RGB, as `media.frames` says.

    Raises:
        MediaError: not a clip, or VID_DECODE_ERROR with the number of frames read as value.
    """
    for develop in _each_frame(path):
        yield develop()


def _each_frame(path: Path) -> Iterator[Callable[[], np.ndarray]]:
    """For each frame, what makes its picture: converting costs more than decoding."""
    import av

    with open_clip(path) as container:
        stream = best_stream(container)
        developer, done = Developer(stream), 0
        try:
            for frame in container.decode(stream):
                developer.see(frame)
                yield partial(developer, frame)
                done += 1
        except av.error.FFmpegError:
            raise MediaError(
                Reason.VID_DECODE_ERROR, f"decoding stops after frame {done}", done
            ) from None
