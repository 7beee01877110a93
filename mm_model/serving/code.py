"""The served code: which modules a release carries, found by what serving imports.

`mm_model.store.closure` follows every import from the modules that a server starts with. What only
training, stages or the command line use is not served, and may change without a new release.
"""

import contextlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from mm_model.store import closure, digests, syntax
from mm_model.store.atomic import Document

NAME, PACKAGE = syntax.NAME, closure.PACKAGE

_ENTRIES = ("serving/model.py", "serving/__main__.py")
"""What a server begins with: MLflow's script, and the application of `make serve`."""

_REQUIREMENTS = (
    "mlflow",
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "filelock",
    "safetensors",
    "sentencepiece",
    "protobuf",
    "insightface",
    "onnx",
    "onnxruntime",
    "opencv-python-headless",
    "av",
    "pillow",
    "numpy",
    "pandas",
    "pydantic",
    "pyyaml",
    "tqdm",
    "psutil",
    "uvicorn",
)


def modules(package: Path = PACKAGE) -> tuple[str, ...]:
    """The served modules, as sorted paths inside the package.

    Raises:
        SyntaxError: one of them is not Python.
    """
    return closure.modules(_ENTRIES, package)


def digest(package: Path = PACKAGE) -> str:
    """One digest over names and contents of the served modules as they lie on disk."""
    return of_contents({name: (package / name).read_bytes() for name in modules(package)})


def of_contents(contents: Mapping[str, bytes]) -> str:
    """The same digest, from each module's content."""
    return of_files({name: digests.of_bytes(content) for name, content in contents.items()})


def of_files(files: Mapping[str, str]) -> str:
    """The same digest, from each module's own."""
    return digests.of_value(sorted(files.items()))


def environment() -> Document:
    """The Python and the packages that serving needs, as installed here; local build marks such as
    `+cpu` are left out."""
    found = {}
    for name in _REQUIREMENTS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name).split("+")[0]
    return {
        "python": platform.python_version(),
        "requirements": [f"{name}=={version}" for name, version in found.items()],
    }


def measured(adapter: Path) -> Document:
    """What an evaluation says it measured with: the adapter, the served code, the environment."""
    return {"adapter": digests.of_folder(adapter), "code": digest(), **environment()}
