"""The experiment of DVC (`dvc exp run`) that a process works for, as DVC's variables tell it.

An experiment runs in the tree itself, or (`--temp`, `--queue`) aside, in a folder below the tree's
`.dvc/tmp` that is removed afterwards. What outlives an experiment (MLflow's store, consents) is
the tree's.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_ASIDE = Path(".dvc") / "tmp"


@dataclass(frozen=True)
class Experiment:
    """Its name, the commit that it starts from, and the tree where it was asked for."""

    name: str
    baseline: str
    tree: Path


def current() -> Experiment | None:
    """The experiment that this process works for; None where it works for the tree itself."""
    name, tree = os.environ.get("DVC_EXP_NAME"), os.environ.get("DVC_ROOT")
    if not name or not tree:
        return None
    baseline = os.environ.get("DVC_EXP_BASELINE_REV", "")
    return Experiment(name, baseline, Path(tree).resolve())


def is_aside(root: Path) -> bool:
    """Whether `root` is the folder of an experiment that runs beside its tree."""
    known = current()
    return known is not None and root.resolve().is_relative_to(known.tree / _ASIDE)


def tree_of(root: Path) -> Path:
    """Whose MLflow store and consents a stage at `root` uses: the tree's of an experiment aside."""
    known = current()
    return known.tree if known is not None and is_aside(root) else root
