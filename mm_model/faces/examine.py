"""One sample under the face rules: what is seen in it, the decision, and its embedding.

What is seen hangs on how the detector looks (`LOOKING`) and on no other rule, so that another bound
asks for no second look. What is measured and what is rejected for it stands in
`mm_model.decisions.faces`. Refuses to know about identities; a false positive of the detector (a
statue, a drawing) counts as a face here.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from mm_model.decisions.faces import (
    AGE,
    FEMALE,
    MEASURES,
    OCCLUSION,
    FaceMeasurements,
    broken_rule,
    not_worth_a_look,
)
from mm_model.facepack.detect import (
    DetectionRules,
    Sighting,
    chosen_faces,
    without_bystanders,
)
from mm_model.facepack.port import Face, FacePack, attributes_of, unit
from mm_model.faces.covered import occlusion
from mm_model.faces.pictures import Pictures
from mm_model.faces.prescreen import glimpse
from mm_model.faces.track import pick, spread
from mm_model.records import Status
from mm_model.settings import FacesSettings

EMBEDDED_FRAMES = 5
"""How many frames of a clip are embedded at most (design choice: their mean is stable by then)."""

LOOKING = (
    "detection_size",
    "prescreen_size",
    "detection_above",
    "padded_detection_above",
    "pads",
    "bystander_below",
    "frames_examined",
)
"""The fields of the section `faces` that say how a sample is looked at; the others judge what was
seen."""


class LookingRules(DetectionRules, Protocol):
    """The fields of `LOOKING`; the size is the face pack's own affair."""

    @property
    def frames_examined(self) -> int | None: ...


COMPARED_FRAMES = 16
"""How many of a clip are compared at most where a profile asks whether the face stays one person's
(measured with a real pack: a stranger in a fifth of the clip is among them three times)."""


@dataclass(frozen=True)
class Outcome:
    """The decision columns of one sample."""

    status: str
    reason: str | None = None
    reason_value: float | None = None
    reason_threshold: float | None = None
    message: str | None = None

    def as_dict(self) -> dict:
        """Column values."""
        return vars(self).copy()


KEPT = Outcome(Status.KEPT)


@dataclass(frozen=True, eq=False)
class Examined:
    """What was seen in one sample, whatever is thought of it.

    seen: measurements, but for the share of frames with too many faces (NaN), which a rule decides:
    numbers has the faces that count in each frame. tracks: (frame, pad, face) of every frame with a
    chosen face. frames, embeddings: the frames that were embedded and their unit vectors, float32
    [n, width]; none unless asked for. embedding_norm: median length of the vectors before they were
    made unit vectors.
    """

    seen: FaceMeasurements
    numbers: list[int]
    tracks: list[tuple[int, float, Face]] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    embeddings: np.ndarray | None = None
    embedding_norm: float = math.nan


@dataclass
class _Frames:
    """What is collected frame by frame."""

    sightings: list[Sighting] = field(default_factory=list)
    tracks: list[tuple[int, float, Face]] = field(default_factory=list)
    each: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    numbers: list[int] = field(default_factory=list)
    bystanders: list[int] = field(default_factory=list)
    others: list[float] = field(default_factory=list)


def examine(pack: FacePack, pictures: Pictures, rules: FacesSettings) -> Examined:
    """Detect in the frames that `rules` asks for, follow one face; embed what is kept.

    With `embed_rejected` every face is embedded, so that one which another bound would keep needs
    no second look.

    Raises:
        mm_model.media.failure.MediaError: the file can no longer be decoded.
        ValueError: the recogniser gave no finite embedding of a sample that is kept.
    """
    score = math.nan
    if rules.prescreen_size is not None:
        score = glimpse(pack, pictures, rules.prescreen_size)
        if not_worth_a_look(score, rules):
            return Examined(unseen(score, pictures.media), [])
    most = None if pictures.media == "image" else rules.frames_examined
    frames = _looked(pack, pictures, spread(pictures.num_frames, most), rules)
    seen = replace(_measured(frames), media=pictures.media, prescreen=score)
    found = Examined(seen, frames.numbers, frames.tracks)
    kept = decided(found, rules).status == Status.KEPT
    if not frames.tracks or not (kept or rules.embed_rejected):
        return found
    try:
        return _embedded(pack, pictures, found, rules)
    except Exception:
        if kept:
            raise
        return found  # a rejection needs no embedding


def _embedded(
    pack: FacePack, pictures: Pictures, found: Examined, rules: FacesSettings
) -> Examined:
    """With the embeddings; with the lowest cosine of two of the frames that are compared."""
    number = len(found.tracks)
    own = spread(number, EMBEDDED_FRAMES)
    compared = spread(number, COMPARED_FRAMES) if rules.track_cosine_min is not None else []
    places = sorted({*own, *compared})
    norms, units = _vectors(pack, pictures, [found.tracks[place] for place in places])
    cosine = float((units @ units.T).min()) if len(units) > 1 else math.nan
    chosen = [places.index(place) for place in own]
    return replace(
        found,
        seen=replace(found.seen, track_cosine=cosine),
        frames=[found.tracks[place][0] for place in own],
        embeddings=units[chosen],
        embedding_norm=_median([norms[place] for place in chosen]),
    )


def _vectors(
    pack: FacePack, pictures: Pictures, picks: list[tuple[int, float, Face]]
) -> tuple[list[float], np.ndarray]:
    """Lengths of the embeddings of the picked faces, and their unit vectors [n, width].

    Raises:
        ValueError: the recogniser gave no finite embedding.
    """
    images = pictures.at([frame for frame, _, _ in picks])
    vectors = [
        pack.embed(image, face) for (_, image), (_, _, face) in zip(images, picks, strict=True)
    ]
    units = np.stack([unit(vector) for vector in vectors])
    if not np.isfinite(units).all():
        raise ValueError("the recogniser gave an embedding that is not finite")
    return [float(np.linalg.norm(vector)) for vector in vectors], units


def decided(found: Examined, rules: FacesSettings) -> Outcome:
    """The decision on what was seen."""
    return decide(under(found.seen, found.numbers, rules.max_faces), rules)


def under(seen: FaceMeasurements, numbers: list[int], max_faces: int) -> FaceMeasurements:
    """`seen` with the share of the frames with a face that show more than `max_faces`."""
    return replace(seen, many_share=_share([number > max_faces for number in numbers]))


def _looked(pack: FacePack, pictures: Pictures, indices: list[int], rules: LookingRules) -> _Frames:
    """Every frame at `indices`, one face followed; the others are compared with that one."""
    frames = _Frames()
    attributes = attributes_of(pack)
    last: Face | None = None
    for index, image in pictures.at(indices):
        sighting = chosen_faces(pack, image, rules)
        frames.sightings.append(sighting)
        faces = (*sighting.faces, *sighting.bystanders)
        face = pick(faces, last)
        if face is None:
            continue
        counted, bystanders = without_bystanders(faces, rules.bystander_below, face)
        frames.tracks.append((index, sighting.pad, face))
        for measure in MEASURES:
            if measure.each:
                frames.each[measure.name].append(measure.each(image, face))
        frames.each[OCCLUSION.name].append(occlusion(image, face))
        if attributes is not None:
            for measure, value in zip((AGE, FEMALE), attributes.of(image, face), strict=True):
                frames.each[measure.name].append(value)
        frames.numbers.append(len(counted))
        frames.bystanders.append(len(bystanders))
        frames.others += [
            other.short_side / face.short_side for other in faces if other is not face
        ]
        last = face
    return frames


def unseen(score: float, media: str) -> FaceMeasurements:
    """Of a sample that was spared the full look after a cheap one with that score."""
    return replace(_measured(_Frames()), other_face=math.nan, media=media, prescreen=score)


def _measured(frames: _Frames) -> FaceMeasurements:
    tracks = frames.tracks
    seen = FaceMeasurements(
        examined=len(frames.sightings),
        found=len(tracks),
        padded_share=_share([pad > 0 for _, pad, _ in tracks]),
        many_share=math.nan,
        most_faces=max(frames.numbers, default=0),
        bystanders=max(frames.bystanders, default=0),
        other_face=max(frames.others, default=0.0 if tracks else math.nan),
        detection_score=_median([face.score for _, _, face in tracks]),
        medians={name: _median(values) for name, values in frames.each.items()},
    )
    misses = [sighting.missed for sighting in frames.sightings if sighting.missed]
    if tracks or not misses:
        return seen
    score, above = max(misses, key=lambda miss: miss[0] - miss[1])
    return replace(seen, detection_score=score, missed_above=above)


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else math.nan


def _share(flags: list[bool]) -> float:
    return sum(flags) / len(flags) if flags else math.nan


def decide(seen: FaceMeasurements, rules: FacesSettings) -> Outcome:
    """The filters in their order (`mm_model.decisions.faces`)."""
    broken = broken_rule(seen, rules)
    if broken is None:
        return KEPT
    value, bound = broken.value, broken.threshold
    number = float(value) if value is not None and math.isfinite(value) else None
    held_to = None if bound is None else float(bound)
    return Outcome(Status.REJECTED, str(broken.reason), number, held_to, broken.message)
