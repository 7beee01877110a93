"""Builds the folder MLflow serves from: MLmodel, our code, configuration, weights.

The weights are copied in, so that a version serves from anywhere; a backbone above two GiB is
named by path and digest instead, from the root when it lies in the tree. No pickle, and no other
path.
"""

import contextlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mm_model.errors import UserError
from mm_model.serving.config import ServingConfig, of_profile
from mm_model.settings import Profile
from mm_model.store import digests

COPY_LIMIT = 2 << 30
_FORBIDDEN = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt")
_REQUIREMENTS = (
    "mlflow", "torch", "diffusers", "transformers", "accelerate", "safetensors", "sentencepiece",
    "protobuf", "insightface", "onnx", "onnxruntime", "opencv-python-headless", "av", "pillow",
    "numpy", "pandas", "pydantic", "pyyaml", "tqdm",
)  # fmt: skip


_SERVED = (
    "__init__.py", "environment.py", "errors.py", "progress.py", "records.py", "settings.py",
    "pipeline.py", "diffusion", "eyes", "media", "nn", "serving", "store",
)  # fmt: skip


@dataclass(frozen=True)
class Package:
    """What one version consists of. `folders` maps artifact names to the folders copied in."""

    folders: dict[str, Path]
    config: ServingConfig
    code: Path
    digest: str

    @property
    def adapter_digest(self) -> str:
        """The name a version goes by."""
        return self.config.digests["adapter"]

    def places(self) -> Iterator[tuple[Path, str]]:
        """Each folder with its place inside the model."""
        for name, folder in self.folders.items():
            yield folder, f"artifacts/{name}"


def package(folders: dict[str, Path], profile: Profile, root: Path) -> Package:
    """Describe a version made of the folders adapter, backbone and facepack.

    Raises:
        UserError: a folder holds a file format that can carry code.
    """
    for name, folder in folders.items():
        for file in digests.files_below(folder):
            if file.endswith(_FORBIDDEN):
                raise UserError(
                    f"{folder / file} may carry code: only safetensors and ONNX weights are "
                    f"registered, convert the {name} first."
                )
    found = {name: digests.of_folder(folder) for name, folder in folders.items()}
    copied, reference = dict(folders), None
    if _size(folders["backbone"]) > COPY_LIMIT:
        reference = _from_root(copied.pop("backbone"), root)
    config = of_profile(profile, found, reference)
    code = Path(__file__).resolve().parents[1]
    digest = digests.of_value({"config": config.model_dump(mode="json"), "code": _code(code)})
    return Package(copied, config, code, digest)


def _from_root(folder: Path, root: Path) -> str:
    """A tree may be moved or copied: what lies inside it is named from its root."""
    folder, root = folder.resolve(), root.resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def _size(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in digests.files_below(folder))


def _modules(folder: Path) -> list[str]:
    """The modules serving needs, as paths inside the package; training and stages stay out."""
    return [
        name for name in digests.files_below(folder)
        if name.endswith(".py") and name.split("/")[0] in _SERVED
    ]  # fmt: skip


def _code(folder: Path) -> str:
    return digests.of_value([(name, digests.of_file(folder / name)) for name in _modules(folder)])


def requirements() -> list[str]:
    """The installed versions of what serving imports, without local build marks such as `+cpu`."""
    found = {}
    for name in _REQUIREMENTS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name).split("+")[0]
    return [f"{name}=={version}" for name, version in found.items()]


def write(described: Package, model_id: str, folder: Path) -> None:
    """Write everything but the weights into `folder`: MLmodel, code, environment files."""
    import mlflow.pyfunc
    import yaml
    from mlflow.models import Model

    code = folder.with_name(f"{folder.name}-code") / "mm_model"
    shutil.rmtree(code.parent, ignore_errors=True)
    for name in _modules(described.code):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(described.code / name, code / name)
    logger = logging.getLogger("mlflow.pyfunc")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it would advise the signature that is left out on purpose
    try:
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=str(code / "serving" / "model.py"),
            code_paths=[str(code)],
            model_config=described.config.model_dump(mode="json"),
            pip_requirements=requirements(),
            mlflow_model=Model(model_id=model_id),
        )
    finally:
        logger.setLevel(level)
    shutil.rmtree(code.parent)
    path = folder / "MLmodel"
    content = yaml.safe_load(path.read_text())
    flavour = content["flavors"]["python_function"]
    flavour["model_code_path"] = "model.py"
    flavour["artifacts"] = {
        name: {"path": place, "uri": place}
        for name, place in ((place.rsplit("/", 1)[1], place) for _, place in described.places())
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
