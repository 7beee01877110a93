"""Brings into the folder of an experiment what git does not keep and its stages read.

`dvc exp run --temp` and `--queue` check out what git knows; judges on their shelf, a folder of
media in the tree or `profiles/local.yaml` are not there, and the stages would run without them.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mm_model.errors import UserError
from mm_model.settings import listed, load_params
from mm_model.store import experiment

_LOCAL = "profiles/*.yaml"
_OUT = ("/", "..")


def bring(root: Path) -> list[str]:
    """Link such files of the tree into `root` where they are not; return their paths.

    Nothing is done for a `root` that is a tree itself. An input by an absolute path is reached as
    it is. A file is linked, and copied where the file system cannot.

    Raises:
        UserError: git cannot tell which files it does not keep.
    """
    if not experiment.is_aside(root):
        return []
    tree, brought = experiment.tree_of(root), []
    inside = [name for name in map(os.path.normpath, _inputs(root)) if not name.startswith(_OUT)]
    for name in _not_kept(tree, [_LOCAL, *inside]):
        target = root / name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(tree / name, target, follow_symlinks=False)
        except OSError:
            shutil.copy2(tree / name, target, follow_symlinks=False)
        brought.append(name)
    return brought


def _inputs(root: Path) -> Iterator[str]:
    """Inputs that the settings name."""
    named = load_params(root).model_dump()
    for name, said in named.items():
        if name != "profile":
            yield str(said)
    yield listed.SEGMENTERS
    if (known := listed.load_subjects(root)) is not None:
        yield from (subject.folder for subject in known.subjects.values())


def _not_kept(tree: Path, paths: list[str]) -> list[str]:
    command = ["git", "-C", str(tree), "ls-files", "--others", "-z", "--", *paths]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(
            f"git cannot say which inputs of {tree} it does not keep ({error}): run the "
            "experiment in the tree itself, without --temp and --queue."
        ) from None
    return [name for name in said.split("\0") if name]
