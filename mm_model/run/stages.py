"""The stages in order, loaded by name so that one stage's imports do not slow another."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.errors import UserError

if TYPE_CHECKING:
    from mm_model.run.stage import Stage
    from mm_model.settings.listed import ListedSubject, Subjects

NAMES = (
    "sources",
    "ingest",
    "faces",
    "pairs",
    "precompute",
    "pretrain",
    "finetune",
    "evaluate",
    "register",
)
SUBJECT = "subject"
"""The stage that learns one subject; `subject@rex` is that of the subject rex of the list."""

_ROOMS = {"pretrain": "train.pretrain", "finetune": "train.finetune", SUBJECT: "vcd.stage"}
"""Where a stage lies when it does not lie in `<name>/stage.py`."""


def family(name: str) -> str:
    """The stage's name without the subject that it is of."""
    return name.partition("@")[0]


def file_of(name: str) -> str:
    """The stage's own file, as a path inside the package."""
    room = _ROOMS.get(family(name), f"{name}.stage")
    return room.replace(".", "/") + ".py"


def listed(root: Path) -> tuple[str, ...]:
    """The stages of the subjects that `subjects.yaml` below `root` lists, in its order.

    Raises:
        UserError: the list is not valid.
    """
    from mm_model.settings.listed import load_subjects

    found = load_subjects(root)
    return () if found is None else tuple(f"{SUBJECT}@{name}" for name in found.subjects)


def load(name: str) -> "Stage":
    """The stage called `name`, or `SUBJECT`, what the stages of all subjects are copies of.

    Raises:
        UserError: there is none.
    """
    if name not in (*NAMES, SUBJECT):
        raise UserError(f"There is no stage '{name}': choose one of {', '.join(NAMES)}.")
    return importlib.import_module("mm_model." + _ROOMS.get(name, f"{name}.stage")).STAGE


def given(name: str, root: Path) -> dict[str, str]:
    """What a stage is given beside the entries of `params.yaml`, as paths from the root: of a
    subject its folder, what it is learned on, and the networks that find it.

    Raises:
        UserError: the subject is not listed, or the list is not valid.
    """
    subject = name.partition("@")[2]
    if not subject:
        return {}
    found, one = _listed(subject, root)
    return {"folder": one.folder, "subject_base": found.subject_base, **one.networks}


def _listed(subject: str, root: Path) -> "tuple[Subjects, ListedSubject]":
    from mm_model.settings import listed as list_of

    found = list_of.load_subjects(root)
    if found is None or subject not in found.subjects:
        known = f"it lists {', '.join(found.subjects)}" if found and found.subjects else "none is"
        raise UserError(f"{list_of.NAME} does not list the subject {subject} ({known}): add it.")
    return found, found.subjects[subject]


def of(name: str, root: Path) -> "Stage":
    """The stage called `name`, or the one that learns a subject of the list, as in `subject@rex`.

    Raises:
        UserError: there is none, or the list is not valid.
    """
    whole, _, subject = name.partition("@")
    if whole != SUBJECT or not subject:
        return load(name)
    _, one = _listed(subject, root)
    told = {"kind": one.kind, "word": one.word}
    if one.segment is not None:  # where it is not said, a learning is known as it was before
        told["segment"] = one.segment
    return replace(
        load(SUBJECT),
        name=name,
        title=f"Subjects: tokens of {subject}",
        given=given(name, root),
        told=told,
    )
