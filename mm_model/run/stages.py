"""The stages in order, loaded by name so that one stage's imports do not slow another."""

import importlib
from typing import TYPE_CHECKING

from mm_model.errors import UserError

if TYPE_CHECKING:
    from mm_model.run.stage import Stage

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
_ROOMS = {"pretrain": "train.pretrain", "finetune": "train.finetune"}
"""Where a stage lies when it does not lie in `<name>/stage.py`."""


def file_of(name: str) -> str:
    """The stage's own file, as a path inside the package."""
    return _ROOMS.get(name, f"{name}.stage").replace(".", "/") + ".py"


def load(name: str) -> "Stage":
    """The stage called `name`.

    Raises:
        UserError: there is none.
    """
    if name not in NAMES:
        raise UserError(f"There is no stage '{name}': choose one of {', '.join(NAMES)}.")
    return importlib.import_module("mm_model." + _ROOMS.get(name, f"{name}.stage")).STAGE
