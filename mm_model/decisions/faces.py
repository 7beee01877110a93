"""The filters of stage `faces`, on what was seen of one sample: exactly one usable face.

Pure, but for what is measured of a frame. The value that equals a bound passes; NaN is rejected
wherever it appears.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mm_model.decisions import pose
from mm_model.decisions.port import (
    Broken,
    Decision,
    Measure,
    Need,
    Threshold,
    first_broken,
    least,
    most,
    with_those_of,
)
from mm_model.decisions.reasons import Reason

MANY_FRAMES_SHARE = 0.2
"""Share of a sample's frames with a face that may show too many faces (design choice)."""


@dataclass(frozen=True)
class FaceMeasurements:
    """What was measured in one sample; sizes in pixels, medians over frames with a face.

    most_faces, bystanders: most faces in one frame that counted, and that did not. other_face: side
    of the largest further face over the main one's, 0 when nobody else was seen. Without any face
    `detection_score` is the best score that was not enough, and `missed_above` what it was held to;
    what could not be measured is NaN. track_cosine: lowest cosine of two embedded frames, NaN of
    fewer than two. prescreen: best score of the cheap look, NaN without one; where that was not
    enough no frame is examined, and nothing else is known. medians: of what `MEASURES` measure in
    each frame. media: `image` or `clip`.
    """

    examined: int
    found: int
    padded_share: float
    many_share: float
    most_faces: int
    bystanders: int
    other_face: float
    detection_score: float
    medians: Mapping[str, float] = field(default_factory=dict)
    missed_above: float = math.nan
    media: str = "clip"
    track_cosine: float = math.nan
    prescreen: float = math.nan

    @property
    def found_share(self) -> float:
        """Share of the examined frames with a face; NaN where none was examined."""
        return self.found / self.examined if self.examined else math.nan

    def median(self, measure: Measure) -> float:
        """The median of a measure over the frames with a face; NaN without any."""
        return self.medians.get(measure.name, math.nan)


def sharpness(image: Any, box: Any, side: int = 112) -> float:
    """Variance of the Laplacian of the grey face crop at `side` x `side` pixels; NaN off-picture.

    image: RGB uint8 [height, width, 3]; box: x1, y1, x2, y2 in its pixels. The fixed size makes
    faces of all sizes comparable: an enlarged small face counts as blurred.
    """
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    x1, y1 = max(0, int(box[0])), max(0, int(box[1]))
    x2, y2 = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    if x2 - x1 < 2 or y2 - y1 < 2:
        return float("nan")
    crop = cv2.cvtColor(np.ascontiguousarray(image[y1:y2, x1:x2]), cv2.COLOR_RGB2GRAY)
    shrinking = min(crop.shape) > side
    resized = cv2.resize(
        crop, (side, side), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    )
    return float(cv2.Laplacian(resized, cv2.CV_64F).var())


PRESCREEN = Measure(
    "prescreen",
    "best score of the cheap first look, where `faces.prescreen_size` asks for one",
    of=lambda seen: seen.prescreen,
)
FOUND_SHARE = Measure(
    "found_share", "share of the examined frames with a face", of=lambda seen: seen.found_share
)
PADDED_SHARE = Measure(
    "padded_share",
    "share of those frames whose face took a border to be found",
    of=lambda seen: seen.padded_share,
)
DETECTION_SCORE = Measure(
    "detection_score",
    "the detector's score; without a face the best miss",
    of=lambda seen: seen.detection_score,
)
FACE_SIZE = Measure(
    "face_size",
    "pixels of the shorter side of the face's box",
    each=lambda image, face: face.short_side,
)
SHARPNESS = Measure(
    "sharpness",
    "variance of the Laplacian of the grey face crop",
    each=lambda image, face: sharpness(image, face.box),
)
MOST_FACES = Measure(
    "most_faces",
    "most faces in one frame that count",
    "count",
    lambda seen: seen.most_faces if seen.examined else None,
)
MANY_SHARE = Measure(
    "many_share",
    "share of the frames with a face that show too many",
    of=lambda seen: seen.many_share,
)
BYSTANDERS = Measure(
    "bystanders",
    "most faces in one frame that are too small to count",
    "count",
    lambda seen: seen.bystanders if seen.examined else None,
)
OTHER_FACE = Measure(
    "other_face",
    "side of the largest further face over the main one's",
    of=lambda seen: seen.other_face,
)
YAW = Measure(
    "yaw",
    "degrees by which the head is turned to the image's right",
    each=lambda image, face: float(pose.held(face.landmarks).yaw),
)
PITCH = Measure(
    "pitch",
    "degrees by which the head is bowed, up to some ten",
    each=lambda image, face: float(pose.held(face.landmarks).pitch),
)
ROLL = Measure(
    "roll",
    "degrees by which the head tips to the image's right",
    each=lambda image, face: float(pose.held(face.landmarks).roll),
)
OCCLUSION = Measure(
    "occlusion",
    "one less the least contrast around an eye, nose or mouth corner over the face's, 0 to 1",
)
AGE = Measure("age_years", "age as the pack's genderage model estimates it, of packs that hold one")
FEMALE = Measure(
    "gender_p_female", "that model's probability that the face is a woman's or a girl's"
)
TRACK_COSINE = Measure(
    "track_cosine",
    "lowest cosine of the followed face in two frames of a clip, of files that were embedded",
    of=lambda seen: seen.track_cosine,
)
EMBEDDING_NORM = Measure("embedding_norm", "median length of the embeddings, of kept samples")

SECOND_LOOK = (
    Measure("bordered_score", "the detector's score once the picture has a wider border"),
    Measure("bordered_cosine", "cosine of the face to itself there"),
)
"""Columns of people who are held out on the word of one file; nobody is rejected for them."""


def not_worth_a_look(score: float, rules: Any) -> bool:
    """Whether the cheap look's score spares the full one under these rules."""
    return rules.prescreen_size is not None and not score >= rules.prescreen_above


def _nothing_like_a_face(seen: FaceMeasurements, rules: Any) -> Broken | None:
    if not not_worth_a_look(seen.prescreen, rules):
        return None
    said = f"nothing like a face in a look at {rules.prescreen_size} pixels"
    best = f"; the best score was {seen.prescreen:.2f}" if seen.prescreen > 0 else ""
    return Broken(Reason.FACE_NONE, said + best, seen.prescreen, rules.prescreen_above)


def _no_face(seen: FaceMeasurements, rules: Any) -> Broken | None:
    if seen.found:
        return None
    what = "the picture" if seen.media == "image" else f"{seen.examined} frames"
    near = math.isfinite(seen.missed_above)
    best = f"; the best score was {seen.detection_score:.2f}" if near else ""
    return Broken(
        Reason.FACE_NONE,
        f"no face found in {what}, with or without a border{best}",
        seen.detection_score,
        seen.missed_above if near else rules.detection_above,
    )


def _broken_track(seen: FaceMeasurements, rules: Any) -> Broken | None:
    if seen.found_share >= rules.found_share_min:
        return None
    said = f"a face in {seen.found} of {seen.examined} frames"
    return Broken(Reason.FACE_TRACK_BROKEN, said, seen.found_share, rules.found_share_min)


def _many(seen: FaceMeasurements, rules: Any) -> Broken | None:
    if not seen.many_share > MANY_FRAMES_SHARE:
        return None
    said = f"up to {seen.most_faces} faces, {rules.max_faces} allowed"
    return Broken(Reason.FACE_MANY, said, seen.many_share, MANY_FRAMES_SHARE)


def _turned_away(seen: FaceMeasurements, rules: Any) -> Broken | None:
    bound, yaw = rules.max_yaw, seen.median(YAW)
    if bound is None or abs(yaw) <= bound:
        return None
    said = f"the head is turned by {abs(yaw):.0f} degrees"
    return Broken(Reason.FACE_POSE, said, abs(yaw), bound)


def _too_young(seen: FaceMeasurements, rules: Any) -> Broken | None:
    bound, age = rules.min_age, seen.median(AGE)
    if bound is None or age >= bound:
        return None
    told = "is unknown" if math.isnan(age) else f"is estimated at {age:.0f} years"
    return Broken(Reason.FACE_YOUNG, f"the person's age {told}", age, bound)


def _another(seen: FaceMeasurements, rules: Any) -> Broken | None:
    bound, cosine = rules.track_cosine_min, seen.track_cosine
    if bound is None or math.isnan(cosine) or cosine >= bound:
        return None
    said = f"the face that is followed becomes another's: cosine {cosine:.2f} between two frames"
    return Broken(Reason.FACE_CHANGES, said, cosine, bound)


DECISIONS = (
    Decision(
        "nothing_like_a_face",
        needs=Need.FACES,
        rejects="shows nothing like a face in a cheap look, and is looked at no further",
        reasons=(Reason.FACE_NONE,),
        measures=(PRESCREEN,),
        thresholds=(Threshold("faces.prescreen_above"),),
        rule=_nothing_like_a_face,
        keeps="from",
    ),
    Decision(
        "no_face",
        needs=Need.FACES,
        rejects="shows no face",
        reasons=(Reason.FACE_NONE,),
        measures=(DETECTION_SCORE,),
        thresholds=(Threshold("faces.detection_above"), Threshold("faces.padded_detection_above")),
        rule=_no_face,
    ),
    Decision(
        "broken_track",
        needs=Need.FACES,
        rejects="shows a face in too few frames",
        reasons=(Reason.FACE_TRACK_BROKEN,),
        measures=(FOUND_SHARE,),
        thresholds=(Threshold("faces.found_share_min"),),
        rule=_broken_track,
    ),
    Decision(
        "many_faces",
        needs=Need.FACES,
        rejects=f"shows too many faces in more than {MANY_FRAMES_SHARE:g} of the frames",
        reasons=(Reason.FACE_MANY,),
        measures=(MANY_SHARE, MOST_FACES, BYSTANDERS),
        thresholds=(Threshold("faces.max_faces"), Threshold("faces.bystander_below")),
        rule=_many,
    ),
    least(
        "small_face",
        needs=Need.FACES,
        rejects="shows a face that is too small",
        reason=Reason.FACE_SMALL,
        measure=FACE_SIZE,
        threshold=Threshold("faces.min_face"),
        message="the face is {value:.0f} pixels wide or high",
        value=lambda seen: seen.median(FACE_SIZE),
    ),
    least(
        "blurred_face",
        needs=Need.FACES,
        rejects="shows a face that is too blurred",
        reason=Reason.FACE_BLUR,
        measure=SHARPNESS,
        threshold=Threshold("faces.min_sharpness"),
        message="sharpness {value:.1f} of the face crop",
        value=lambda seen: seen.median(SHARPNESS),
    ),
    Decision(
        "turned_away",
        needs=Need.FACES,
        rejects="shows a head that is turned too far to a side",
        reasons=(Reason.FACE_POSE,),
        measures=(YAW,),
        thresholds=(Threshold("faces.max_yaw"),),
        rule=_turned_away,
    ),
    most(
        "covered_face",
        needs=Need.FACES,
        rejects="shows a face that is covered in part",
        reason=Reason.FACE_OCCLUDED,
        measure=OCCLUSION,
        threshold=Threshold("faces.max_occlusion"),
        message="the face is covered in part: occlusion {value:.2f}",
        value=lambda seen: seen.median(OCCLUSION),
    ),
    Decision(
        "too_young",
        needs=Need.FACES,
        rejects="shows somebody who is too young, as the pack's model estimates it",
        reasons=(Reason.FACE_YOUNG,),
        measures=(AGE,),
        thresholds=(Threshold("faces.min_age"),),
        rule=_too_young,
        keeps="from",
    ),
    Decision(
        "another_face",
        needs=Need.EMBEDDINGS,
        rejects="is a clip in which the face that is followed becomes another's",
        reasons=(Reason.FACE_CHANGES,),
        measures=(TRACK_COSINE,),
        thresholds=(Threshold("faces.track_cosine_min"),),
        rule=_another,
        keeps="from",
    ),
    Decision(
        "redundant",
        needs=Need.EMBEDDINGS,
        rejects="is of an identity that looks like another, where `faces.redundant` is reject",
        reasons=(Reason.DUP_IDENTITY,),
        measures=(),
        thresholds=(Threshold("faces.redundant_above"),),
    ),
)
"""In the order in which they are asked: `another_face` once a sample that breaks none of those
before is embedded, `redundant` of all samples together."""

MEASURES = with_those_of(
    (
        PRESCREEN,
        FOUND_SHARE,
        PADDED_SHARE,
        DETECTION_SCORE,
        FACE_SIZE,
        SHARPNESS,
        MOST_FACES,
        MANY_SHARE,
        BYSTANDERS,
        OTHER_FACE,
        EMBEDDING_NORM,
        YAW,
        PITCH,
        ROLL,
        OCCLUSION,
        AGE,
        FEMALE,
    ),
    DECISIONS,
)
"""The columns of what is measured, in their order; what a further filter measures comes last."""


def broken_rule(seen: FaceMeasurements, rules: Any) -> Broken | None:
    """The first rule of `DECISIONS` that the sample breaks under the section `faces`, or None."""
    return first_broken(DECISIONS, seen, rules)
