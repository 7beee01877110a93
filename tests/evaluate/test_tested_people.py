"""Which pictures of a person are shown and which judge, however few there are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mm_model.evaluate import people
from mm_model.media.encode import write_mp4
from mm_model.records import Role
from mm_model.store.lookup import Lookup


class Readers:
    """Photographs by name; clips whose examined frames are numbered from 0."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        names = ["p0", "p1", "p2", "c0", "c1"]
        told = {name: {"caption": f"a man {name}"} for name in names}
        self.ingest = SimpleNamespace(row=told.__getitem__)

    def sample(self, name: str, place: float = 0.5) -> tuple[str, Any]:
        frame = "" if name.startswith("p") else f"#frame={round(place * (self.frames - 1))}"
        return f"ingest:{name}{frame}", object()

    def true_clip(self, name: str) -> str:
        return f"film of {name}"


def subject(samples: list[str], references: int = 2, frames: int = 9) -> people.Subject:
    group = pd.DataFrame(
        {
            "sample_id": samples,
            "split": "held_out",
            "media": ["image" if name.startswith("p") else "clip" for name in samples],
        }
    )
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


def test_a_clip_s_picture_is_the_frame_of_its_name_with_the_face_found_there(
    tmp_path: Path,
) -> None:
    """Not every frame is examined, so a face's place in the table is not its frame."""
    grey = np.arange(0, 240, 20, dtype=np.uint8)
    frames = np.broadcast_to(grey[:, None, None, None], (12, 64, 64, 3)).copy()
    write_mp4(tmp_path / "c0.mp4", frames, 8)
    readers = people._Readers.__new__(people._Readers)
    readers.inputs = {"ingest": tmp_path}
    sample = {"sample_id": ["c0"], "file": ["c0.mp4"], "media": ["clip"]}
    pd.DataFrame(sample).to_parquet(tmp_path / "samples.parquet")
    readers.ingest = Lookup(tmp_path / "samples.parquet", "sample_id", ("file", "media"))
    examined = [1, 5, 8, 11]
    marks = {f"k{axis}{point}": 10.0 for axis in "xy" for point in range(5)}
    tracks = pd.DataFrame(
        [
            {
                "sample_id": "c0",
                "frame": frame,
                "x1": frame,
                "y1": 2.0,
                "x2": frame + 30.0,
                "y2": 40.0,
                "score": 0.9,
                **marks,
            }
            for frame in examined
        ]
    )
    tracks.to_parquet(tmp_path / "tracks.parquet")
    readers.tracks = Lookup(tmp_path / "tracks.parquet", "sample_id", tuple(tracks.columns))
    for place, frame in ((0.0, 1), (0.3, 5), (1.0, 11)):
        name, seen = readers.sample("c0", place)
        assert name == f"ingest:c0.mp4#frame={frame}"
        assert abs(float(seen.pixels.mean()) - float(grey[frame])) < 4
        assert float(seen.face.box[0]) == frame
