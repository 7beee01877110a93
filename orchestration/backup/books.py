"""The books outside of a tree: databases on PostgreSQL, the artifacts of MLflow's server, consents.

Which there are says the environment, or the files of the team (`orchestration/team/settings.py`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.store import consents
from mm_model.tracking.store import shown
from orchestration import home
from orchestration.team import settings as team

DUMPS = {"dagster": home.BOOKS, "mlflow": team.BACKEND}
"""Names of dumps, and the variable with the address of each database."""


@dataclass(frozen=True)
class Books:
    """Where they lie: `urls` by the names of `DUMPS`; `artifacts` and `consents` are None where the
    tree itself holds them."""

    urls: Mapping[str, str]
    artifacts: str | None
    consents: Path | None
    elsewhere: tuple[str, ...]


def of(root: Path) -> Books:
    """The books of the tree at `root`.

    Raises:
        UserError: a file of settings has a line that is none.
    """
    settings = team.read(root)
    said = {name: settings.values.get(variable, "") for name, variable in DUMPS.items()}
    urls = {name: url for name, url in said.items() if url.startswith("postgresql")}
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    elsewhere = []
    if "mlflow" not in urls and server.startswith("http"):
        elsewhere.append(
            f"what MLflow's server at {shown(server)} keeps (set {team.BACKEND} and "
            f"{team.ARTIFACTS} as it has them)"
        )
    words = consents.path_below(root)
    return Books(
        urls,
        _artifacts(root, settings) if "mlflow" in urls else None,
        None if words.resolve().is_relative_to(root) else words,
        tuple(elsewhere),
    )


def _artifacts(root: Path, settings: team.Settings) -> str | None:
    """The place of a server's artifacts; None for a folder of `work`, which is saved anyway."""
    place = settings.artifacts
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_S3_ENDPOINT_URL"):
        if name in settings.values:
            os.environ.setdefault(name, settings.values[name])
    inside = "://" not in place and Path(place).is_relative_to(root / "work")
    return None if inside else place


def fetch_artifacts(place: str, folder: Path) -> None:
    """Copy all that lies at `place` into `folder`, through MLflow's own access to it.

    Raises:
        UserError: it cannot be reached.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if "://" not in place and not Path(place).is_dir():
        return
    folder.mkdir(parents=True)
    try:
        get_artifact_repository(place).download_artifacts("", str(folder))
    except Exception as error:
        raise UserError(f"MLflow's artifacts at {place} could not be read: {error}") from error


def bring_artifacts(folder: Path, place: str) -> None:
    """Copy all of `folder` to `place`.

    Raises:
        UserError: it cannot be reached.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        get_artifact_repository(place).log_artifacts(str(folder))
    except Exception as error:
        raise UserError(f"MLflow's artifacts could not be brought to {place}: {error}") from error
