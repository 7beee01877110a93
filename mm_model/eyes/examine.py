"""One sample under the face rules: what is seen in it, the decision, and its embedding.

Measuring and deciding are apart: `decide` is pure and states every rule once. Refuses to know
about identities; a false positive of the detector (a statue, a drawing) counts as a face here.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from mm_model.eyes.detect import Sighting, chosen_faces
from mm_model.eyes.pack import Face, FacePack, unit
from mm_model.eyes.pictures import Pictures
from mm_model.eyes.track import pick, sharpness, spread
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
    """What was measured in one sample; sizes in pixels, medians over frames with a face."""

    examined: int
    found: int
    padded_share: float
    many_share: float
    most_faces: int
    detection_score: float
    face_size: float
    sharpness: float


@dataclass(frozen=True, eq=False)
class Examined:
    """The outcome for one sample.

    tracks: (frame, pad, face) of every frame with a chosen face. frames, embeddings: the frames
    that were embedded and their unit vectors, float32 [n, width]; empty unless kept.
    """

    seen: Seen
    decision: Decision
    tracks: list[tuple[int, float, Face]] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    embeddings: np.ndarray | None = None


def examine(pack: FacePack, pictures: Pictures, rules: FacesSettings) -> Examined:
    """Detect in the frames that `rules` asks for, follow one face, decide, embed what is kept.

    Raises:
        mm_model.media.failure.MediaError: the file can no longer be decoded.
        ValueError: the recogniser gave no finite embedding.
    """
    most = None if pictures.media == "image" else rules.frames_examined
    indices = spread(pictures.num_frames, most)
    sightings: list[Sighting] = []
    tracks: list[tuple[int, float, Face]] = []
    sharp: list[float] = []
    last: Face | None = None
    for index, image in pictures.at(indices):
        sighting = chosen_faces(pack, image, rules)
        sightings.append(sighting)
        face = pick(sighting.faces, last)
        if face is not None:
            tracks.append((index, sighting.pad, face))
            sharp.append(sharpness(image, face.box))
            last = face
    seen = _measured(sightings, tracks, sharp, rules.max_faces)
    decision = decide(seen, rules, pictures.media)
    if decision.status != Status.KEPT:
        return Examined(seen, decision, tracks)
    picks = [tracks[place] for place in spread(len(tracks), EMBEDDED_FRAMES)]
    images = pictures.at([frame for frame, _, _ in picks])
    vectors = [
        unit(pack.embed(image, face))
        for (_, image), (_, _, face) in zip(images, picks, strict=True)
    ]
    if not np.isfinite(vectors).all():
        raise ValueError("the recogniser gave an embedding that is not finite")
    return Examined(seen, decision, tracks, [frame for frame, _, _ in picks], np.stack(vectors))


def _measured(
    sightings: list[Sighting],
    tracks: list[tuple[int, float, Face]],
    sharp: list[float],
    max_faces: int,
) -> Seen:
    numbers = [len(sighting.faces) for sighting in sightings if sighting.faces]
    return Seen(
        examined=len(sightings),
        found=len(tracks),
        padded_share=_share([pad > 0 for _, pad, _ in tracks]),
        many_share=_share([number > max_faces for number in numbers]),
        most_faces=max(numbers, default=0),
        detection_score=_median([face.score for _, _, face in tracks]),
        face_size=_median([face.short_side for _, _, face in tracks]),
        sharpness=_median(sharp),
    )


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")


def _share(flags: list[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0


def decide(seen: Seen, rules: FacesSettings, media: str) -> Decision:
    """The rules in their order; NaN is rejected wherever it appears.

    No face; a face in too few frames; too many faces; too small; too blurred. A value equal to
    its threshold passes.
    """
    found = seen.found / seen.examined
    if seen.found == 0:
        what = "the picture" if media == "image" else f"{seen.examined} frames"
        return _rejected(Reason.FACE_NONE, 0.0, 1.0, f"no face found in {what}, with or without "
                         "a border")  # fmt: skip
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
