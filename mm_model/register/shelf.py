"""The folder of a version in MLflow's artifact store: put there whole, looked at, put back.

On this machine's disk a folder appears under its name at once, complete. A server's store is
written file by file and looked at afterwards. A version is only made when its folder is whole.
"""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.errors import UserError, first_line
from mm_model.register import card
from mm_model.register.check import Flaw
from mm_model.register.package import Package, assemble
from mm_model.register.served import DIGEST_TAG, refuse_other
from mm_model.store import atomic
from mm_model.store.layout import Layout
from mm_model.tracking import places, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository


def flaw(client: "MlflowClient", layout: Layout, version: "ModelVersion") -> str | None:
    """Why a version's folder is not what was registered; None when it is.

    In a server's store the card and every name and length are looked at, not each byte.

    Raises:
        UserError: the store does not answer; nothing is known then.
    """
    if (digest := version.tags.get(DIGEST_TAG)) is None:
        return "it has no release digest"
    uri = client.get_model_version_download_uri(version.name, version.version)
    return _flaw(layout, uri, digest)


def put(layout: Layout, uri: str, described: Package, work: Path) -> None:
    """Write the release's folder to `uri`; what stood there on this machine's disk is replaced.

    Raises:
        UserError: what lies there afterwards is not what was written.
    """
    if (folder := places.local_path(layout, uri)) is not None:
        aside = folder.with_name(f".{folder.name}.aside")
        shutil.rmtree(aside, ignore_errors=True)  # a killed registration left it
        try:
            assemble(described, aside)
            atomic.publish_folder(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    else:
        aside = work / "package"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            assemble(described, aside, linked=True)
            places.artifacts(layout, uri).log_artifacts(str(aside))
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    if (why := _flaw(layout, uri, described.digest)) is not None:
        raise UserError(f"MLflow's store did not keep what was sent ({why}): run again.")


def put_back(
    client: "MlflowClient",
    layout: Layout,
    version: "ModelVersion",
    described: Package,
    work: Path,
) -> bool:
    """Give a version its own content again; False when its place cannot be used any more."""
    from mlflow.exceptions import MlflowException

    if version.tags.get(DIGEST_TAG) != described.digest:
        return False
    try:
        uri = client.get_model_version_download_uri(version.name, version.version)
        put(layout, uri, described, work)
    except (MlflowException, UserError):
        return False
    return True


def _flaw(layout: Layout, uri: str, digest: str) -> str | None:
    from mlflow.exceptions import MlflowException

    try:
        if (folder := places.local_path(layout, uri)) is not None:
            refuse_other(folder, digest)
            return None
        try:
            there = places.artifacts(layout, uri)
        except MlflowException as error:
            return f"MLflow knows no such place ({first_line(error)})"
        _refuse_other_listing(there, digest)
    except Flaw as found:
        return str(found)
    return None


def _refuse_other_listing(there: "ArtifactRepository", digest: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        found = dict(_listed(there, None))
        if found.pop(card.NAME, -1) == -1:
            raise Flaw(f"{card.NAME} is missing")
        with tempfile.TemporaryDirectory() as place:
            there.download_artifacts(card.NAME, place)
            known = card.read(Path(place))
    except ValueError:
        raise Flaw(f"{card.NAME} is damaged") from None
    except (MlflowException, OSError) as error:
        raise UserError(
            f"MLflow's artifact store at {store.shown(there.artifact_uri)} does not answer "
            f"({first_line(error)}): see that it runs, then run again."
        ) from None
    if known.digest != digest:
        raise Flaw(f"{card.NAME} is not the card of the registered release")
    for name in sorted(found.keys() ^ known.files.keys()):
        raise Flaw(f"{name} {'is missing' if name in known.files else 'does not belong there'}")
    for name, size in found.items():
        if size is not None and size != known.files[name].bytes:
            raise Flaw(f"{name} has another length")


def _listed(there: "ArtifactRepository", folder: str | None) -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = []
    for one in there.list_artifacts(folder):
        found += _listed(there, one.path) if one.is_dir else [(one.path, one.file_size)]
    return found
