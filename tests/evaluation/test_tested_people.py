"""Which pictures of a person are shown and which judge, however few there are."""

from typing import Any

import pandas as pd
import pytest

from mm_model.evaluation import people
from mm_model.records import Role


class Readers:
    """Photographs by name; clips whose examined frames are numbered from 0."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        names = ["p0", "p1", "p2", "c0", "c1"]
        self.ingest = pd.DataFrame({"caption": [f"a man {n}" for n in names]}, index=names)

    def sample(self, name: str, place: float = 0.5) -> tuple[str, Any]:
        frame = "" if name.startswith("p") else f"#frame={round(place * (self.frames - 1))}"
        return f"ingest:{name}{frame}", object()

    def true_clip(self, name: str) -> str:
        return f"film of {name}"


def subject(samples: list[str], references: int = 2, frames: int = 9) -> people.Subject:
    group = pd.DataFrame({
        "sample_id": samples, "split": "held_out",
        "media": ["image" if name.startswith("p") else "clip" for name in samples],
    })  # fmt: skip
    return people._person("id-1", group, Readers(frames), references)


def roles(person: people.Subject) -> dict[str, str]:
    return {row["picture"].removeprefix("ingest:"): row["role"] for row in person.rows()}


@pytest.mark.parametrize(
    ("samples", "frames", "shown", "withheld"),
    [
        (["c0", "p0", "p1", "p2"], 9, ["p0", "p1"], ["p2"]),
        (["p0", "p1"], 9, ["p0"], ["p1"]),
        (["c0", "p0"], 9, ["p0"], ["c0#frame=0", "c0#frame=8"]),
        (["c0"], 9, ["c0#frame=4"], ["c0#frame=0", "c0#frame=8"]),
        (["c0", "c1"], 1, ["c0#frame=0"], ["c1#frame=0"]),
        (["c0"], 2, ["c0#frame=0"], ["c0#frame=1"]),
    ],
)
def test_no_picture_is_both_shown_and_withheld(
    samples: list[str], frames: int, shown: list[str], withheld: list[str]
) -> None:
    person = subject(samples, frames=frames)
    assert roles(person) == dict.fromkeys(shown, Role.SHOWN) | dict.fromkeys(
        withheld, Role.WITHHELD
    )
    assert (len(person.shown), len(person.withheld)) == (len(shown), len(withheld))
    assert not set(map(id, person.shown)) & set(map(id, person.withheld))
    assert person.prompt == f"a man {next((s for s in samples if s[0] == 'c'), samples[-1])}"


@pytest.mark.parametrize(("samples", "frames"), [(["p0"], 9), (["c0"], 1)])
def test_who_has_one_picture_is_judged_on_it_and_the_table_says_so(
    samples: list[str], frames: int
) -> None:
    person = subject(samples, frames=frames)
    assert person.judged_on_shown and person.withheld is person.shown
    assert list(roles(person).values()) == [Role.BOTH]
