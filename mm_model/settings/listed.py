"""`subjects.yaml`: the subjects that the pipeline learns, each from a folder of its own."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mm_model.settings import bases, bounds
from mm_model.settings.load import checked
from mm_model.settings.section import Section

NAME = "subjects.yaml"
Called = Annotated[str, Field(pattern=bounds.CALLED)]


class ListedSubject(Section):
    """One subject: `folder` holds `photos/`, and `masks/` of equal names where there are some."""

    folder: bounds.Path
    kind: Literal["person", "animal", "object"]
    word: bounds.ClassWord


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
