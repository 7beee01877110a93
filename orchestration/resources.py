"""What the assets are given: the client that runs stages of one tree.

The tree is the one this file lies in, or `MM_ROOT`; there is no other knob, so that a run from
Dagster's page cannot differ from `dvc repro`.
"""

from collections.abc import Callable
from pathlib import Path

from orchestration.dvc_client import DvcStageClient


def stages(tree: Path, echo: Callable[[str], None] | None = None) -> DvcStageClient:
    """The resource `stages` for `tree`; `echo` also receives each line a stage prints."""
    return DvcStageClient(tree, echo=echo)
