"""The profile's rules on one file's facts: sizes, lengths, stillness, cuts, lettering.

Pure: facts and settings in, the first broken rule out. A rule whose setting is null is off, and
the value that equals a bound passes.
"""

from typing import Any

from mm_model.records import Reason
from mm_model.settings import IngestSettings

Broken = tuple[Reason, str, float | None, float | None]


def broken_rule(facts: dict[str, Any], rules: IngestSettings) -> Broken | None:
    """(reason, message, value, threshold) of the first rule that the file breaks, or None."""
    side = min(facts["width"], facts["height"])
    if side < rules.min_side:
        return (Reason.FMT_TOO_SMALL, "the shorter side has too few pixels", side, rules.min_side)
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
