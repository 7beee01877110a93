"""Starts the door of a released model from the release's own code.

What is served is the code that was evaluated, not this tree's: a fresh Python searches the
release's `code/` first, and neither the working directory nor a script's folder at all.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from mm_model.errors import UserError
from mm_model.serving import handed

_DOOR = "mm_model/serving/__main__.py"


def become_the_door(folder: Path, host: str, port: int, allowed: Sequence[str]) -> NoReturn:
    """Serve the checked release in `folder`, in place of this process; does not return.

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
    command = ["-m", "mm_model.serving", *told(folder, host, port, allowed)]
    return [*_python(), *command], _environment(folder, os.environ)


def handed_command(
    folder: Path | None,
    descriptors: Sequence[int],
    words: Sequence[str],
    environment: Mapping[str, str],
) -> tuple[list[str], dict[str, str]]:
    """The same on a socket that is handed on: `descriptors` as `mm_model.serving.handed` takes
    them, `words` as `told` gives them; without a folder and words it waits for them."""
    command = [*_python(), handed.__file__, *map(str, descriptors), *words]
    return command, dict(environment) if folder is None else _environment(folder, environment)


def _python() -> list[str]:
    # -B: compiled files would be new files in the release's folder
    return [sys.executable, "-P", "-B"]


def told(folder: Path, host: str, port: int, allowed: Sequence[str]) -> list[str]:
    """What the door of the release in `folder` is told on its command line.

    Raises:
        UserError: the release is older than the door.
    """
    folder = folder.resolve()
    if not (folder / "code" / _DOOR).is_file():
        raise UserError(
            f"The release in {folder} was made before there was a door: run 'make run' for a new "
            "one, or serve it with MLflow's own command (mlflow/README.md)."
        )
    place = ["--folder", str(folder), "--host", host, "--port", str(port)]
    return [*place, *(["--allow", *allowed] if allowed else [])]


def code_of(folder: Path) -> str:
    """Where the code of the release in `folder` lies."""
    return str(folder.resolve() / "code")


def _environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    searched = [code_of(folder), *filter(None, [given.get("PYTHONPATH")])]
    return {**given, "PYTHONPATH": os.pathsep.join(searched)}
