"""What of a tree belongs into a backup: what nothing else would bring back.

Left out is what git keeps, what is made again from the rest (pages, catalogue, caches that say they
may be removed), what only names processes that live now, and secrets.
"""

import fnmatch
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mm_model.errors import UserError
from mm_model.settings import load_params
from mm_model.settings.listed import load_subjects
from mm_model.store import locked
from mm_model.store.walk import entries_below, why

DATABASES_FIRST = ("*.db",)
"""Copied before the files that they name: what is added meanwhile is then named by nobody."""
_KEPT = ("dvc.lock", "params.yaml", "subjects.yaml", ".dvc/config.local")
_FOLDERS = ("profiles", "mlruns", "work")
_LEFT_OUT = (
    # made again from what is there
    *("work/measured/*", "work/painted/*", "work/*/precomputed/*", "work/*/catalogue.db"),
    "work/releases/*",  # fetched from the registry again
    # of processes that live now
    *("*.lease", "*.lock", "*.aside", "*-wal", "*-shm", "*-journal", "work/registry/*"),
    *("work/*dagster/leases/*", "work/*dagster/dagster.yaml", "work/restore.json"),
    # of a team: secrets, and what is written at each start
    *("work/team/secrets.env", "work/team/*.log*", "work/team/nginx*", "work/team/pages.conf"),
    "work/team/workspace.yaml",
)
_TAKEN_ANYWAY = ("dvc.lock", "work/locks/*")


def wanted(path: str) -> bool:
    """Whether the file at `path` (from the root) belongs into a backup."""
    if any(fnmatch.fnmatchcase(path, pattern) for pattern in _TAKEN_ANYWAY):
        return True
    return not any(fnmatch.fnmatchcase(path, pattern) for pattern in _LEFT_OUT)


def files_of(folder: Path, links: bool = False) -> Iterator[str]:
    """Paths of all files below, from the folder; of all links with `links`, which are not followed.

    Raises:
        UserError: something cannot be looked into.
    """
    if not folder.is_dir():
        return
    for entry in entries_below(folder, lambda name: name != "__pycache__"):
        if entry.error is not None:
            raise UserError(f"{entry.path} cannot be read ({why(entry.error)}): mend that first.")
        if entry.is_link if links else entry.is_file:
            yield entry.relative.as_posix()


def of_tree(root: Path) -> list[str]:
    """Paths from the root of what belongs into its backup, databases first.

    Raises:
        UserError: something cannot be looked into, or `params.yaml` is not valid.
    """
    found = {name for name in _KEPT if (root / name).is_file()}
    for folder in _FOLDERS:
        found |= {f"{folder}/{name}" for name in files_of(root / folder)}
    found |= {path.name for path in root.glob("*.db")}
    found = {path for path in found if wanted(path)}
    given = (path for name in _inputs(root)[0] for path in _untracked(root, name))
    found |= {path for path in given if not path.endswith(".py")}  # code is git's, or a release's
    return sorted(found, key=lambda path: (not _is_database(path), path))


def _is_database(path: str) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in DATABASES_FIRST)


def outside(root: Path) -> list[str]:
    """What stages read and a backup lacks: paths outside of the tree, and links inside of it.

    Raises:
        UserError: `params.yaml` or `subjects.yaml` is not valid.
    """
    inside, beyond = _inputs(root)
    links = {path for name in inside for path in _untracked(root, name, links=True)}
    return [*beyond, *(f"{path}, a link to {(root / path).readlink()}" for path in sorted(links))]


def _inputs(root: Path) -> tuple[list[str], list[str]]:
    """What stages read and none of them made: paths inside the tree, and paths outside of it.

    Raises:
        UserError: `params.yaml` or `subjects.yaml` is not valid.
    """
    named = {value for name, value in load_params(root).model_dump().items() if name != "profile"}
    if (listed := load_subjects(root)) is not None:  # also those that no run has learned yet
        named |= {listed.subject_base, *(one.folder for one in listed.subjects.values())}
        named |= {path for one in listed.subjects.values() for path in one.networks.values()}
    for entry in locked.stages(root):  # a lock that is damaged names nothing; it is kept as it is
        named |= {dep["path"] for dep in entry.get("deps", ())}
    paths = sorted(name for name in named if (root / name).exists())
    inside = [path for path in paths if _is_inside(root, path)]
    return (
        [path for path in inside if not path.startswith("data/")],
        [path for path in paths if path not in inside],
    )


def _is_inside(root: Path, path: str) -> bool:
    return Path(os.path.normpath(root / path)).is_relative_to(root)


def _untracked(root: Path, name: str, links: bool = False) -> list[str]:
    """Files, or links, at or below `name` that git does not keep; all where there is no git."""
    path = root / name
    if path.is_file():
        below = [name] * (not links)
    else:
        below = [f"{name}/{file}" for file in files_of(path, links)]
    if not (root / ".git").exists():
        return below
    asked = ["git", "-C", str(root), "ls-files", "-z", "--", name]
    said = subprocess.run(asked, capture_output=True, check=False).stdout.decode(errors="replace")
    kept = set(said.split("\0"))
    return [file for file in below if os.path.normpath(file) not in kept]
