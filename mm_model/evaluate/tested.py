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


def conditions(profile: Profile, judge: str, conventions: Mapping[str, str]) -> str:
    """Digest of all else: sampler, clip size, digest of the judge, how figures are computed."""
    apart = {"people", "row_floor"}  # who is tested is said person by person
    sizes = profile.model
    return digests.of_value(
        [
            profile.evaluate.model_dump(exclude=apart),
            [sizes.num_frames, sizes.height, sizes.width, sizes.fps],
            judge,
            dict(conventions),
        ]
    )
