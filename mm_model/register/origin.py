"""What the tree says of itself when it registers: clean, changed, or not under git.

A release carries its served code, so that what runs is known without git. Where others share the
registry, the rest (training, profiles) must be findable too: there a changed tree is refused.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.store.layout import Layout
from mm_model.tracking import store

_WATCHED = ("mm_model", "profiles", "dvc.yaml", "requirements.lock")
"""What makes a release. `params.yaml` only chooses among inputs, all of which a version names by
digest, and is rewritten by `make run PROFILE=...`."""

_SECONDS = 10


@dataclass(frozen=True)
class TreeState:
    """`state` is clean, changed or unknown; `changed` are the paths that git calls different."""

    state: str
    changed: tuple[str, ...] = ()


def of_tree(root: Path) -> TreeState:
    """Ask git about the tree at `root`; one unpacked from an archive, or lying inside somebody's
    repository without being part of it, is unknown."""
    try:
        _git(root, "ls-files", "--error-unmatch", "params.yaml")
        said = _git(root, "status", "--porcelain", "-z", "--no-renames", "--", *_WATCHED)
    except (OSError, subprocess.SubprocessError):
        return TreeState("unknown")
    changed = tuple(sorted(entry[3:] for entry in said.split("\0") if entry))
    return TreeState("changed" if changed else "clean", changed)


def checked(layout: Layout) -> TreeState:
    """The origin, where it may be registered.

    Raises:
        UserError: the tree is changed and the registry is shared.
    """
    found = of_tree(layout.root)
    if found.state == "changed" and store.is_shared(layout):
        first, *others = found.changed
        more = f" and {len(others)} more" if others else ""
        raise UserError(
            f"{first}{more} is not committed: a registry that others share takes releases of "
            "committed trees only; commit it (or take it back) and run again."
        )
    return found


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *words],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    ).stdout
