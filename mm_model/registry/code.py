"""The served code: which modules a release carries, found by what serving imports.

Found by reading the sources, never by running them: from the modules that a server starts with,
every import of this package is followed, also those inside functions. What only training, stages
or the command line use is not served, and may change without a new release.
"""

import ast
import contextlib
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from mm_model.store import digests

NAME = "mm_model"
PACKAGE = Path(__file__).resolve().parents[1]
_ENTRIES = ("serving/model.py", "serving/__main__.py")
"""What a server begins with: MLflow's script, and the application of `make serve`."""

_REQUIREMENTS = (
    "mlflow", "torch", "diffusers", "transformers", "accelerate", "safetensors", "sentencepiece",
    "protobuf", "insightface", "onnx", "onnxruntime", "opencv-python-headless", "av", "pillow",
    "numpy", "pandas", "pydantic", "pyyaml", "tqdm",
    "uvicorn",
)  # fmt: skip


def modules(package: Path = PACKAGE) -> tuple[str, ...]:
    """The served modules, as sorted paths inside the package.

    Raises:
        SyntaxError: one of them is not Python.
    """
    found: set[str] = set()
    waiting = [name for name in _ENTRIES if (package / name).is_file()]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [name for place in _imported(package / name) for name in _files(package, place)]
        waiting += _files(package, Path(name).parts[:-1])
    return tuple(sorted(found))


def digest(package: Path = PACKAGE) -> str:
    """One digest over names and contents of the served modules as they lie on disk."""
    return of_contents({name: (package / name).read_bytes() for name in modules(package)})


def of_contents(contents: Mapping[str, bytes]) -> str:
    """The same digest, from each module's content."""
    return of_files({name: digests.of_bytes(content) for name, content in contents.items()})


def of_files(files: Mapping[str, str]) -> str:
    """The same digest, from each module's own."""
    return digests.of_value(sorted(files.items()))


def environment() -> dict[str, Any]:
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


def measured(adapter: Path) -> dict[str, Any]:
    """What an evaluation says it measured with: the adapter, the served code, the environment."""
    return {"adapter": digests.of_folder(adapter), "code": digest(), **environment()}


@cache
def _read(source: bytes) -> tuple[tuple[str, ...], ...]:
    """Dotted names, as parts, that a module imports when it runs (not for type checkers only)."""
    names: list[str] = []
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _for_type_checkers(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        waiting += ast.iter_child_nodes(node)
    return tuple(tuple(name.split(".")) for name in dict.fromkeys(names))


def _for_type_checkers(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _imported(path: Path) -> Iterator[tuple[str, ...]]:
    for first, *rest in _read(path.read_bytes()):
        if first == NAME:
            yield tuple(rest)


def _files(package: Path, place: tuple[str, ...]) -> list[str]:
    """The module or package at `place`, and the packages above it, where they exist."""
    parents = [Path(*place[:depth], "__init__.py") for depth in range(len(place) + 1)]
    module = Path(*place).with_suffix(".py") if place else Path("__init__.py")
    return [path.as_posix() for path in (*parents, module) if (package / path).is_file()]
