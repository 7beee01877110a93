"""Decoding that reports damage: what a viewer would conceal, FFmpeg is asked to admit.

A clip counts as damaged when a decoder stops or conceals, when the container's reader loses its
way (Matroska then resumes further on, silently), when fewer frames come out than were announced,
or when compressed data hold a stretch of zeros, as a hole in a download leaves. Beyond that no
codec can tell: H.265, VP8 and VP9 carry no checksum, and most small damage decodes to a picture.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mm_model.media.failure import MediaError
from mm_model.media.names import shown
from mm_model.records import Reason

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}
"""Decoder options under which damage is an error."""

_HOLE = bytes(64)
_NEVER_HOLLOW = {"h264", "hevc", "vp8", "vp9"}
"""Codecs whose data never hold that many zeros in a row but at the end of a packet."""

Said = list[tuple[int, str, str]]


@contextlib.contextmanager
def overheard() -> Iterator[Said]:
    """What FFmpeg says at level error within the block, as (level, who, words)."""
    import av

    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            yield said
    finally:
        av.logging.set_level(before)


def every_frame(stream: "VideoStream", max_frames: int) -> "Iterator[VideoFrame]":
    """Decode all frames of a stream just opened.

    Raises:
        MediaError: VID_DECODE_ERROR with the number of whole frames; VID_TOO_LONG.
        MemoryError: a decoder ran out of memory.
    """
    with overheard() as said:
        yield from _checked_frames(stream, max_frames, said)


def _checked_frames(stream: "VideoStream", max_frames: int, said: Said) -> "Iterator[VideoFrame]":
    import av

    context = stream.codec_context
    context.thread_count = 1
    context.options = STRICT
    done, announced, skipped, start = 0, 0, 0, None
    try:
        for packet in stream.container.demux(stream):
            if packet.is_corrupt or _is_hollow(packet, context.name) or _is_lost(said, stream):
                raise _broken(done, said)
            start = packet.pts if start is None else start
            unseen = is_unseen(packet, start)
            skipped += unseen
            announced += packet.size > 0 and not unseen
            for frame in _decoded(packet, unseen):
                if frame.is_corrupt:
                    raise _broken(done, said)
                yield frame
                done += 1
                if done > max_frames:
                    raise too_long(done, max_frames)
    except av.error.MemoryError:
        raise MemoryError from None
    except (av.error.FFmpegError, ValueError):
        raise _broken(done, said) from None
    # An index may announce more frames than the file still holds.
    expected = max(1, announced, (stream.frames or 0) - skipped)
    if done < expected:
        raise MediaError(
            Reason.VID_DECODE_ERROR, f"{done} of {expected} frames decode", done, expected
        )


def is_unseen(packet: "Packet", start: int | None) -> bool:
    """Whether a packet's frame is not part of what a viewer sees.

    An edit list cuts it away, or it comes before `start`, the time of the first packet: a cut at an
    open group of pictures leaves such frames, which lean on ones that are not in the file.
    """
    early = packet.pts is not None and start is not None and packet.pts < start
    return bool(packet.is_discard or early)


def _decoded(packet: "Packet", unseen: bool) -> "list[VideoFrame]":
    import av

    try:
        return packet.decode()
    except av.error.InvalidDataError:
        if unseen:
            return []
        raise


def too_long(frames: int, max_frames: int) -> MediaError:
    """The failure of a clip with `frames` frames or more."""
    return MediaError(
        Reason.VID_TOO_LONG, "more frames than allowed", frames, max_frames,
        {"num_frames": frames},
    )  # fmt: skip


def _is_hollow(packet: "Packet", codec: str) -> bool:
    return codec in _NEVER_HOLLOW and _HOLE in bytes(packet).rstrip(b"\0")


def _is_lost(said: Said, stream: "VideoStream") -> bool:
    """Whether the container's own reader complained."""
    name = stream.container.format.name.split(",")[0]
    return any(who.split(",")[0] == name for _, who, _ in said)


def _broken(done: int, said: Said) -> MediaError:
    words = f": {shown(said[-1][2].strip())}" if said else ""
    return MediaError(Reason.VID_DECODE_ERROR, f"damaged after frame {done}{words}", done)


def refuse_damaged_jpeg(content: bytes) -> None:
    """Return if FFmpeg's decoder finds the data of a JPEG whole, or does not know its coding.

    Pillow fills up what is missing behind a cut, with grey; this one admits it.

    Raises:
        MediaError: IO_TRUNCATED.
        MemoryError: the decoder ran out of memory.
    """
    import av

    context = av.CodecContext.create("mjpeg", "r")
    context.thread_count = 1
    context.options = STRICT
    with overheard() as said:
        try:
            context.decode(av.Packet(content))
        except av.error.MemoryError:
            raise MemoryError from None
        except av.error.InvalidDataError:
            words = f": {shown(said[-1][2].strip())}" if said else ""
            raise MediaError(
                Reason.IO_TRUNCATED, f"the jpeg data are cut short or damaged{words}"
            ) from None
        except av.error.FFmpegError:
            return  # arithmetic coding, 12 bits: Pillow alone judges
