"""What makes two evaluations comparable: the same test of a person, and the same conditions."""

from collections.abc import Mapping, Sequence

from mm_model.evaluate.people import Subject
from mm_model.evaluate.variants import seeds_of
from mm_model.settings import Profile
from mm_model.store import digests


def by_person(people: Sequence[Subject], clips_per_person: int) -> dict[str, str]:
    """Digest of every person's test: prompt, pictures, which of them are shown, noise seeds."""
    seeds = seeds_of([person.identity for person in people], clips_per_person)
    return {
        person.identity: digests.of_value(
            [
                person.prompt,
                len(person.shown),
                [digests.of_bytes(q.pixels.tobytes()) for q in person.shown + person.withheld],
                own,
            ]
        )
        for person, own in zip(people, seeds, strict=True)
    }


_CLIP = {"num_frames", "height", "width", "fps", "crop_margin", "reference_margin"}
_DETECTION = {
    "detection_size",
    "detection_above",
    "padded_detection_above",
    "pads",
    "bystander_below",
}


def conditions(profile: Profile, *, judge: str, pack: str, conventions: Mapping[str, str]) -> str:
    """Digest of all else: sampler, size and cut of clips and references, how faces are found,
    digests of the judge and of the pack that finds them, how figures are computed."""
    apart = {"people", "row_floor"}  # who is tested is said person by person
    return digests.of_value(
        [
            profile.evaluate.model_dump(mode="json", exclude=apart),
            profile.model.model_dump(mode="json", include=_CLIP),
            profile.faces.model_dump(mode="json", include=_DETECTION),
            judge,
            pack,
            dict(conventions),
        ]
    )
