"""Whether a release's folder is, byte for byte, what was registered. Nothing in it is ever run.

Two halves: every file lies there with its digest, no other does, and all of it has the digest that
the registry holds; and, whoever wrote the digest, the folder has the shape of our releases:
MLflow's own loader, our package as the only code, no pickle, no link, no path that leads out.
"""

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mm_model.register import card
from mm_model.register.card import Card
from mm_model.register.carriers import may_carry_code
from mm_model.register.package import CODE, EVALUATION, LOADER, SCRIPT
from mm_model.serving import code
from mm_model.store.atomic import Document

_FIXED = {"MLmodel", SCRIPT, "conda.yaml", "python_env.yaml", "requirements.txt", EVALUATION}
_LEFT_BY_MLFLOW, _LARGEST_NOTE = "registered_model_meta", 1 << 12
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!_+-]*")
_FLAVOUR = {
    "artifacts",
    "code",
    "config",
    "env",
    "loader_module",
    "model_code_path",
    "python_version",
    "streamable",
}


class Flaw(Exception):
    """Why a folder must not be used: a clause that begins with the file it is about."""


def refuse_flaws(folder: Path, release_digest: str) -> Card:
    """Look at everything in `folder`; return its card.

    Raises:
        Flaw: it is not the release with that digest.
    """
    found = _walk(folder)
    if card.NAME not in found:
        raise Flaw(f"{folder / card.NAME} is missing")
    try:
        known = card.read(folder)
    except (OSError, ValueError):
        raise Flaw(f"{folder / card.NAME} is damaged") from None
    if known.digest != release_digest:
        raise Flaw(f"{folder / card.NAME} is not the card of the registered release")
    for name in card.odd_names(known.files):
        raise Flaw(f"{folder / card.NAME} lists a file with an odd name ({name!r})")
    _refuse_other_files(folder, known, set(found) - {card.NAME})
    for name, expected in sorted(known.files.items()):
        _refuse_other_content(folder / name, expected)
    _refuse_shape(folder, known)
    return known


def _walk(folder: Path) -> list[str]:
    """The files below `folder`. Links, odd names, anything but files and folders, folders that hold
    no file and what cannot be looked into are flaws."""
    if folder.is_symlink() or not folder.is_dir():
        raise Flaw(f"{folder} is missing or is no folder")
    files: list[str] = []
    waiting = [""]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(folder / place) as listed:
                modes = {one.name: one.stat(follow_symlinks=False).st_mode for one in listed}
        except OSError as error:
            raise Flaw(f"{folder / place} cannot be read ({error.strerror})") from None
        if not modes and place:
            raise Flaw(f"{folder / place} is empty, no release holds such a folder")
        for entry, mode in sorted(modes.items()):
            name = f"{place}/{entry}" if place else entry
            if card.odd_name(name):
                raise Flaw(f"{folder} holds a file with an odd name ({name!r})")
            if stat.S_ISDIR(mode):
                waiting.append(name)
            elif stat.S_ISREG(mode):
                files.append(name)
            else:
                kind = "a link" if stat.S_ISLNK(mode) else "a pipe, socket or device"
                raise Flaw(f"{folder / name} is {kind}")
    return files


def _refuse_other_files(folder: Path, known: Card, found: set[str]) -> None:
    for name in sorted(found - known.files.keys()):
        if name == _LEFT_BY_MLFLOW and _is_note(folder / name):
            continue
        raise Flaw(f"{folder / name} does not belong to the release")
    for name in sorted(known.files.keys() - found):
        raise Flaw(f"{folder / name} is missing")


def _is_note(path: Path) -> bool:
    """Whether it is what MLflow writes into the folder of a version that it serves: whose it is,
    in MLflow's own bytes."""
    try:
        if path.stat().st_size > _LARGEST_NOTE:
            return False
        content = path.read_bytes()
        said = yaml.safe_load(content)
        if not isinstance(said, dict) or list(said) != ["model_name", "model_version"]:
            return False
        name, version = said.values()
        if not isinstance(name, str) or type(version) not in (int, str):  # MLflow writes either
            return False
        return content == yaml.safe_dump(said, allow_unicode=True).encode()
    except (OSError, RecursionError, ValueError, yaml.YAMLError):
        return False


def _refuse_other_content(path: Path, expected: card.File) -> None:
    try:
        same = path.stat().st_size == expected.bytes and card.of_file(path) == expected
    except OSError as error:
        raise Flaw(f"{path} cannot be read ({error.strerror})") from None
    if not same:
        raise Flaw(f"{path} differs from what was registered")


def _refuse_shape(folder: Path, known: Card) -> None:
    for name in known.files:
        if name.startswith(f"{CODE}/"):
            allowed = name.startswith(f"{CODE}/{code.NAME}/") and name.endswith(".py")
        elif name.startswith("artifacts/"):
            allowed = name.split("/")[1] in card.WEIGHTS and not may_carry_code(folder / name)
        else:
            allowed = name in _FIXED
        if not allowed:
            raise Flaw(f"{folder / name} may carry code and has no place in a release")
    for name in sorted(_FIXED - known.files.keys()):
        raise Flaw(f"{folder / name} is missing")
    served = known.below(f"{CODE}/{code.NAME}")
    if known.files[SCRIPT].sha256 != served.get("serving/model.py"):
        raise Flaw(f"{folder / SCRIPT} is not the served script")
    config = _config(folder, known)
    _refuse_other_parts(folder, known, config, served)


def _config(folder: Path, known: Card) -> Document:
    """The serving configuration in MLmodel, after MLflow was found to load nothing but ours."""
    path = folder / "MLmodel"
    try:
        content = yaml.safe_load(path.read_bytes())
        flavours = content["flavors"]
        flavour = flavours["python_function"]
        config = flavour["config"]
        weights = config["digests"]
        whole = isinstance(weights, dict) and set(weights) == set(card.WEIGHTS)
    except (KeyError, RecursionError, TypeError, UnicodeDecodeError, ValueError, yaml.YAMLError):
        raise Flaw(f"{path} is damaged") from None
    places = {name for name in card.WEIGHTS if known.below(f"artifacts/{name}")}
    artifacts = {name: {"path": f"artifacts/{name}", "uri": f"artifacts/{name}"} for name in places}
    ours = (
        whole
        and set(content) <= {"flavors", "mlflow_version"}
        and set(flavours) == {"python_function"}
        and set(flavour) == _FLAVOUR
        and flavour["loader_module"] == LOADER
        and flavour["model_code_path"] == SCRIPT
        and flavour["code"] == CODE
        and flavour["artifacts"] == artifacts
        and flavour["env"] == {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
    )
    if not ours:
        raise Flaw(f"{path} would load something else than a release's own script")
    return config


def _refuse_other_parts(
    folder: Path, known: Card, config: Mapping[str, Any], served: Mapping[str, str]
) -> None:
    """Configuration, weights, code, environment and evaluation belong together."""
    for name in card.WEIGHTS:
        files = known.below(f"artifacts/{name}")
        copied = card.folder_digest(files) == config["digests"][name]
        if not copied and (files or name != "backbone" or config.get("backbone_path") is None):
            raise Flaw(f"{folder / 'artifacts' / name} is not what the configuration names")
    try:
        measured = json.loads((folder / EVALUATION).read_bytes())["measured"]
        requirements = measured["requirements"]
        said = (measured["code"], measured["adapter"], "".join(f"{one}\n" for one in requirements))
    except (KeyError, RecursionError, TypeError, ValueError):
        raise Flaw(f"{folder / EVALUATION} is damaged") from None
    listed = (folder / "requirements.txt").read_text("utf-8", errors="replace")
    if said[:2] != (code.of_files(served), config["digests"]["adapter"]):
        raise Flaw(f"{folder / EVALUATION} is the evaluation of another adapter or other code")
    if said[2] != listed or not all(_REQUIREMENT.fullmatch(line) for line in listed.splitlines()):
        raise Flaw(f"{folder / 'requirements.txt'} asks for other packages than were evaluated")
