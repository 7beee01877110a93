"""Decoding that reports damage: what a viewer would conceal, FFmpeg is asked to admit.

A clip counts as damaged when a decoder stops or conceals, when the container's reader loses its
way (Matroska then resumes further on, silently), when fewer frames come out than were announced,
or when compressed data hold a stretch of zeros, as a hole in a download leaves. Beyond that no
codec can tell: H.265, VP8 and VP9 carry no checksum, and most small damage decodes to a picture.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from mm_model.media.failure import MediaError
from mm_model.media.names import shown
from mm_model.records import Reason

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}
"""Decoder options under which damage is an error."""

_HOLE = bytes(64)
_NEVER_HOLLOW = {"h264", "hevc", "vp8", "vp9"}
"""Codecs whose data never hold that many zeros in a row but at the end of a packet."""

_ENDS = {"jpeg": b"\xff\xd9", "png": b"IEND\xaeB`\x82"}
_AT_END = 4096

Said = list[tuple[int, str, str]]

_ears = threading.RLock()
"""The level of FFmpeg's log belongs to the process: one thread listens at a time."""


@contextlib.contextmanager
def overheard() -> Iterator[Said]:
    """What FFmpeg says at level error within the block, as (level, who, words)."""
    import av

    with _ears:
        level, repeats = av.logging.get_level(), av.logging.get_skip_repeated()
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)  # else what the last file was told would stay unsaid
        try:
            with av.logging.Capture() as said:
                yield said
        finally:
            av.logging.set_skip_repeated(repeats)
            av.logging.set_level(level)


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
        container = cast("InputContainer", stream.container)  # av's stub names only the base
        for packet in container.demux(stream):
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
    expected = max(1, announced, declared_frames(stream) - skipped)
    if done < expected:
        raise MediaError(
            Reason.VID_DECODE_ERROR, f"{done} of {expected} frames decode", done, expected
        )


def declared_frames(stream: "VideoStream") -> int:
    """How many frames the container's index holds, 0 when it says nothing.

    An edit list takes out of the index what nobody is to see; the declared number keeps it.
    """
    return min(stream.frames or 0, len(stream.index_entries))


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
        Reason.VID_TOO_LONG,
        "more frames than allowed",
        frames,
        max_frames,
        {"num_frames": frames},
    )


def _is_hollow(packet: "Packet", codec: str) -> bool:
    return codec in _NEVER_HOLLOW and _HOLE in bytes(packet).rstrip(b"\0")


def _is_lost(said: Said, stream: "VideoStream") -> bool:
    """Whether the container's own reader complained."""
    name = stream.container.format.name.split(",")[0]
    return any(who.split(",")[0] == name for _, who, _ in said)


def _broken(done: int, said: Said) -> MediaError:
    words = f": {shown(said[-1][2].strip())}" if said else ""
    return MediaError(Reason.VID_DECODE_ERROR, f"damaged after frame {done}{words}", done)


def is_closed(content: bytes, kind: str) -> bool:
    """Whether the mark that ends a `jpeg` or `png` file stands near its end."""
    return _ENDS[kind] in content[-_AT_END:]


def refuse_damaged_picture(content: bytes, kind: str) -> None:
    """Return if nothing is found missing in the data of a `jpeg`, `png` or `webp` file.

    Pillow fills up, in grey or black, what is missing before a well-formed end. FFmpeg's JPEG and
    PNG decoders admit it; a coding they do not know (arithmetic, 12 bits) is left to Pillow.

    Raises:
        MediaError: IO_TRUNCATED or IO_UNREADABLE.
        MemoryError: the decoder ran out of memory.
    """
    if kind == "webp":
        if _HOLE in _lossy_webp_data(content).rstrip(b"\0"):
            raise MediaError(Reason.IO_UNREADABLE, "the webp data hold a hole of zeros")
        return
    import av

    made = av.CodecContext.create({"jpeg": "mjpeg"}.get(kind, kind), "r")
    context = cast("VideoCodecContext", made)  # av's stub names only the base
    context.thread_count = 1
    context.options = STRICT
    failed = False
    with overheard() as said:
        try:
            context.decode(av.Packet(content))
        except av.error.MemoryError:
            raise MemoryError from None
        except av.error.InvalidDataError:
            failed = True
        except av.error.FFmpegError:
            return
    words = shown(said[-1][2].strip()) if said else ""
    if kind == "png" and "without all image" in words:
        raise MediaError(Reason.IO_TRUNCATED, "the png data end before the picture does")
    if kind == "jpeg" and failed:
        # It wanted more data than there are; or broke off where a cut made nonsense of a pass.
        short = not words or words.startswith("overread") or not is_closed(content, kind)
        reason = Reason.IO_TRUNCATED if short else Reason.IO_UNREADABLE
        said_so = "end before the picture does" if short else f"are damaged: {words}"
        raise MediaError(reason, f"the jpeg data {said_so}")


def _lossy_webp_data(content: bytes) -> bytes:
    """The data of the chunk `VP8 `, the one kind that never holds many zeros in a row."""
    at = 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if name == b"VP8 ":
            return content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return b""
