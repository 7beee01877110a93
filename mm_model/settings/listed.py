"""`subjects.yaml`: the subjects that the pipeline learns, each from a folder of its own."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mm_model.settings import bases, bounds
from mm_model.settings.load import checked
from mm_model.settings.section import Section

NAME = "subjects.yaml"
SEGMENTERS = "weights/segmenters"
"""The shelf below which a subject's networks lie, so that DVC sees when they change."""

NETWORKS = {"detector": "grounded-sam", "sam": "grounded-sam", "matte": "matte"}
"""Networks that a subject may name, and the way of finding it that needs them."""
Called = Annotated[str, Field(pattern=bounds.CALLED)]


class ListedSubject(Section):
    """One subject: `folder` holds `photos/`, and `masks/` of equal names where there are some.

    `segment` says what finds the subject in its photographs. Without it that is `masks/` where they
    are, else a person's face, else nothing. `detector` and `sam` are the networks of
    `grounded-sam`, `matte` the file of that name; all lie below `weights/segmenters`.
    """

    folder: bounds.Path
    kind: Literal["person", "animal", "object"]
    word: bounds.ClassWord
    segment: Literal["none", "masks", "face", "matte", "grounded-sam"] | None = None
    detector: bounds.Path | None = None
    sam: bounds.Path | None = None
    matte: bounds.Path | None = None

    @model_validator(mode="after")
    def _what_fits_the_segmenter(self) -> "ListedSubject":
        if self.segment in ("face", "matte") and self.kind != "person":
            raise ValueError(
                f"segment: {self.segment} is for persons: choose masks or grounded-sam"
            )
        for name, way in NETWORKS.items():
            if (getattr(self, name) is None) == (self.segment == way):
                raise ValueError(f"segment: {way} and {name} go together: give both or neither")
        for name, place in self.networks.items():
            inside = PurePosixPath(place)
            if ".." in inside.parts or PurePosixPath(SEGMENTERS) not in inside.parents:
                raise ValueError(f"{name} lies outside {SEGMENTERS}: put it there")
        return self

    @property
    def networks(self) -> dict[str, str]:
        """Where the networks lie that find the subject, by name, as paths from the root."""
        found = {name: getattr(self, name) for name in NETWORKS}
        return {name: place for name, place in found.items() if place is not None}


class Subjects(Section):
    """The file; paths count from the root. `subject_base` is what all are learned on."""

    subject_base: bounds.Path
    subjects: dict[Called, ListedSubject]


def load_subjects(root: Path) -> Subjects | None:
    """Read `<root>/subjects.yaml`; None where there is no such file.

    Raises:
        UserError: not YAML, a key that does not belong, or a value that is none.
    """
    path = root / NAME
    return checked(Subjects, bases.read(path), root) if path.is_file() else None
