"""The whole check of one untrusted file: what it is, that all of it decodes, what it measures.

Runs inside the sandboxed child only. Returns plain JSON-able facts; decides nothing about the
profile's content rules, which the ingest stage applies to these facts.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mm_model.media import lettering
from mm_model.media.content import REDUCED_SIDE, MotionMeter, reduced_size
from mm_model.media.decode import upright
from mm_model.media.failure import MediaError
from mm_model.media.images import load_picture
from mm_model.media.probe import best_stream, open_clip, stream_fps
from mm_model.media.sniff import CLIP_KINDS, HEAD_BYTES, IMAGE_KINDS, accepted_kind
from mm_model.records import Reason

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

THUMBNAIL_SIDE = 96
_LETTERING_FRAMES = 4


@dataclass(frozen=True)
class Limits:
    """What a file may be at most: pixels of one picture, frames of one clip."""

    max_pixels: int
    max_frames: int


def examine(path: Path, limits: Limits, thumbnail: bool = False) -> dict[str, Any]:
    """Facts of one file: media, extension, width, height, num_frames, fps, codec, pixel_id,
    motion, cut, lettering, notes, sha256 of the bytes seen, and a small JPEG when asked.

    Raises:
        MediaError: the file is unusable, with its reason.
        MemoryError: decoding it needs more than the child may have.
    """
    content = _bytes_of(path)
    if not content:
        raise MediaError(Reason.IO_EMPTY, "the file is empty")
    kind, note = accepted_kind(content[:HEAD_BYTES], path.suffix.lower())
    facts = (_clip if kind in CLIP_KINDS else _image)(content, limits)
    picture = facts.pop("picture")
    facts["sha256"] = hashlib.sha256(content).hexdigest()
    facts["notes"] = [*([note] if note else []), *facts["notes"]]
    facts["extension"] = (CLIP_KINDS | IMAGE_KINDS)[kind]
    facts["thumbnail"] = base64.b64encode(_small_jpeg(picture)).decode() if thumbnail else None
    return facts


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(Reason.IO_UNREADABLE, f"cannot be read: {error.strerror}") from None


def _image(content: bytes, limits: Limits) -> dict[str, Any]:
    picture = load_picture(content, limits.max_pixels)
    height, width = picture.pixels.shape[:2]
    digest = hashlib.sha256(f"RGB {width}x{height} ".encode())
    digest.update(picture.pixels)
    return {
        "media": "image", "width": width, "height": height, "num_frames": 1, "fps": None,
        "codec": picture.kind, "pixel_id": digest.hexdigest(), "motion": None, "cut": None,
        "lettering": lettering.area_share(picture.pixels), "notes": list(picture.notes),
        "picture": picture.pixels,
    }  # fmt: skip


def _clip(content: bytes, limits: Limits) -> dict[str, Any]:
    with open_clip(content) as container:
        stream = best_stream(container)
        _check_size(stream, limits)
        stride = max(1, (stream.frames or limits.max_frames) // _LETTERING_FRAMES)
        meter, sampled, first, count = MotionMeter(), [], None, 0
        for_motion, for_lettering = _Reducer(REDUCED_SIDE), _Reducer(lettering.SIDE)
        for frame in _every_frame(stream, limits):
            meter.add(for_motion(frame))
            if first is None:
                first = upright(frame.to_ndarray(format="rgb24"), frame.rotation)
            if count % stride == 0 and len(sampled) <= _LETTERING_FRAMES:
                sampled.append(for_lettering(frame))
            count += 1
        height, width = first.shape[:2]
        digest = hashlib.sha256(f"clip {width}x{height}x{count} {meter.digest} ".encode())
        digest.update(first)
        return {
            "media": "clip", "width": width, "height": height, "num_frames": count,
            "fps": stream_fps(stream) or None, "codec": stream.codec_context.name,
            "pixel_id": digest.hexdigest(), "motion": meter.motion, "cut": meter.cut,
            "lettering": lettering.lasting_area_share(sampled), "notes": [],
            "picture": first,
        }  # fmt: skip


def _check_size(stream: "VideoStream", limits: Limits) -> None:
    pixels = stream.codec_context.width * stream.codec_context.height
    if pixels > limits.max_pixels:
        raise MediaError(
            Reason.FMT_BOMB, "a frame has more pixels than allowed", pixels, limits.max_pixels
        )
    if (stream.frames or 0) > limits.max_frames:
        raise _too_long(stream.frames, limits)


def _too_long(frames: int, limits: Limits) -> MediaError:
    return MediaError(Reason.VID_TOO_LONG, "more frames than allowed", frames, limits.max_frames)


def _every_frame(stream: "VideoStream", limits: Limits) -> "Iterator[VideoFrame]":
    """Decode all frames, strictly: damage that a player would conceal ends the clip here."""
    import av

    context = stream.codec_context
    context.thread_count = 1
    context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
    done, announced, skipped = 0, 0, 0
    try:
        for packet in stream.container.demux(stream):
            if packet.is_corrupt:
                raise _broken(done)
            skipped += packet.is_discard
            announced += packet.size > 0 and not packet.is_discard
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise _broken(done)
                yield frame
                done += 1
                if done > limits.max_frames:
                    raise _too_long(done, limits)
    except av.error.MemoryError:
        raise MemoryError from None
    except (av.error.FFmpegError, ValueError):
        raise _broken(done) from None
    # An index may announce more frames than the file still holds.
    expected = max(1, announced, (stream.frames or 0) - skipped)
    if done < expected:
        raise MediaError(
            Reason.VID_DECODE_ERROR, f"{done} of {expected} frames decode", done, expected
        )


def _broken(done: int) -> MediaError:
    return MediaError(Reason.VID_DECODE_ERROR, f"damaged after frame {done}", done)


class _Reducer:
    """Frames as uint8 [h, w, 3] RGB, reduced before colour conversion, not turned upright."""

    def __init__(self, longest: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._longest = longest
        self._reformatter = VideoReformatter()  # one for all frames: making it is the costly part

    def __call__(self, frame: "VideoFrame") -> np.ndarray:
        width, height = reduced_size(frame.width, frame.height, self._longest)
        return self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation="AREA"
        ).to_ndarray()


def _small_jpeg(pixels: np.ndarray) -> bytes:
    import cv2

    size = reduced_size(pixels.shape[1], pixels.shape[0], THUMBNAIL_SIDE)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
