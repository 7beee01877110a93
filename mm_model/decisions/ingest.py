"""The filters of stage `ingest`, on one file's facts: sizes, shape, lengths, stillness, lettering.

Pure. A filter whose setting is null is off, and the value that equals a bound passes. What the
filters hold against their bounds is measured for every file, kept or not, so that bounds can be set
from a table.
"""

from typing import Any

from mm_model.decisions.port import (
    Broken,
    Decision,
    Measure,
    Need,
    Threshold,
    first_broken,
    most,
    with_those_of,
)
from mm_model.decisions.reasons import Reason

Facts = dict[str, Any]
"""What a header or frame said, of as many kinds as there are measures."""


def aspect_of(width: int, height: int) -> float:
    """The longer side over the shorter one, at least 1."""
    return max(width, height) / max(1, min(width, height))


def _of_size(facts: Facts, what: Any) -> float | None:
    width, height = facts.get("width"), facts.get("height")
    return None if width is None or height is None else what(width, height)


def _seconds(facts: Facts) -> float | None:
    frames, fps = facts.get("num_frames"), facts.get("fps")
    return frames / fps if frames and fps else None


SHORTER_SIDE = Measure(
    "shorter_side", "pixels of the shorter side", "count", lambda facts: _of_size(facts, min)
)
ASPECT = Measure(
    "aspect", "longer side over the shorter one", of=lambda facts: _of_size(facts, aspect_of)
)
PIXELS = Measure(
    "pixels",
    "width times height",
    "count",
    lambda facts: _of_size(facts, lambda width, height: width * height),
)
SECONDS = Measure("seconds", "length of a clip: frames over frames a second", of=_seconds)
MOTION = Measure(
    "motion",
    "mean absolute change between frames of a clip, 0 to 255",
    of=lambda facts: facts.get("motion"),
)
CUT = Measure(
    "cut",
    "largest histogram distance of two shots that a clip joins, 0 to 1",
    of=lambda facts: facts.get("cut"),
)
LETTERING = Measure(
    "lettering",
    "share of the picture inside lines of lettering",
    of=lambda facts: facts.get("lettering"),
)
JITTER = Measure(
    "jitter",
    "camera shake of a clip: shift between frames less its smooth part, percent of the longer side",
    of=lambda facts: facts.get("jitter"),
)
OCR_AREA = Measure(
    "ocr_area",
    "share of the picture inside lines that OCR read, of files that it looked at",
    of=lambda facts: facts.get("ocr_area"),
)
NSFW = Measure(
    "nsfw",
    "largest probability that a picture, or one of three frames, is not safe for work",
    of=lambda facts: facts.get("nsfw"),
)
WATERMARK = Measure(
    "watermark",
    "largest probability of a watermark in a picture, or one of three frames, by the classifier",
    of=lambda facts: facts.get("watermark"),
)
QUALITY = Measure(
    "quality",
    "BRISQUE of a picture, or the highest of three frames: 0 to 100, the higher the worse",
    of=lambda facts: facts.get("quality"),
)
CAPTION_WORDS = Measure("caption_words", "words of the caption that was given", "count")
CAPTION_LATIN = Measure("caption_latin", "share of that caption's letters that are Latin")
CAPTION_REPEATS = Measure(
    "caption_repeats", "share of that caption's runs of three words that stood in it before"
)
NUM_FRAMES = Measure("num_frames", "frames of a clip, 1 of a photograph", "count")


def _too_small(facts: Facts, rules: Any) -> Broken | None:
    side = _of_size(facts, min)
    if side < rules.min_side:
        said = "the shorter side has too few pixels"
        return Broken(Reason.FMT_TOO_SMALL, said, side, rules.min_side)
    return None


def _too_short(facts: Facts, rules: Any) -> Broken | None:
    frames = facts["num_frames"]
    if facts["media"] == "clip" and frames < rules.min_frames:
        return Broken(Reason.VID_TOO_SHORT, "too few frames", frames, rules.min_frames)
    return None


def _too_long(facts: Facts, rules: Any) -> Broken | None:
    frames = facts["num_frames"]
    if facts["media"] == "clip" and frames > rules.max_frames:
        return Broken(Reason.VID_TOO_LONG, "too many frames", frames, rules.max_frames)
    return None


def _still(facts: Facts, rules: Any) -> Broken | None:
    motion, bound = facts["motion"], rules.static_below
    if facts["media"] == "clip" and None not in (motion, bound) and motion < bound:
        return Broken(Reason.CONTENT_STATIC, "nothing moves", motion, bound)
    return None


def _poor_caption(name: str, what: str, measure: Measure, *fields: str) -> Decision:
    """What the stage rejects for its caption, asked when all else is decided."""
    return Decision(
        name,
        needs=Need.PIXELS,
        rejects=f"has {what}, where `ingest.caption_lint` is reject",
        reasons=(Reason.CONTENT_CAPTION,),
        measures=(measure,),
        thresholds=tuple(Threshold(f"ingest.{field}") for field in fields),
    )


DECISIONS = (
    Decision(
        "too_many_pixels",
        needs=Need.HEADER,
        rejects="has more pixels than are decoded",
        reasons=(Reason.FMT_BOMB,),
        measures=(PIXELS,),
        thresholds=(Threshold("ingest.max_pixels"),),
    ),
    Decision(
        "too_dear",
        needs=Need.PIXELS,
        rejects="takes more processor time or memory to decode",
        reasons=(Reason.VID_DECODE_TIMEOUT, Reason.FMT_BOMB),
        measures=(),
        thresholds=(Threshold("ingest.decode_seconds"), Threshold("ingest.decode_memory_mb")),
    ),
    Decision(
        "too_small",
        needs=Need.HEADER,
        rejects="is too small",
        reasons=(Reason.FMT_TOO_SMALL,),
        measures=(SHORTER_SIDE,),
        thresholds=(Threshold("ingest.min_side"),),
        rule=_too_small,
    ),
    most(
        "strip",
        needs=Need.HEADER,
        rejects="is too long for its width",
        reason=Reason.FMT_STRIP,
        measure=ASPECT,
        threshold=Threshold("ingest.max_aspect"),
        message="the picture is too long for its shorter side",
        value=lambda facts: _of_size(facts, aspect_of),
    ),
    Decision(
        "too_short",
        needs=Need.FRAMES,
        rejects="is a clip of too few frames",
        reasons=(Reason.VID_TOO_SHORT,),
        measures=(NUM_FRAMES,),
        thresholds=(Threshold("ingest.min_frames"),),
        rule=_too_short,
    ),
    Decision(
        "too_long",
        needs=Need.HEADER,
        rejects="is a clip of too many frames",
        reasons=(Reason.VID_TOO_LONG,),
        measures=(NUM_FRAMES,),
        thresholds=(Threshold("ingest.max_frames"),),
        rule=_too_long,
    ),
    Decision(
        "still",
        needs=Need.FRAMES,
        rejects="is a clip in which nothing moves",
        reasons=(Reason.CONTENT_STATIC,),
        measures=(MOTION,),
        thresholds=(Threshold("ingest.static_below"),),
        rule=_still,
    ),
    most(
        "cut",
        needs=Need.FRAMES,
        rejects="is a clip in which the scene changes",
        reason=Reason.CONTENT_CUT,
        measure=CUT,
        threshold=Threshold("ingest.cut_above"),
        message="the scene changes",
        value=lambda facts: facts["cut"] if facts["media"] == "clip" else None,
    ),
    most(
        "shaken",
        needs=Need.FRAMES,
        rejects="is a clip of a shaking camera",
        reason=Reason.CONTENT_JITTER,
        measure=JITTER,
        threshold=Threshold("ingest.jitter_above", within=(0, 100)),
        message="the camera shakes",
        value=lambda facts: facts.get("jitter"),
    ),
    most(
        "lettering",
        needs=Need.PIXELS,
        rejects="shows too much lettering, where OCR does not look",
        reason=Reason.CONTENT_TEXT,
        measure=LETTERING,
        threshold=Threshold("ingest.text_area_above"),
        message="lettering covers too much",
        value=lambda facts: facts["lettering"] if facts.get("ocr_area") is None else None,
    ),
    most(
        "text_read",
        needs=Need.PIXELS,
        rejects="shows too much text, as OCR reads it",
        reason=Reason.CONTENT_TEXT,
        measure=OCR_AREA,
        threshold=Threshold("ingest.text_area_above"),
        message="text that can be read covers too much",
        value=lambda facts: facts.get("ocr_area"),
    ),
    most(
        "nsfw",
        needs=Need.PIXELS,
        rejects="is not safe for work",
        reason=Reason.CONTENT_NSFW,
        measure=NSFW,
        threshold=Threshold("ingest.nsfw_above"),
        message="it is probably not safe for work",
        value=lambda facts: facts.get("nsfw"),
    ),
    most(
        "watermark",
        needs=Need.PIXELS,
        rejects="shows a watermark, as the classifier `ingest.watermark_model` tells",
        reason=Reason.CONTENT_WATERMARK,
        measure=WATERMARK,
        threshold=Threshold("ingest.watermark_above"),
        message="it probably shows a watermark",
        value=lambda facts: facts.get("watermark"),
    ),
    most(
        "poor_quality",
        needs=Need.PIXELS,
        rejects="is compressed, blurred or enlarged too much, by its statistics alone",
        reason=Reason.CONTENT_QUALITY,
        measure=QUALITY,
        threshold=Threshold("ingest.quality_above"),
        message="its quality is too poor",
        value=lambda facts: facts.get("quality"),
    ),
    Decision(
        "alike",
        needs=Need.PIXELS,
        rejects="looks like a file that is kept, up to so many bits of its hash",
        reasons=(Reason.DUP_PERCEPTUAL,),
        measures=(),
        thresholds=(Threshold("ingest.alike_within"),),
    ),
    _poor_caption(
        "caption_length",
        "no caption of use, or one of too few or too many words",
        CAPTION_WORDS,
        "caption_min_words",
        "caption_max_words",
    ),
    _poor_caption(
        "caption_script", "a caption of few Latin letters", CAPTION_LATIN, "caption_latin_share"
    ),
    _poor_caption(
        "caption_loop", "a caption that repeats itself", CAPTION_REPEATS, "caption_repeats"
    ),
)
"""In the order in which they are asked. Readers ask the first two, `strip` and `too_long` while
they open a file, `alike` is asked of all files together, those of captions of what is kept."""

MEASURES = tuple(
    measure
    for measure in with_those_of(
        (
            *(SHORTER_SIDE, ASPECT, PIXELS, SECONDS, MOTION, CUT, JITTER, LETTERING, OCR_AREA),
            *(NSFW, WATERMARK, QUALITY),
        ),
        DECISIONS,
    )
    if measure is not NUM_FRAMES  # a fact of every file, with a column of its own
)
"""The columns of what is measured, in their order."""


def measures(facts: Facts) -> dict[str, float | int | None]:
    """The columns `MEASURES` of a file; None what its facts do not tell."""
    return {measure.name: measure.of(facts) for measure in MEASURES if measure.of}


def broken_rule(facts: Facts, rules: Any) -> Broken | None:
    """The first rule of `DECISIONS` that the file breaks under the section `ingest`, or None."""
    return first_broken(DECISIONS, facts, rules)
