"""The whole check of one untrusted file: what it is, that all of it decodes, what it measures.

Runs inside the sandboxed child only. Returns plain JSON-able facts; decides nothing about the
profile's content rules, which the ingest stage applies to these facts.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mm_model.media import lettering
from mm_model.media.content import REDUCED_SIDE, MotionMeter, reduced_size
from mm_model.media.failure import MediaError
from mm_model.media.frames import Developer, square_size
from mm_model.media.images import load_picture
from mm_model.media.likeness import LikenessMeter
from mm_model.media.looks import READ_SIDE, Looks
from mm_model.media.probe import best_stream, open_clip, stream_fps
from mm_model.media.shake import ShakeMeter
from mm_model.media.shape import refuse_strip
from mm_model.media.sheet import jpeg_bytes
from mm_model.media.sniff import CLIP_KINDS, HEAD_BYTES, IMAGE_KINDS, accepted_kind
from mm_model.media.strict import declared_frames, every_frame, too_long
from mm_model.records import Reason, Row
from mm_model.store import digests

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

THUMBNAIL_SIDE = 96
_LETTERING_FRAMES = 4


@dataclass(frozen=True)
class MediaLimits:
    """What a file may be at most: pixels of one picture, frames of one clip, its aspect."""

    max_pixels: int
    max_frames: int
    max_aspect: float | None = None


def examine(
    path: Path, limits: MediaLimits, thumbnail: bool = False, looks: Looks | None = None
) -> Row:
    """Facts of one file: media, extension, width, height, num_frames, fps, codec, pixel_id,
    phash, motion, cut, jitter, lettering; ocr_area, nsfw, quality and views where `looks` has them;
    notes, sha256 of the bytes seen, and a small JPEG when asked.

    Raises:
        MediaError: the file is unusable, with its reason.
        MemoryError: decoding it needs more than the child may have.
    """
    content = _bytes_of(path)
    if not content:
        raise MediaError(Reason.IO_EMPTY, "the file is empty")
    kind, note = accepted_kind(content[:HEAD_BYTES], path.suffix.lower())
    media, facts_of = ("clip", _clip) if kind in CLIP_KINDS else ("image", _image)
    try:
        facts = facts_of(content, limits, looks or Looks())
    except MediaError as failure:
        raise failure.knowing(media=media) from None
    picture = facts.pop("picture")
    facts["sha256"] = digests.of_bytes(content)
    facts["notes"] = [*([note] if note else []), *facts["notes"]]
    facts["extension"] = (CLIP_KINDS | IMAGE_KINDS)[kind]
    facts["thumbnail"] = base64.b64encode(_small_jpeg(picture)).decode() if thumbnail else None
    return facts


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(Reason.IO_UNREADABLE, f"cannot be read: {error.strerror}") from None


def _image(content: bytes, limits: MediaLimits, looks: Looks) -> Row:
    picture = load_picture(content, limits.max_pixels, limits.max_aspect)
    height, width = picture.pixels.shape[:2]
    likeness = LikenessMeter()
    likeness.add(picture.pixels)
    lettered = lettering.area_share(picture.pixels)
    return {
        "media": "image",
        "width": width,
        "height": height,
        "num_frames": 1,
        "fps": None,
        "codec": picture.kind,
        "motion": None,
        "cut": None,
        "pixel_id": digests.of_pixels(picture.pixels, f"RGB {width}x{height} "),
        "phash": likeness.photograph,
        "lettering": lettered,
        "ocr_area": looks.text_of(lettered, [picture.pixels]),
        "nsfw": looks.nsfw_of([picture.pixels]),
        "quality": looks.quality_of([picture.pixels]),
        **looks.views_of([picture.pixels]),
        "notes": list(picture.notes),
        "picture": picture.pixels,
    }


def _clip(content: bytes, limits: MediaLimits, looks: Looks) -> Row:
    with open_clip(content) as container:
        stream = best_stream(container)
        width, height = _checked_size(stream, limits)
        known = {
            "width": width,
            "height": height,
            "fps": stream_fps(stream) or None,
            "codec": stream.codec_context.name,
        }
        try:
            return known | _measured(stream, limits, looks)
        except MediaError as failure:
            raise failure.knowing(**known) from None


def _checked_size(stream: "VideoStream", limits: MediaLimits) -> tuple[int, int]:
    """Size of the first frame as stated, with square pixels and not turned, within the limits."""
    stored = stream.codec_context.width, stream.codec_context.height
    width, height = square_size(stream, *stored)
    pixels = max(width, stored[0]) * height
    if pixels > limits.max_pixels:
        raise MediaError(
            Reason.FMT_BOMB,
            "a frame has more pixels than allowed",
            pixels,
            limits.max_pixels,
            {"width": width, "height": height},
        )
    refuse_strip(width, height, limits.max_aspect)
    if (frames := declared_frames(stream)) > limits.max_frames:
        raise too_long(frames, limits.max_frames)
    return width, height


class _Samples:
    """Few frames of a clip, spread over it: for lettering, and larger ones where `looks` ask."""

    def __init__(self, stream: "VideoStream", stride: int, looks: Looks) -> None:
        self._stride, self._looks = stride, looks
        self._for_lettering = Developer(stream, lettering.SIDE)
        self._for_looks = Developer(stream, READ_SIDE)
        self._small: list[np.ndarray] = []
        self._large: list[np.ndarray] = []
        self._last: VideoFrame | None = None

    def see(self, frame: "VideoFrame", number: int) -> None:
        """Take the next frame, if it is one of them."""
        self._last = frame
        if number % self._stride or len(self._small) > _LETTERING_FRAMES:
            return
        self._small.append(self._for_lettering(frame))
        if self._looks.any:
            self._large.append(self._for_looks(frame))

    def facts(self) -> Row:
        """What they tell. All but text is of three: first, middle and last of the clip."""
        lettered = lettering.lasting_area_share(self._small)
        three = self._large[:1] + self._large[len(self._large) // 2 :][:1]
        if self._looks.any and self._last is not None:
            three.append(self._for_looks(self._last))
        return {
            "lettering": lettered,
            "ocr_area": self._looks.text_of(lettered, self._large),
            "nsfw": self._looks.nsfw_of(three),
            "quality": self._looks.quality_of(three),
            **self._looks.views_of(three),
        }


def _measured(stream: "VideoStream", limits: MediaLimits, looks: Looks) -> Row:
    """What only decoding tells."""
    stride = max(1, (declared_frames(stream) or limits.max_frames) // _LETTERING_FRAMES)
    meter, likeness, shake = MotionMeter(), LikenessMeter(), ShakeMeter()
    first, count = None, 0
    developed = Developer(stream)
    for_motion = Developer(stream, REDUCED_SIDE)
    samples = _Samples(stream, stride, looks)
    for frame in every_frame(stream, limits.max_frames):
        reduced = for_motion(frame)
        meter.add(reduced)
        likeness.add(reduced)
        shake.add(reduced)
        if first is None:
            first = developed(frame)
        samples.see(frame, count)
        count += 1
    if first is None:
        raise MediaError(Reason.VID_DECODE_ERROR, "no frame can be decoded", 0, 1)
    height, width = first.shape[:2]
    shape = f"clip {width}x{height}x{count} "
    return {
        "media": "clip",
        "width": width,
        "height": height,
        "num_frames": count,
        "pixel_id": digests.of_pixels(first, shape, f"{meter.digest} "),
        "phash": likeness.clip,
        "motion": meter.motion,
        "cut": meter.cut,
        "jitter": shake.jitter,
        **samples.facts(),
        "notes": for_motion.notes,
        "picture": first,
    }


def _small_jpeg(pixels: np.ndarray) -> bytes:
    import cv2

    size = reduced_size(pixels.shape[1], pixels.shape[0], THUMBNAIL_SIDE)
    return jpeg_bytes(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
