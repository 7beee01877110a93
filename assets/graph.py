"""Reads `dvc.yaml`, the one graph: which stage takes which outputs, inputs and settings.

Only reads, and only the placeholders of the repository's own file; nothing is interpolated here,
so that the graph is the same whatever profile is chosen.
"""

import re
from dataclasses import KW_ONLY, dataclass
from functools import cache
from pathlib import Path

from mm_model.settings.listed import SEGMENTERS
from mm_model.store import locked

FILE = Path(__file__).resolve().parent.parent / "dvc.yaml"
INPUT_ASSETS = {
    "sources": "raw",
    "facepack": "facepack",
    "judge": "judge",
    "judges": "judges",
    "captioners": "captioners",
    "classifiers": "classifiers",
    "synthesizer": "synthesizer",
    "backbone": "backbone",
}
"""Entries of `params.yaml` that stages read, and the asset that stands for each."""

SETTINGS = "settings"
"""The stage of `dvc.yaml` that writes down what the profile says; no asset stands for it."""

SUBJECT = "subject"
"""The stage of `dvc.yaml` that stands there once a listed subject, as in `subject@rex`: one asset,
with a partition a subject."""

PHOTOGRAPHS = "photographs"
"""The asset that stands for what `subjects.yaml` names."""

_OUTPUT = re.compile(r"data/\$\{profile\}/(\w+)")
_INPUT = re.compile(r"\$\{(\w+)\}")
_LISTED = ("${item.folder}", "${subject_base}", SEGMENTERS)


@dataclass(frozen=True)
class Node:
    """One stage of `dvc.yaml`.

    `takes` are stages, `models` entries of `params.yaml`, `sections` parts of the profile,
    `code` the source files whose change runs the stage again.
    """

    name: str
    command: str
    _: KW_ONLY
    takes: tuple[str, ...]
    models: tuple[str, ...]
    sections: tuple[str, ...]
    code: tuple[str, ...]

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the assets this one depends on."""
        listed = (PHOTOGRAPHS,) if self.name == SUBJECT else ()
        return (*self.takes, *(INPUT_ASSETS[name] for name in self.models), *listed)


def _node(name: str, entry: dict) -> Node:
    takes, models, code = [], [], []
    for dependency in entry["deps"]:
        if dependency in _LISTED:
            continue
        if found := _OUTPUT.fullmatch(dependency):
            takes.append(found[1])
        elif found := _INPUT.fullmatch(dependency):
            models.append(found[1])
        else:
            code.append(dependency)
    sections = [
        part
        for file in entry["params"]
        for name, parts in file.items()
        for part in (parts if name.startswith("data/") else ())
    ]
    return Node(
        name,
        entry["cmd"],
        takes=tuple(takes),
        models=tuple(models),
        sections=tuple(sections),
        code=tuple(code),
    )


@cache
def nodes() -> dict[str, Node]:
    """Every stage but `SETTINGS` and `SUBJECT` by name, in the order of the file."""
    stages = locked.parsed(FILE.read_text())["stages"]
    apart = (SETTINGS, SUBJECT)
    return {name: _node(name, entry) for name, entry in stages.items() if name not in apart}


@cache
def subject() -> Node:
    """What the stages of all subjects have in common."""
    return _node(SUBJECT, locked.parsed(FILE.read_text())["stages"][SUBJECT]["do"])


def node(stage: str) -> Node:
    """The stage of this name; of a subject, as in `subject@rex`, what all of them share."""
    return subject() if asset(stage) == SUBJECT else nodes()[stage]


def asset(stage: str) -> str:
    """The asset that stands for a stage."""
    return stage.partition("@")[0]


def partition(stage: str) -> str | None:
    """The partition of that asset; None where it has none."""
    return stage.partition("@")[2] or None
