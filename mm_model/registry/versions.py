"""Model versions in MLflow's registry: one for each adapter, put back when it is gone.

A version goes by its adapter's digest. The alias is moved last, so that an interrupted
registration never leaves a champion that cannot be served.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.errors import UserError, first_line, of_machine
from mm_model.registry import places, promotion, store
from mm_model.registry.package import Package, write
from mm_model.settings import RegisterSettings
from mm_model.store import digests
from mm_model.store.layout import Layout

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

CHAMPION, CHALLENGER = "champion", "challenger"
_EVALUATION = "evaluation"
_METRICS = "metrics.json"
_DECISION = "decision"
_HELD_SECONDS = 60.0
"""How long a registration waits for a local store that another process holds."""


@dataclass(frozen=True)
class Release:
    """One registered version and what was decided about it."""

    model_name: str
    version: int
    adapter_digest: str
    aliases: tuple[str, ...]
    promoted: bool
    sentences: tuple[str, ...]
    serve_command: str


@contextmanager
def registry(layout: Layout) -> Iterator["MlflowClient"]:
    """A client with long time limits; MLflow's own errors become one sentence.

    Raises:
        UserError: the registry cannot be used.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    store.usable(layout.tracking_uri, _HELD_SECONDS)
    before = os.environ.get("MLFLOW_TRACKING_URI")
    # Parts of MLflow resolve models:/ URIs by this variable only, whatever the client was given.
    os.environ["MLFLOW_TRACKING_URI"] = layout.tracking_uri
    try:
        with store.patient():
            yield store.open_client(layout)
    except (MlflowException, SQLAlchemyError) as error:
        if of_machine(getattr(error, "orig", None) or error):
            raise
        raise UserError(
            f"MLflow's registry refused: {first_line(error)} "
            "(if it speaks of an out-of-date database: mlflow db upgrade sqlite:///mlflow.db)."
        ) from error
    finally:
        if before is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


def publish(
    layout: Layout,
    described: Package,
    metrics: dict[str, Any],
    tags: dict[str, str],
    rule: RegisterSettings,
    work: Path,
) -> Release:
    """Register the package once, decide on promotion, set the aliases.

    Raises:
        UserError: the registry cannot be used; nothing was promoted then.
    """
    with registry(layout) as client:
        _registered_model(client, rule.model_name)
        version = _find(client, rule.model_name, described.adapter_digest)
        if version is None or not _present(client, layout, version, described):
            version = _upload(client, layout, described, rule.model_name, tags, work, version)
        for name, value in tags.items():
            client.set_model_version_tag(rule.model_name, version.version, name, value)
        champion = alias_version(client, rule.model_name, CHAMPION)
        decision = _decision(client, layout, metrics, champion, version, rule)
        said = {"metrics": digests.of_value(metrics), "sentences": decision.sentences}
        client.set_model_version_tag(rule.model_name, version.version, _DECISION, json.dumps(said))
        _attach(client, layout, version, metrics, work)
        aliases = _move(client, rule.model_name, version, champion, decision.promote)
    return Release(
        rule.model_name,
        int(version.version),
        described.adapter_digest,
        aliases,
        decision.promote,
        decision.sentences,
        f"mlflow models serve -m models:/{rule.model_name}@{aliases[0]} "
        "--env-manager local -t 3600",
    )


def stands(layout: Layout, described: Package, release: Release) -> bool:
    """Whether the registry still holds `release` as it was: version, files and aliases.

    Raises:
        UserError: the registry cannot be used.
    """
    with registry(layout) as client:
        version = _find(client, release.model_name, described.adapter_digest)
        return (
            version is not None
            and int(version.version) == release.version
            and version.tags.get("package_digest") == described.digest
            and _present(client, layout, version, described)
            and all(
                (known := alias_version(client, release.model_name, alias)) is not None
                and int(known.version) == release.version
                for alias in release.aliases
            )
        )


def refuse_without_champion(layout: Layout, model_name: str) -> None:
    """Return if there is a champion to serve.

    Raises:
        UserError: there is none; the message says what can be served instead, if anything.
    """
    client = store.open_client(layout)
    if alias_version(client, model_name, CHAMPION) is not None:
        return
    if alias_version(client, model_name, CHALLENGER) is not None:
        raise UserError(
            f"No version of {model_name} was promoted to champion: serve the newest one with "
            f"'mlflow models serve -m models:/{model_name}@{CHALLENGER} --env-manager local'."
        )
    raise UserError(f"There is no {model_name} to serve yet: let 'make run' finish first.")


def alias_version(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    """The version an alias points to, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def _registered_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _find(client: "MlflowClient", name: str, adapter_digest: str) -> "ModelVersion | None":
    versions = client.search_model_versions(f"name = '{name}'")
    return next((one for one in versions if one.tags.get("adapter_digest") == adapter_digest), None)


def _present(
    client: "MlflowClient", layout: Layout, version: "ModelVersion", described: Package
) -> bool:
    """Whether the version's files are there and, on this machine's disk, what they should be."""
    from mlflow.exceptions import MlflowException

    if version.tags.get("package_digest") != described.digest:
        return False
    try:
        uri = client.get_model_version_download_uri(version.name, version.version)
        if (folder := places.local_path(layout, uri)) is None:
            listed = places.artifacts(layout, uri).list_artifacts()
            return "MLmodel" in {Path(one.path).name for one in listed}
    except (MlflowException, OSError):
        return False
    return (folder / "MLmodel").is_file() and all(
        (folder / inside).is_dir()
        and digests.of_folder(folder / inside) == described.config.digests[inside.split("/")[1]]
        for _, inside in described.places()
    )


def _upload(
    client: "MlflowClient",
    layout: Layout,
    described: Package,
    name: str,
    tags: dict[str, str],
    work: Path,
    known: "ModelVersion | None",
) -> "ModelVersion":
    """Send the files; make the version last, with its tags, unless it is `known` already."""
    experiment = store.experiment_id(client, layout)
    model_id = known.tags.get("model_id") if known is not None else None
    if model_id is None:
        model_id = client.create_logged_model(experiment, name).model_id
    folder = work / "package"
    shutil.rmtree(folder, ignore_errors=True)
    write(described, model_id, folder)
    shelf = _artifacts(client, layout, model_id)
    shelf.log_artifacts(str(folder))
    for source, place in described.places():
        shelf.log_artifacts(str(source), place)
    shutil.rmtree(folder)
    client.finalize_logged_model(model_id, "READY")
    marks = {"package_digest": described.digest, "model_id": model_id}
    if known is not None:
        for key, value in marks.items():
            client.set_model_version_tag(name, known.version, key, value)
        return client.get_model_version(name, known.version)
    return client.create_model_version(
        name,
        f"models:/{model_id}",
        tags={**tags, **marks, "adapter_digest": described.adapter_digest},
        model_id=model_id,
    )


def _artifacts(client: "MlflowClient", layout: Layout, model_id: str) -> "ArtifactRepository":
    return places.artifacts(layout, client.get_logged_model(model_id).artifact_location)


def _attach(
    client: "MlflowClient",
    layout: Layout,
    version: "ModelVersion",
    metrics: dict[str, Any],
    work: Path,
) -> None:
    """Keep the evaluation beside the model: the next challenger is held against it."""
    path = work / _METRICS
    path.write_text(json.dumps(metrics, sort_keys=True))
    _artifacts(client, layout, version.tags["model_id"]).log_artifact(str(path), _EVALUATION)
    path.unlink()


def _decision(
    client: "MlflowClient",
    layout: Layout,
    metrics: dict[str, Any],
    champion: "ModelVersion | None",
    version: "ModelVersion",
    rule: RegisterSettings,
) -> promotion.Decision:
    if champion is None:
        return promotion.decide(metrics, None, rule)
    if int(champion.version) == int(version.version):
        # What was decided then is said again, so that a repeated registration changes nothing.
        said = json.loads(champion.tags.get(_DECISION, "{}"))
        if said.get("metrics") == digests.of_value(metrics):
            return promotion.Decision(True, tuple(said["sentences"]))
        return promotion.Decision(True, ("This adapter is the champion already.",))
    if (known := _metrics_of(client, layout, champion)) is None:
        first = promotion.decide(metrics, None, rule)
        gone = (
            f"The files of the champion, version {champion.version}, are gone: it does not count."
        )
        return promotion.Decision(first.promote, (gone, *first.sentences))
    return promotion.decide(metrics, known, rule)


def _metrics_of(
    client: "MlflowClient", layout: Layout, version: "ModelVersion"
) -> dict[str, Any] | None:
    """The evaluation kept beside a version; None when its files are gone altogether."""
    from mlflow.exceptions import MlflowException

    uri = client.get_model_version_download_uri(version.name, version.version)
    shelf = places.artifacts(layout, uri)
    try:
        shelf.download_artifacts("MLmodel")
    except (MlflowException, OSError):
        return None
    try:
        return json.loads(Path(shelf.download_artifacts(f"{_EVALUATION}/{_METRICS}")).read_text())
    except (MlflowException, OSError, ValueError):
        return {}


def _move(
    client: "MlflowClient",
    name: str,
    version: "ModelVersion",
    champion: "ModelVersion | None",
    promote: bool,
) -> tuple[str, ...]:
    """Point the one alias that changes at `version`; return the aliases it now has."""
    if not promote:
        client.set_registered_model_alias(name, CHALLENGER, version.version)
        return (CHALLENGER,)
    if champion is None or int(champion.version) != int(version.version):
        client.set_registered_model_alias(name, CHAMPION, version.version)
    waiting = alias_version(client, name, CHALLENGER)
    if waiting is not None and int(waiting.version) == int(version.version):
        client.delete_registered_model_alias(name, CHALLENGER)
    return (CHAMPION,)
