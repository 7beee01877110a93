"""What a clip's container says of itself, before any frame is believed.

Reads headers only; numbers here are declarations, and damaged files lie. Nothing is decoded except
the first frame, whose side data alone tells the rotation.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mm_model.media.failure import MediaError
from mm_model.media.frames import square_size, turn_of
from mm_model.media.sniff import DEMUXERS, HEAD_BYTES, kind_of
from mm_model.media.wholeness import is_cut_short
from mm_model.records import Reason

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


@dataclass(frozen=True)
class Probe:
    """A container's declarations.

    Sizes are of the picture as `media.frames` develops it; `rotation` is what was applied to get
    there, in degrees counter-clockwise; `declared_frames` and `seconds` are None when unsaid.
    """

    codec: str
    width: int
    height: int
    fps: float
    declared_frames: int | None
    rotation: int
    seconds: float | None
    video_streams: int
    audio_streams: int


@contextlib.contextmanager
def open_clip(source: Path | bytes) -> "Iterator[InputContainer]":
    """The opened container for the length of the block.

    The demuxer follows from the content, data come from a file object, and every wish to open
    anything else is refused: no playlist, reference or network address is ever followed.

    Raises:
        MediaError: FMT_UNKNOWN, IO_EMPTY, IO_UNREADABLE (no index in the file, or damaged).
    """
    import av

    with _handle(source) as handle:
        head = handle.read(HEAD_BYTES)
        handle.seek(0)
        if not head:
            raise MediaError(Reason.IO_EMPTY, "the file is empty")
        kind = kind_of(head)
        if kind not in DEMUXERS:
            raise MediaError(Reason.FMT_UNKNOWN, "the content is no accepted clip container")
        if is_cut_short(handle, kind):
            raise MediaError(Reason.IO_TRUNCATED, "the file ends before its container says")
        try:
            container = av.open(
                handle, "r", format=DEMUXERS[kind], metadata_errors="replace", io_open=_refuse
            )
        except av.error.MemoryError:
            raise MemoryError from None
        except (av.error.FFmpegError, ValueError):
            what = "no usable index (moov)" if kind == "mp4" else "damaged header"
            raise MediaError(Reason.IO_UNREADABLE, f"cannot be opened: {what}") from None
        with container:
            yield container


def _refuse(url: str, flags: int, options: dict) -> None:
    raise OSError("a clip may not refer to another file")


def _handle(source: Path | bytes) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise MediaError(Reason.IO_UNREADABLE, f"cannot be read: {error.strerror}") from None


def best_stream(container: "InputContainer") -> "VideoStream":
    """The largest video stream that is not an attached cover picture.

    Raises:
        MediaError: VID_NO_VIDEO_STREAM.
    """
    moving = [s for s in container.streams.video if not _is_attached(s) and s.codec_context]
    if not moving:
        others = ", ".join(sorted({s.type for s in container.streams})) or "none"
        raise MediaError(Reason.VID_NO_VIDEO_STREAM, f"no moving picture (streams: {others})")
    return max(moving, key=lambda s: (s.codec_context.width * s.codec_context.height, -s.index))


def _is_attached(stream: "VideoStream") -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def stream_fps(stream: "VideoStream") -> float:
    """Frames a second as declared (average, else base rate); 0.0 when unsaid."""
    return float(stream.average_rate or stream.base_rate or 0)


def probe(source: Path | bytes) -> Probe:
    """Declarations of one clip.

    Raises:
        MediaError: not a clip, no video stream, or no first frame.
    """
    import av

    with open_clip(source) as container:
        stream = best_stream(container)
        try:
            first = next(container.decode(stream))
        except (av.error.FFmpegError, StopIteration):
            raise MediaError(Reason.VID_DECODE_ERROR, "no frame can be decoded", 0, 1) from None
        width, height = square_size(stream, first.width, first.height)
        turned = turn_of(first).transposed
        length = None
        if stream.duration and stream.time_base:
            length = stream.duration * stream.time_base
        return Probe(
            codec=stream.codec_context.name,
            width=height if turned else width,
            height=width if turned else height,
            fps=stream_fps(stream),
            declared_frames=stream.frames or None,
            rotation=first.rotation,
            seconds=float(length) if length else None,
            video_streams=len(container.streams.video),
            audio_streams=len(container.streams.audio),
        )
