"""The test set: held-out people with references that are shown, pictures that are not, a true clip.

Chosen from the pairs of the held-out split in a fixed order, so that equal data gives equal tests.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mm_model.errors import UserError
from mm_model.facepack.port import face_of
from mm_model.generation.frames import SAMPLE_COLUMNS, TRACK_COLUMNS, training_frames
from mm_model.generation.reference_book import read_reference
from mm_model.nn.identity.portrait import Photograph
from mm_model.records import Role
from mm_model.settings import Profile
from mm_model.store import tables
from mm_model.store.lookup import Lookup


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person to test with. `withheld` pictures are never shown to the model.

    `split` is that of the person's samples, as their table says it; `names` are the pictures of
    `ingest`, shown ones first.
    """

    identity: str
    split: str
    prompt: str
    shown: tuple[Photograph, ...]
    withheld: tuple[Photograph, ...]
    names: tuple[str, ...]
    true_clip: np.ndarray | None

    @property
    def judged_on_shown(self) -> bool:
        """Whether there is no picture that was not shown."""
        return self.withheld is self.shown

    def rows(self) -> list[dict[str, str]]:
        """The rows of `people.parquet` (columns `records.TESTED_COLUMNS`)."""
        count = len(self.shown)
        roles = [Role.BOTH if self.judged_on_shown else Role.SHOWN] * count
        roles += [Role.WITHHELD] * (len(self.names) - count)
        return [
            {"picture": name, "identity": self.identity, "split": self.split, "role": str(role)}
            for name, role in zip(self.names, roles, strict=True)
        ]


class _Readers:
    def __init__(self, inputs: dict[str, Path], profile: Profile) -> None:
        self.inputs, self.profile = inputs, profile
        ingest, tracks = (
            inputs[stage] / f"{name}.parquet"
            for stage, name in (("ingest", "samples"), ("faces", "tracks"))
        )
        self.ingest = Lookup(ingest, "sample_id", SAMPLE_COLUMNS)
        self.tracks = Lookup(tracks, "sample_id", TRACK_COLUMNS)

    def sample(self, sample_id: str, place: float = 0.5) -> tuple[str, Photograph]:
        """A photograph, or the examined frame of a clip at `place` from 0 to 1 (its middle).

        Its name comes first: that of the file, and of the frame in it.
        """
        track = self.tracks.rows(sample_id).to_pandas().sort_values("frame")
        row = track.iloc[round(place * (len(track) - 1))]
        sample = self.ingest.row(sample_id)
        file = f"ingest:{sample['file']}"
        if sample["media"] == "clip":
            file += f"#frame={int(row['frame'])}"
        return file, Photograph.of(read_reference(self.inputs, file), face_of(row))

    def true_clip(self, sample_id: str) -> np.ndarray:
        """The person's real clip, cut and resized like a training clip."""
        row, sizes = self.ingest.row(sample_id), self.profile.model
        track = self.tracks.rows(sample_id).to_pandas()
        file = self.inputs["ingest"] / row["file"]
        return training_frames(file, row, track, sizes, sizes.num_frames).frames


def held_out_people(inputs: dict[str, Path], profile: Profile) -> tuple[list[Subject], list[str]]:
    """Up to `evaluate.people` held-out people and sentences on what could not be had.

    Shown references are real pictures of the person, photographs before clip frames; further
    photographs are withheld, or where there are none, other clip frames. A person with a single
    photograph is judged on that one.

    Raises:
        UserError: no held-out person has a usable face.
    """
    people = _people(inputs, profile, "held_out")
    if not people:
        raise UserError(
            "No held-out person has a usable face, so nothing can be evaluated: add people to the "
            "sources or raise faces.held_out_share."
        )
    without_withheld = sum(person.judged_on_shown for person in people)
    notes = []
    if without_withheld:
        notes.append(
            f"{without_withheld} of {len(people)} held-out people have no further picture: they "
            "are judged on the reference that the model saw."
        )
    return people, notes


def training_people(inputs: dict[str, Path], profile: Profile) -> list[Subject]:
    """As many people of the training split, chosen alike: what the adapter makes of the known."""
    return _people(inputs, profile, "train")


def _people(inputs: dict[str, Path], profile: Profile, split: str) -> list[Subject]:
    rules = profile.evaluate
    shown = ("sample_id", "identity", "split", "media")
    meant = {"status": "kept", "split": split}
    faces = tables.read(inputs["faces"] / "samples.parquet", shown, meant)
    chosen = faces.sort_values("sample_id")
    groups = {str(name): group for name, group in chosen.groupby("identity")}
    readers = _Readers(inputs, profile)
    # People with many pictures first: they can be judged on pictures the model did not see.
    names = sorted(groups, key=lambda name: (-len(groups[name]), name))[: rules.people]
    return [_person(n, groups[n], readers, rules.references_per_person) for n in names]


def _person(identity: str, group: pd.DataFrame, readers: _Readers, references: int) -> Subject:
    photographs = list(group[group["media"] == "image"]["sample_id"])
    clips = list(group[group["media"] == "clip"]["sample_id"])
    count = min(references, max(1, len(photographs) - 1)) if photographs else 0
    shown = dict(readers.sample(s) for s in photographs[:count])
    withheld = dict(readers.sample(s) for s in photographs[count:])
    if not shown:
        shown = dict([readers.sample(clips[0])])
    if not withheld and clips:  # a clip of few examined frames may give the shown one again
        frames = dict(readers.sample(clips[-1], place) for place in (0.0, 1.0))
        withheld = {name: seen for name, seen in frames.items() if name not in shown}
    pictures = tuple(shown.values())
    return Subject(
        identity=identity,
        split=str(group["split"].iloc[0]),
        prompt=readers.ingest.row(clips[0] if clips else photographs[-1])["caption"],
        shown=pictures,
        withheld=tuple(withheld.values()) or pictures,
        names=(*shown, *withheld),
        true_clip=readers.true_clip(clips[0]) if clips else None,
    )
