"""Where everything lies, from the repository root: outputs, work, tracking, weights.

Every path the pipeline uses is named here once.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from mm_model.store import experiment


def repository_root() -> Path:
    """The folder that holds `params.yaml`: `MM_ROOT` if set, else the working directory.

    An experiment that DVC runs beside its tree works in its own folder, whatever `MM_ROOT` says.
    """
    if experiment.is_aside(Path.cwd()):
        return Path.cwd().resolve()
    return Path(os.environ.get("MM_ROOT") or Path.cwd()).resolve()


@dataclass(frozen=True)
class Layout:
    """Paths of one profile below one root."""

    root: Path
    profile: str

    @property
    def data(self) -> Path:
        """Declared outputs, versioned by DVC: one folder a stage."""
        return self.root / "data" / self.profile

    @property
    def books(self) -> "Layout":
        """Where runs and versions are kept: of an experiment beside its tree, the tree's."""
        return Layout(experiment.tree_of(self.root), self.profile)

    def output(self, stage: str) -> Path:
        """The published output folder of a stage; a subject's lies in the folder of all of them."""
        return self.data.joinpath(*stage.split("@"))

    @property
    def settings(self) -> Path:
        """Every value of the profile, with what it builds on, as DVC compares them."""
        return self.data / "settings.json"

    def work(self, stage: str, fingerprint: str) -> Path:
        """The undeclared work folder of one stage at one fingerprint."""
        return self.root / "work" / self.profile / stage / fingerprint[:12]

    def measured(self, stage: str) -> Path:
        """What a stage measured of files in earlier runs, of whatever profile: a cache."""
        return self.root / "work" / "measured" / f"{stage}.db"

    @property
    def painted(self) -> Path:
        """Painted references by what they were made from, for all profiles; may be removed."""
        return self.root / "work" / "painted"

    @property
    def precomputed(self) -> Path:
        """Samples for training that the last run of `precompute` kept; may be removed."""
        return self.root / "work" / self.profile / "precomputed"

    @property
    def subjects(self) -> Path:
        """Subjects that somebody let the model learn, a folder each (`learn-subject`)."""
        return self.root / "work" / self.profile / "subjects"

    @property
    def page(self) -> Path:
        """The growing report page, a derived view."""
        return self.root / "reports" / self.profile / "index.html"

    @property
    def catalogue(self) -> Path:
        """The disposable SQLite catalogue."""
        return self.root / "work" / self.profile / "catalogue.db"

    @property
    def lease(self) -> Path:
        """Held by whoever is at work in this tree: one at a time (`mm_model.store.lease`)."""
        return self.root / "work" / "run.lease"

    @property
    def database(self) -> Path:
        """The tree's own MLflow store (used unless `MLFLOW_TRACKING_URI` names another)."""
        return self.root / "mlflow.db"

    @property
    def tracking_uri(self) -> str:
        """MLflow's store: `MLFLOW_TRACKING_URI` if set, else `mlflow.db` at the root, absolute."""
        default = f"sqlite:///{self.database}"
        return os.environ.get("MLFLOW_TRACKING_URI") or default

    def relative(self, path: Path) -> str:
        """`path` below the root as relative text, else absolute."""
        resolved = path.resolve()
        return (
            resolved.relative_to(self.root).as_posix()
            if resolved.is_relative_to(self.root)
            else str(resolved)
        )
