"""Rebuilds what only shows outputs (report page, catalogue) after they changed from outside."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestration.dvc_command import environment


def rebuild(root: Path, views: Sequence[str], say: Callable[[str], None]) -> None:
    """Run each of the commands of `mm_model`; `say` is told of one that failed, and no more."""
    for view in views:
        done = subprocess.run(
            [sys.executable, "-m", "mm_model", view],
            cwd=root,
            env=environment(root),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            say(f"The {view} was not rebuilt: {done.stderr.strip()}")
