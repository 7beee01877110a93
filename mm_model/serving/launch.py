"""Starts the door of a released model from the release's own code, in place of this process.

What is served is the code that was evaluated, not this tree's: a fresh Python searches the
release's `code/` first, and neither the working directory nor a script's folder at all.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mm_model.errors import UserError

_DOOR = "mm_model/serving/__main__.py"


def become_the_door(folder: Path, host: str, port: int, allowed: Sequence[str]) -> NoReturn:
    """Serve the checked release in `folder`; does not return.

    Raises:
        UserError: the release is older than the door.
    """
    arguments, environment = door_command(folder, host, port, allowed)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(arguments[0], arguments, environment)


def door_command(
    folder: Path, host: str, port: int, allowed: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """The command that serves the release in `folder`, and its environment.

    Raises:
        UserError: the release is older than the door.
    """
    folder = folder.resolve()
    if not (folder / "code" / _DOOR).is_file():
        raise UserError(
            f"The release in {folder} was made before there was a door: run 'make run' for a new "
            "one, or serve it with MLflow's own command (mlflow/README.md)."
        )
    searched = [str(folder / "code"), *filter(None, [os.environ.get("PYTHONPATH")])]
    # -B: compiled files would be new files in the release's folder
    arguments = [
        sys.executable,
        "-P",
        "-B",
        "-m",
        "mm_model.serving",
        "--folder",
        str(folder),
        "--host",
        host,
        "--port",
        str(port),
        *(["--allow", *allowed] if allowed else []),
    ]
    return arguments, {**os.environ, "PYTHONPATH": os.pathsep.join(searched)}
