"""Rebuilds what only shows outputs (report page, catalogue) after they changed from outside."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestration.dvc_command import ran


def rebuild(root: Path, views: Sequence[str], say: Callable[[str], None]) -> None:
    """Run each of the commands of `mm_model`; `say` is told of one that failed, and no more."""
    for view in views:
        done = ran([sys.executable, "-m", "mm_model", view], root)
        if done.returncode:
            say(f"The {view} was not rebuilt: {done.stderr.strip()}")
