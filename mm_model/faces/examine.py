"""One sample under the face rules: what is seen in it, the decision, and its embedding.

Measuring and deciding are apart: `decide` is pure and states every rule once. Refuses to know
about identities; a false positive of the detector (a statue, a drawing) counts as a face here.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from mm_model.facepack.detect import Sighting, chosen_faces, without_bystanders
from mm_model.facepack.port import Face, FacePack, unit
from mm_model.faces.pictures import Pictures
from mm_model.faces.track import pick, sharpness, spread
from mm_model.records import Reason, Status
from mm_model.settings import FacesSettings

EMBEDDED_FRAMES = 5
"""How many frames of a clip are embedded at most (design choice: their mean is stable by then)."""

MANY_FRAMES_SHARE = 0.2
"""Share of a sample's frames with a face that may show too many faces (design choice)."""


@dataclass(frozen=True)
class Decision:
    """The decision columns of one sample."""

    status: str
    reason: str | None = None
    reason_value: float | None = None
    reason_threshold: float | None = None
    message: str | None = None

    def as_dict(self) -> dict:
        """Column values."""
        return vars(self).copy()


KEPT = Decision(Status.KEPT)


@dataclass(frozen=True)
class Seen:
    """What was measured in one sample; sizes in pixels, medians over frames with a face.

    most_faces, bystanders: most faces in one frame that counted, and that did not. other_face: side
    of the largest further face over the main one's, 0 when nobody else was seen. Without any face
    `detection_score` is the best score that was not enough, and `missed_above` what it was held to;
    what could not be measured is NaN.
    """

    examined: int
    found: int
    padded_share: float
    many_share: float
    most_faces: int
    bystanders: int
    other_face: float
    detection_score: float
    face_size: float
    sharpness: float
    missed_above: float = math.nan


@dataclass(frozen=True, eq=False)
class Examined:
    """The outcome for one sample.

    tracks: (frame, pad, face) of every frame with a chosen face. frames, embeddings: the frames
    that were embedded and their unit vectors, float32 [n, width]; empty unless kept.
    embedding_norm: median length of the vectors before they were made unit vectors.
    """

    seen: Seen
    decision: Decision
    tracks: list[tuple[int, float, Face]] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    embeddings: np.ndarray | None = None
    embedding_norm: float = math.nan


@dataclass
class _Frames:
    """What is collected frame by frame."""

    sightings: list[Sighting] = field(default_factory=list)
    tracks: list[tuple[int, float, Face]] = field(default_factory=list)
    sharp: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    bystanders: list[int] = field(default_factory=list)
    others: list[float] = field(default_factory=list)


def examine(pack: FacePack, pictures: Pictures, rules: FacesSettings) -> Examined:
    """Detect in the frames that `rules` asks for, follow one face, decide, embed what is kept.

    Raises:
        mm_model.media.failure.MediaError: the file can no longer be decoded.
        ValueError: the recogniser gave no finite embedding.
    """
    most = None if pictures.media == "image" else rules.frames_examined
    frames = _looked(pack, pictures, spread(pictures.num_frames, most), rules)
    seen = _measured(frames, rules.max_faces)
    decision = decide(seen, rules, pictures.media)
    if decision.status != Status.KEPT:
        return Examined(seen, decision, frames.tracks)
    picks = [frames.tracks[place] for place in spread(len(frames.tracks), EMBEDDED_FRAMES)]
    images = pictures.at([frame for frame, _, _ in picks])
    vectors = [
        pack.embed(image, face) for (_, image), (_, _, face) in zip(images, picks, strict=True)
    ]
    units = np.stack([unit(vector) for vector in vectors])
    if not np.isfinite(units).all():
        raise ValueError("the recogniser gave an embedding that is not finite")
    return Examined(seen, decision, frames.tracks, [frame for frame, _, _ in picks], units,
                    _median([float(np.linalg.norm(vector)) for vector in vectors]))  # fmt: skip


def _looked(
    pack: FacePack, pictures: Pictures, indices: list[int], rules: FacesSettings
) -> _Frames:
    """Every frame at `indices`, one face followed; the others are compared with that one."""
    frames = _Frames()
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
        frames.sharp.append(sharpness(image, face.box))
        frames.numbers.append(len(counted))
        frames.bystanders.append(len(bystanders))
        frames.others += [
            other.short_side / face.short_side for other in faces if other is not face
        ]
        last = face
    return frames


def _measured(frames: _Frames, max_faces: int) -> Seen:
    tracks = frames.tracks
    seen = Seen(
        examined=len(frames.sightings),
        found=len(tracks),
        padded_share=_share([pad > 0 for _, pad, _ in tracks]),
        many_share=_share([number > max_faces for number in frames.numbers]),
        most_faces=max(frames.numbers, default=0),
        bystanders=max(frames.bystanders, default=0),
        other_face=max(frames.others, default=0.0 if tracks else math.nan),
        detection_score=_median([face.score for _, _, face in tracks]),
        face_size=_median([face.short_side for _, _, face in tracks]),
        sharpness=_median(frames.sharp),
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


def decide(seen: Seen, rules: FacesSettings, media: str) -> Decision:
    """The rules in their order; NaN is rejected wherever it appears.

    No face; a face in too few frames; too many faces; too small; too blurred. A value equal to
    its threshold passes.
    """
    found = seen.found / seen.examined
    if seen.found == 0:
        what = "the picture" if media == "image" else f"{seen.examined} frames"
        near = math.isfinite(seen.missed_above)
        best = f"; the best score was {seen.detection_score:.2f}" if near else ""
        return _rejected(Reason.FACE_NONE, seen.detection_score,
                         seen.missed_above if near else rules.detection_above,
                         f"no face found in {what}, with or without a border{best}")  # fmt: skip
    if not found >= rules.found_share_min:
        return _rejected(Reason.FACE_TRACK_BROKEN, found, rules.found_share_min,
                         f"a face in {seen.found} of {seen.examined} frames")  # fmt: skip
    if seen.many_share > MANY_FRAMES_SHARE:
        return _rejected(Reason.FACE_MANY, seen.many_share, MANY_FRAMES_SHARE,
                         f"up to {seen.most_faces} faces, {rules.max_faces} allowed")  # fmt: skip
    if not seen.face_size >= rules.min_face:
        return _rejected(Reason.FACE_SMALL, seen.face_size, rules.min_face,
                         f"the face is {seen.face_size:.0f} pixels wide or high")  # fmt: skip
    if not seen.sharpness >= rules.min_sharpness:
        return _rejected(Reason.FACE_BLUR, seen.sharpness, rules.min_sharpness,
                         f"sharpness {seen.sharpness:.1f} of the face crop")  # fmt: skip
    return KEPT


def _rejected(reason: Reason, value: float, threshold: float, message: str) -> Decision:
    number = float(value) if math.isfinite(value) else None
    return Decision(Status.REJECTED, str(reason), number, float(threshold), message)
