"""From the registry to a folder that may be served: the registry alone says what to serve.

Outputs of the pipeline are not read: a champion is served while they are made anew, after a
cancelled run and without any. Everything is checked before any of the release's code runs.
"""

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mm_model.errors import UserError
from mm_model.register.check import Flaw, refuse_flaws
from mm_model.register.pins import CHALLENGER, CHAMPION, alias_version
from mm_model.serving.chosen import ChosenVersion
from mm_model.serving.config import backbone_folder
from mm_model.store import digests, lock
from mm_model.store.layout import Layout
from mm_model.tracking import places, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

DIGEST_TAG = "release_digest"
_ASIDE, _FETCH_SECONDS = ".fetched.", 3600.0
_DIGEST = re.compile(r"[0-9a-f]{64}")


def checked_folder(layout: Layout, model_name: str, alias_or_version: str = CHAMPION) -> Path:
    """The local folder of a release, every byte of it as registered.

    `alias_or_version` is an alias of the registered model, or a version's number. A release in a
    server's store is fetched once, into `work/releases/<its digest>`.

    Raises:
        UserError: there is no such release, it was registered without a digest, or a file in it is
            not what was registered; the message names it and says what to do.
    """
    from mm_model.register import versions

    if not store.is_shared(layout) and not layout.database.exists():
        raise nothing_yet(model_name)
    with versions.registry(layout, reading=True) as client:
        version = _version(client, model_name, alias_or_version)
        digest = digest_of(version)
        uri = client.get_model_version_download_uri(model_name, version.version)
        folder = places.local_path(layout, uri)
        try:
            if folder is None:
                return _fetched(layout, uri, digest)
            refuse_other(folder, digest)
        except Flaw as flaw:
            raise UserError(
                f"Version {version.version} of {model_name} is not what was registered, and "
                f"nothing of it was run: {flaw}; {_mend(client, layout, version, folder)}."
            ) from None
    return folder


def chosen(layout: Layout, model_name: str, alias: str = CHAMPION) -> ChosenVersion:
    """The version that an alias names now, and its release digest; no file is looked at.

    Raises:
        UserError: there is no such version, or it was registered without a digest.
    """
    from mm_model.register import versions

    if not store.is_shared(layout) and not layout.database.exists():
        raise nothing_yet(model_name)
    with versions.registry(layout, reading=True) as client:
        version = _version(client, model_name, alias)
        return ChosenVersion(int(version.version), digest_of(version))


def _mend(
    client: "MlflowClient", layout: Layout, damaged: "ModelVersion", folder: Path | None
) -> str:
    """What mends a version, or serves in its place."""
    from mm_model.register import shelf

    known = client.search_model_versions(f"name = '{damaged.name}'")
    other = {int(one.version): one for one in known if one.version != damaged.version}
    others = sorted(other)
    back = f"restore {folder} from a copy"
    if folder is None:
        back = "restore it in the server's store"
    elif not others or int(damaged.version) > others[-1]:
        back = "'python -m mm_model run register' puts it back while the tree still holds the same"
    # what took this one's files may have taken those of others
    whole = (one for one in reversed(others) if shelf.flaw(client, layout, other[one]) is None)
    if (best := next(whole, None)) is None:
        return f"{back}, or run 'make run' for a new one"
    return f"{back}, or choose another: 'python -m mm_model rollback --to {best}'"


def nothing_yet(model_name: str) -> UserError:
    """What to say where no version was ever registered."""
    return UserError(f"There is no {model_name} to serve yet: let 'make run' finish first.")


def digest_of(version: "ModelVersion") -> str:
    """The release digest that the registry holds.

    Raises:
        UserError: it holds none, or nothing that is one.
    """
    digest = version.tags.get(DIGEST_TAG, "")
    if not _DIGEST.fullmatch(digest):
        raise UserError(
            f"Version {version.version} of {version.name} has no release digest (an earlier "
            "release of this project registered it, or somebody by hand) and cannot be checked: "
            "'make run' registers the model anew."
        )
    return digest


def refuse_other(folder: Path, release_digest: str) -> None:
    """Look at all of a release's folder, and at a backbone that it only refers to.

    Raises:
        Flaw: something is not what was registered.
    """
    refuse_flaws(folder, release_digest)
    flavours = yaml.safe_load((folder / "MLmodel").read_bytes())["flavors"]
    config = flavours["python_function"]["config"]
    if (path := config.get("backbone_path")) is not None:
        backbone = backbone_folder(folder / "artifacts" / "adapter", path)
        if not backbone.is_dir() or digests.of_folder(backbone) != config["digests"]["backbone"]:
            raise Flaw(f"the backbone {backbone} is missing or is not the one it was made with")


def _version(client: "MlflowClient", name: str, wanted: str) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    known = client.search_model_versions(f"name = '{name}'")
    if not known:
        raise nothing_yet(name)
    if not wanted.isdecimal():
        if (version := alias_version(client, name, wanted)) is not None:
            return version
        if wanted != CHAMPION:
            raise UserError(
                f"No version of {name} has the alias {wanted}: 'python -m mm_model releases' lists "
                "what there is."
            )
        waiting = alias_version(client, name, CHALLENGER)
        newest = max(int(one.version) for one in known)
        number, which = (newest, "newest") if waiting is None else (waiting.version, CHALLENGER)
        raise UserError(
            f"No version of {name} is champion: 'python -m mm_model rollback --to {number}' makes "
            f"the {which} the champion."
        )
    try:
        return client.get_model_version(name, wanted)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(
            f"There is no version {wanted} of {name}: 'python -m mm_model releases' lists them."
        ) from None


def _fetched(layout: Layout, uri: str, digest: str) -> Path:
    """A whole copy below `work/`; what a killed fetch left, or damage, is fetched anew."""
    folder = layout.root / "work" / "releases" / digest
    if not os.access(folder.parent, os.W_OK) and folder.is_dir():
        refuse_other(folder, digest)  # a tree that may only be read: nothing can be fetched
        return folder
    with lock.held(folder.parent, "a release is fetched", _FETCH_SECONDS):
        try:
            refuse_other(folder, digest)
            return folder
        except Flaw:
            shutil.rmtree(folder, ignore_errors=True)
        aside = folder.with_name(f"{_ASIDE}{digest}")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            places.artifacts(layout, uri).download_artifacts("", str(aside))
            refuse_other(aside, digest)
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder
