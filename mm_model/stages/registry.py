"""The stages in order, loaded by name so that one stage's imports do not slow another."""

import importlib
from typing import TYPE_CHECKING

from mm_model.errors import UserError

if TYPE_CHECKING:
    from mm_model.stages.stage import Stage

NAMES = (
    "sources", "ingest", "faces", "pairs", "pretrain", "finetune", "evaluate", "register",
)  # fmt: skip


def load(name: str) -> "Stage":
    """The stage called `name`.

    Raises:
        UserError: there is none.
    """
    if name not in NAMES:
        raise UserError(f"There is no stage '{name}': choose one of {', '.join(NAMES)}.")
    return importlib.import_module(f"mm_model.stages.{name}").STAGE
