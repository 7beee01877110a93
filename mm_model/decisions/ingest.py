"""The profile's rules on one file's facts: sizes, shape, lengths, stillness, cuts, lettering.

Pure: facts and settings in, the first broken rule out. A rule whose setting is null is off, and
the value that equals a bound passes. What the rules hold against their bounds is measured for
every file, kept or not, so that bounds can be set from a table.
"""

from typing import Any

from mm_model.media.shape import aspect_of
from mm_model.records import Reason
from mm_model.settings import IngestSettings

Broken = tuple[Reason, str, float | None, float | None]


def measures(facts: dict[str, Any]) -> dict[str, float | int | None]:
    """The columns `records.INGEST_MEASURES` of a file; None what its facts do not tell.

    `seconds` is of clips, frames over frames a second.
    """
    width, height = facts.get("width"), facts.get("height")
    sized = width is not None and height is not None
    frames, fps = facts.get("num_frames"), facts.get("fps")
    return {
        "shorter_side": min(width, height) if sized else None,
        "aspect": aspect_of(width, height) if sized else None,
        "pixels": width * height if sized else None,
        "seconds": frames / fps if frames and fps else None,
        "motion": facts.get("motion"),
        "cut": facts.get("cut"),
        "lettering": facts.get("lettering"),
    }


def broken_rule(facts: dict[str, Any], rules: IngestSettings) -> Broken | None:
    """(reason, message, value, threshold) of the first rule that the file breaks, or None."""
    seen = measures(facts)
    side = seen["shorter_side"]
    if side < rules.min_side:
        return (Reason.FMT_TOO_SMALL, "the shorter side has too few pixels", side, rules.min_side)
    long = "the picture is too long for its shorter side"
    if broken := _above(seen["aspect"], rules.max_aspect, Reason.FMT_STRIP, long):
        return broken
    if facts["media"] == "clip" and (broken := _clip_rule(facts, rules)):
        return broken
    return _above(
        facts["lettering"], rules.text_area_above, Reason.CONTENT_TEXT, "lettering covers too much"
    )


def _clip_rule(facts: dict[str, Any], rules: IngestSettings) -> Broken | None:
    frames = facts["num_frames"]
    if frames < rules.min_frames:
        return (Reason.VID_TOO_SHORT, "too few frames", frames, rules.min_frames)
    if frames > rules.max_frames:
        return (Reason.VID_TOO_LONG, "too many frames", frames, rules.max_frames)
    motion = facts["motion"]
    if rules.static_below is not None and motion is not None and motion < rules.static_below:
        return (Reason.CONTENT_STATIC, "nothing moves", motion, rules.static_below)
    return _above(facts["cut"], rules.cut_above, Reason.CONTENT_CUT, "the scene changes")


def _above(
    value: float | None, threshold: float | None, reason: Reason, message: str
) -> Broken | None:
    if value is None or threshold is None or value <= threshold:
        return None
    return (reason, message, value, threshold)
