"""How this project calls DVC: this environment's own, in the right folder, waiting for its locks.

Knows nothing of Dagster and reads no output but DVC's own.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from mm_model.errors import UserError
from orchestration import dvc_inputs


def environment(root: Path) -> dict[str, str]:
    """This process's environment with its own `bin` first on PATH and `root` as the root."""
    own = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": own, "MM_ROOT": str(root), "PYTHONUNBUFFERED": "1",
            "DVC_NO_ANALYTICS": "1"}  # fmt: skip


def dvc(*arguments: str) -> list[str]:
    """The command line of this environment's DVC, waiting for its lock instead of failing."""
    return [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]


def mend_lock(root: Path) -> None:
    """Remove DVC's list of locks when a kill left it half written, which DVC never gets over.

    Only a file that stays unreadable is touched: a living DVC rewrites it in an instant.
    """
    path = root / ".dvc" / "tmp" / "rwlock"
    for _ in range(3):
        try:
            json.loads(path.read_text())
            return
        except FileNotFoundError:
            return
        except ValueError:
            time.sleep(0.3)
    path.unlink(missing_ok=True)


def status(root: Path) -> dict[str, dict[str, dict[str, str]]]:
    """DVC's word on each stage that is not up to date: kind of change -> path -> change.

    Raises:
        UserError: DVC cannot tell, or cannot digest an input.
    """
    dvc_inputs.check(root)
    mend_lock(root)
    done = subprocess.run(
        dvc("status", "--json"), cwd=root, env=environment(root), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise UserError(f"dvc status failed in {root}: {done.stderr.strip()}")
    told: dict[str, dict[str, dict[str, str]]] = {}
    for stage, changes in json.loads(done.stdout or "{}").items():
        told[stage] = {}
        for change in changes:
            if isinstance(change, dict):
                told[stage] |= change
    return told
