"""The shape of a picture, told before it is decoded: how long it is for its width.

A strip costs what its pixels cost and shows nobody. Who takes pictures from outside calls
`refuse_strip` with the header's size; the limit is the profile's `ingest.max_aspect`.
"""

from mm_model.decisions.ingest import aspect_of
from mm_model.media.failure import MediaError
from mm_model.records import Reason


def refuse_strip(width: int, height: int, max_aspect: float | None) -> None:
    """Return if `aspect_of` is at most `max_aspect`; None switches the rule off.

    Raises:
        MediaError: FMT_STRIP, with the aspect as value and the limit as threshold.
    """
    aspect = aspect_of(width, height)
    if max_aspect is None or aspect <= max_aspect:
        return
    raise MediaError(
        Reason.FMT_STRIP,
        f"{width}x{height} is too long for its shorter side",
        aspect,
        max_aspect,
        {"width": width, "height": height},
    )
