"""The filters of stage `pairs`: pictures that were made for a person, and pairs of pictures. Pure.

A made picture is judged under the section `faces`, as every picture; a pair under `pairs`.
"""

from dataclasses import dataclass
from typing import Any

from mm_model.decisions.port import (
    Broken,
    Decision,
    Measure,
    Need,
    Threshold,
    first_broken,
    with_those_of,
)
from mm_model.decisions.reasons import Reason


@dataclass(frozen=True)
class MadePicture:
    """What a synthesised picture shows.

    counted, every_face: faces that count, and all. origin: faces of the picture it was made from,
    at least 1. missed: score and threshold of what came nearest to being a face.
    """

    counted: int
    every_face: int
    origin: int
    missed: tuple[float, float] | None = None


@dataclass(frozen=True)
class TriedPair:
    """What is known of a target and its reference; `cosine` is None where one has no embedding."""

    cosine: float | None


MESSAGES: dict[str, str] = {
    Reason.PAIR_LOW_COSINE: "reference and target look like different people",
    Reason.PAIR_NO_FACE: "the synthesised picture shows no face",
    Reason.PAIR_MANY_FACES: "the synthesised picture shows more faces than it may",
    Reason.SYS_WORKER_CRASH: "the synthesised picture could not be made",
}
"""What is said of a pair that is not kept, where nothing more exact is known."""

COSINE = Measure("cosine", "cosine of the embeddings of target and reference")
REFERENCE_SCORE = Measure("reference_score", "the detector's score of a made reference's face")
REFERENCE_FACES = Measure("reference_faces", "faces in a made reference", "count")


def _broken(reason: Reason, value: float | None, threshold: float) -> Broken:
    return Broken(reason, MESSAGES[reason], value, threshold)


def _no_face(seen: MadePicture, rules: Any) -> Broken | None:
    if seen.counted:
        return None
    score, above = seen.missed or (None, rules.detection_above)
    return _broken(Reason.PAIR_NO_FACE, score, above)


def _many_faces(seen: MadePicture, rules: Any) -> Broken | None:
    if seen.every_face <= seen.origin and seen.counted <= rules.max_faces:
        return None
    allowed = min(seen.origin, rules.max_faces)
    return _broken(Reason.PAIR_MANY_FACES, seen.every_face, allowed)


def _unlike(seen: TriedPair, rules: Any) -> Broken | None:
    if seen.cosine is not None and seen.cosine > rules.cosine_above:
        return None
    return _broken(Reason.PAIR_LOW_COSINE, seen.cosine, rules.cosine_above)


OF_PICTURES = (
    Decision(
        "made_no_face",
        needs=Need.FACES,
        rejects="has a made reference that shows no face",
        reasons=(Reason.PAIR_NO_FACE,),
        measures=(REFERENCE_SCORE,),
        thresholds=(Threshold("faces.detection_above"), Threshold("faces.padded_detection_above")),
        rule=_no_face,
    ),
    Decision(
        "made_many_faces",
        needs=Need.FACES,
        rejects="has a made reference with more faces than its origin",
        reasons=(Reason.PAIR_MANY_FACES,),
        measures=(REFERENCE_FACES,),
        thresholds=(Threshold("faces.max_faces"),),
        rule=_many_faces,
    ),
)
OF_PAIRS = (
    Decision(
        "unlike",
        needs=Need.EMBEDDINGS,
        rejects="shows different people, as far as the cosine tells",
        reasons=(Reason.PAIR_LOW_COSINE,),
        measures=(COSINE,),
        thresholds=(Threshold("pairs.cosine_above"),),
        rule=_unlike,
    ),
)
DECISIONS = (*OF_PICTURES, *OF_PAIRS)
"""In the order in which they are asked."""

MEASURES = with_those_of((COSINE, REFERENCE_SCORE, REFERENCE_FACES), DECISIONS)
"""The columns of what is measured, in their order."""


def flaw_of(picture: MadePicture, rules: Any) -> Broken | None:
    """The first rule of `OF_PICTURES` that a made picture breaks under the section `faces`."""
    return first_broken(OF_PICTURES, picture, rules)


def broken_rule(pair: TriedPair, rules: Any) -> Broken | None:
    """The first rule of `OF_PAIRS` that a pair breaks under the section `pairs`.

    A pair is kept above the least cosine, not at it; None and NaN never are.
    """
    return first_broken(OF_PAIRS, pair, rules)
