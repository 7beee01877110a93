"""How a decoded frame becomes a picture: upright, square pixels, standard range, 8-bit RGB.

The one place that knows. Every reader of clips goes through a `Developer`, so that the check of a
raw file, the face stage and training all see the same pixels. Kept files stay as they were filmed.
"""

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mm_model.media.content import reduced_size
from mm_model.media.failure import MediaError
from mm_model.records import Reason

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

# Numbers of ITU-T H.273.
_HIGH = {16: "PQ", 18: "HLG"}
_WIDE = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_BT709 = 1


@dataclass(frozen=True)
class Orientation:
    """What a container's display matrix asks for: rows for columns, then mirrored either way."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @property
    def mirrors(self) -> bool:
        """Whether the picture is shown as in a mirror, not only turned."""
        return self.transposed ^ self.mirrored_x ^ self.mirrored_y

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """`pixels` [H, W, 3] as they are to be seen, contiguous."""
        if self.transposed:
            pixels = pixels.transpose(1, 0, 2)
        if self.mirrored_x:
            pixels = pixels[:, ::-1]
        if self.mirrored_y:
            pixels = pixels[::-1]
        # Decoders pad rows; who hashes or copies the picture must not see that.
        return np.ascontiguousarray(pixels)


def turn_of(frame: "VideoFrame") -> Orientation:
    """The turn that the container asks of `frame`, to the nearest quarter."""
    # av's stub calls the value of a mapping an object.
    side = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))
    if side is None:
        return Orientation()
    # 3 x 3 in rows; the first two map (x, y) to (a x + c y, b x + d y).
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(side), np.int32)[:5])
    if abs(b) > abs(a):
        return Orientation(True, c < 0, b < 0)
    return Orientation(False, a < 0, d < 0)


def square_size(stream: "VideoStream", width: int, height: int) -> tuple[int, int]:
    """(width, height) of a stored frame with its pixels made square: the width is what changes.

    A change of one pixel would only blur, and is left out.
    """
    wide = round(width * (stream.sample_aspect_ratio or Fraction(1)))
    return (width if abs(wide - width) <= 1 else max(1, wide)), height


@dataclass(frozen=True)
class _Colour:
    """Names of what must be converted: high dynamic range, and a gamut wider than BT.709."""

    range: str | None
    gamut: str | None

    @property
    def note(self) -> str | None:
        """What a conversion is called in a table; None when none is needed."""
        if self.range:
            return f"high dynamic range ({self.range}) converted to standard"
        return f"{self.gamut} colours converted to BT.709" if self.gamut else None


def _colour_of(frame: "VideoFrame") -> _Colour:
    return _Colour(_HIGH.get(frame.color_trc), _WIDE.get(frame.color_primaries))


_of_thread = threading.local()


def _converter() -> "VideoReformatter":
    """This thread's converter of colours: it keeps its table, seconds of work, while sizes stay."""
    from av.video.reformatter import VideoReformatter

    if not hasattr(_of_thread, "converter"):
        _of_thread.converter = VideoReformatter()
    return _of_thread.converter


def _in_bt709(frame: "VideoFrame", colour: _Colour, **wanted: Any) -> np.ndarray:
    """`frame` as uint8 [h, w, 3] RGB, its colours converted.

    Raises:
        MediaError: FMT_HDR, where they cannot be.
    """
    import av

    try:
        return (
            _converter()
            .reformat(
                frame,
                format="rgb24",
                dst_color_trc=_BT709,
                dst_color_primaries=_BT709,
                threads=1,
                **wanted,
            )
            .to_ndarray()
        )
    except (av.error.FFmpegError, ValueError):
        said = f"{colour.range or colour.gamut} colours cannot be converted to BT.709"
        raise MediaError(Reason.FMT_HDR, said) from None


def in_standard_range(
    pixels: np.ndarray, primaries: int, transfer: int
) -> tuple[np.ndarray, str | None]:
    """RGB `pixels` (uint8 [H, W, 3]) whose colours ITU-T H.273's numbers name, in BT.709; a note.

    Unchanged and without a note where they need nothing.

    Raises:
        MediaError: FMT_HDR, where the colours cannot be converted.
    """
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame.color_primaries, frame.color_trc = primaries, transfer
    colour = _colour_of(frame)
    if not colour.note:
        return pixels, None
    frame.colorspace, frame.color_range = 0, 2  # RGB, all values used
    return _in_bt709(frame, colour), colour.note


class Developer:
    """Turns the frames of one stream into uint8 [H, W, 3] RGB pictures, contiguous.

    All have the first frame's size, shrunk to `longest` pixels where that is given. `notes` says
    what was unusual in the frames seen so far. PQ and HLG are mapped so that diffuse white (203
    nits) is white, and brighter highlights are clipped.
    """

    def __init__(self, stream: "VideoStream", longest: int | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        self._stream = stream
        self._longest = longest
        self._reformatter = VideoReformatter()  # one for all frames: making it is the costly part
        self._stored = self._size = (0, 0)  # until the first frame
        self._turn = Orientation()
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> list[str]:
        """What was unusual, in the order it was seen."""
        return list(self._notes)

    def plain(self, frame: "VideoFrame") -> bool:
        """Whether a reader that only decodes and turns would give the same picture."""
        square = square_size(self._stream, frame.width, frame.height)
        return (
            square == (frame.width, frame.height)
            and _colour_of(frame).note is None
            and frame.format.components[0].bits == 8
            and not turn_of(frame).mirrors
        )

    def see(self, frame: "VideoFrame") -> None:
        """Take notice of `frame`; the first one sets size and turn of all pictures."""
        if self._stored == (0, 0):
            self._stored = (frame.width, frame.height)
            self._size = square_size(self._stream, *self._stored)
            self._turn = turn_of(frame)
        self._take_note(frame, _colour_of(frame))

    def __call__(self, frame: "VideoFrame") -> np.ndarray:
        """The picture of `frame`.

        Raises:
            MediaError: FMT_HDR or VID_DECODE_ERROR, where it cannot be converted.
        """
        self.see(frame)
        colour = _colour_of(frame)
        developed = self._plainly if colour.note is None else self._in_other_colours
        return self._turn(developed(frame, colour))

    def _plainly(self, frame: "VideoFrame", _: _Colour) -> np.ndarray:
        import av

        width, height = self._size
        if self._longest is not None:
            width, height = reduced_size(width, height, self._longest)
        method = self._method(frame) if self._longest is None else "AREA"
        try:
            return self._reformatter.reformat(
                frame, width=width, height=height, format="rgb24", interpolation=method, threads=1
            ).to_ndarray()
        except (av.error.FFmpegError, ValueError):
            said = f"frames of format {frame.format.name} cannot be converted to RGB"
            raise MediaError(Reason.VID_DECODE_ERROR, said) from None

    def _in_other_colours(self, frame: "VideoFrame", colour: _Colour) -> np.ndarray:
        """Converted in full size, so that one table serves; then shrunk."""
        width, height = self._size
        pixels = _in_bt709(
            frame, colour, width=width, height=height, interpolation=self._method(frame)
        )
        if self._longest is None:
            return pixels
        import cv2

        size = reduced_size(width, height, self._longest)
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    def _method(self, frame: "VideoFrame") -> str:
        return "BILINEAR" if self._size == (frame.width, frame.height) else "BICUBIC"

    def _take_note(self, frame: "VideoFrame", colour: _Colour) -> None:
        stored, bits = (frame.width, frame.height), frame.format.components[0].bits
        if colour.note:
            self._notes[colour.note] = None
        if bits > 8:
            self._notes[f"{bits} bits a sample reduced to 8"] = None
        if frame.interlaced_frame:
            self._notes["interlaced"] = None
        if self._size != self._stored:
            self._notes[
                "{}x{} pixels that are not square made {}x{} square ones".format(
                    *self._stored, *self._size
                )
            ] = None
        if stored != self._stored:
            self._notes["frames of several sizes, brought to the first one's"] = None
