"""Makes the folder MLflow serves from: MLmodel, our code, configuration, weights, evaluation, card.

Equal content gives equal bytes: nothing in the folder says when, where or as which version it was
made. The weights are copied in, so that a version serves from anywhere; a backbone above two GiB is
named by path and digest instead, from the root when it lies in the tree. No pickle, and no other
path.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mm_model.errors import UserError
from mm_model.register import card
from mm_model.register.carriers import may_carry_code
from mm_model.serving import code
from mm_model.serving.config import ServingConfig, of_profile
from mm_model.settings import Profile
from mm_model.store import digests
from mm_model.store.atomic import Document

COPY_LIMIT = 2 << 30
LOADER = "mlflow.pyfunc.loaders.code_model"
"""MLflow's own loader of a model that is a script; another would be somebody else's code."""

SCRIPT, CODE, EVALUATION = "model.py", "code", "evaluation/metrics.json"
_ENV = {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}


@dataclass(frozen=True)
class Package:
    """What one release consists of: contents to be written and files to be copied, by their place
    in its folder, and the card that lists both.
    """

    written: Mapping[str, bytes]
    copied: Mapping[str, Path]
    config: ServingConfig
    card: card.Card

    @property
    def digest(self) -> str:
        """The name a release goes by."""
        return self.card.digest

    @property
    def adapter_digest(self) -> str:
        """Digest of the adapter's folder."""
        return self.config.digests["adapter"]


def package(
    folders: Mapping[str, Path], metrics: Mapping[str, Any], profile: Profile, root: Path
) -> Package:
    """Describe a release made of the folders adapter, backbone and facepack, the served code as it
    lies here, and the evaluation `metrics` of just these.

    Raises:
        UserError: a folder holds a file that can carry code, or the evaluation is not of this
            adapter and this code.
    """
    weights = {name: _listed(folder, name) for name, folder in folders.items()}
    found = {
        name: card.folder_digest({place: entry.sha256 for place, (_, entry) in files.items()})
        for name, files in weights.items()
    }
    served = {name: (code.PACKAGE / name).read_bytes() for name in code.modules()}
    _refuse_unmeasured(metrics, found["adapter"], code.of_contents(served))
    reference = None
    if sum(entry.bytes for _, entry in weights["backbone"].values()) > COPY_LIMIT:
        reference = _from_root(folders["backbone"], root)
        del weights["backbone"]
    config = of_profile(profile, found, reference)
    written = _written(config, metrics, served, sorted(weights))
    copied = {
        f"artifacts/{name}/{place}": path
        for name, files in weights.items()
        for place, (path, _) in files.items()
    }
    files = {name: card.of_bytes(content) for name, content in written.items()}
    for name, entries in weights.items():
        files |= {f"artifacts/{name}/{place}": entry for place, (_, entry) in entries.items()}
    parts = {
        **found,
        "code": metrics["measured"]["code"],
        "configuration": digests.of_value(config.model_dump(mode="json")),
        "environment": digests.of_value(_environment(metrics)),
        "evaluation": digests.of_bytes(written[EVALUATION]),
    }
    return Package(written, copied, config, card.Card(parts, files))


def assemble(described: Package, folder: Path, linked: bool = False) -> None:
    """Write the whole release into `folder`, which must not exist.

    `linked`: weights may be hard links, for a folder that is only sent from and removed then.
    """
    for name, content in {**described.written, card.NAME: described.card.as_bytes()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name, path in described.copied.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not (linked and _link(path, folder / name)):
            shutil.copyfile(path, folder / name)


def _link(path: Path, target: Path) -> bool:
    try:
        os.link(path.resolve(), target)
    except OSError:  # another file system
        return False
    return True


def _listed(folder: Path, name: str) -> dict[str, tuple[Path, card.File]]:
    files = {}
    for place in digests.files_below(folder):
        path = folder / place
        if may_carry_code(path):
            raise UserError(
                f"{path} may carry code: only safetensors and ONNX weights are registered, "
                f"convert it or move it out of the {name}."
            )
        if card.odd_name(place):
            raise UserError(
                f"{folder} holds a file with an odd name ({place!r}): rename it before the {name} "
                "is registered."
            )
        files[place] = (path, card.of_file(path))
    return files


def refuse_unmeasured_code(metrics: Mapping[str, Any], served: str | None = None) -> None:
    """Return if the evaluation measured with the code whose digest is `served`: what lies here.

    Raises:
        UserError: it did not, or does not say.
    """
    measured = metrics.get("measured") or {}
    if measured.get("code") is None:
        raise UserError(
            "The evaluation does not say which code it measured with: run the stage evaluate again "
            "('make run' does)."
        )
    if measured["code"] != (served or code.digest()):
        raise UserError(
            "The code that would be served is not the code that was evaluated: 'make run' "
            "evaluates and registers it (alone: 'python -m mm_model run evaluate'); or take the "
            "change back."
        )


def _refuse_unmeasured(metrics: Mapping[str, Any], adapter: str, served: str) -> None:
    """A release is what was evaluated, or none."""
    refuse_unmeasured_code(metrics, served)
    if metrics["measured"].get("adapter") != adapter:
        raise UserError(
            "The adapter is not the one that was evaluated: 'make run' evaluates it and registers "
            "it then."
        )


def _from_root(folder: Path, root: Path) -> str:
    """A tree may be moved or copied: what lies inside it is named from its root."""
    folder, root = folder.resolve(), root.resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def _environment(metrics: Mapping[str, Any]) -> Document:
    """The environment that was measured in, whatever is installed by now."""
    return {name: metrics["measured"][name] for name in ("python", "requirements")}


def _written(
    config: ServingConfig,
    metrics: Mapping[str, Any],
    served: Mapping[str, bytes],
    artifacts: list[str],
) -> dict[str, bytes]:
    """Everything but the weights: MLmodel, environment files, code and evaluation."""
    environment = _environment(metrics)
    python, requirements = environment["python"], environment["requirements"]
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": requirements}],
    }
    virtualenv = {
        "python": python,
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }
    return {
        "MLmodel": _text(_mlmodel(config, python, requirements, artifacts)),
        SCRIPT: served["serving/model.py"],
        "conda.yaml": _text(conda),
        "python_env.yaml": _text(virtualenv),
        "requirements.txt": "".join(f"{line}\n" for line in requirements).encode(),
        EVALUATION: json.dumps(metrics, indent=1, sort_keys=True).encode(),
        **{f"{CODE}/{code.NAME}/{name}": content for name, content in served.items()},
    }


def _mlmodel(
    config: ServingConfig, python: str, requirements: list[str], artifacts: list[str]
) -> Document:
    """MLflow's description of the model, less what differs from one writing to the next."""
    places = {name: f"artifacts/{name}" for name in artifacts}
    flavour = {
        "artifacts": {name: {"path": place, "uri": place} for name, place in places.items()},
        "code": CODE,
        "config": config.model_dump(mode="json"),
        "env": dict(_ENV),
        "loader_module": LOADER,
        "model_code_path": SCRIPT,
        "python_version": python,
        "streamable": False,
    }
    described: Document = {"flavors": {"python_function": flavour}}
    with contextlib.suppress(StopIteration):
        lines = (line.split("==") for line in requirements)
        described["mlflow_version"] = next(version for name, version in lines if name == "mlflow")
    return described


def _text(value: Document) -> bytes:
    return yaml.safe_dump(value, sort_keys=False).encode()
