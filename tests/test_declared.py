"""What the project names is there: packages it imports, files its pages and comments speak of."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestration import consistent

EXTRAS = {
    "mm_model": (),
    "assets": ("orchestrate",),
    "orchestration": ("orchestrate",),
    "benchmarks": (),
    "tests": ("orchestrate", "dev"),
}
# Needed without an import of ours: Dagster's page
# is a command, three hold their parsers together, three are commands of `make`, and the
# type checker reads the stubs.
NEVER_IMPORTED = {
    "ruamel-yaml-clib",  # DVC's YAML finds it by itself
    "dagster-webserver",
    "hydra-core",
    "omegaconf",
    "antlr4-python3-runtime",
    "pytest-xdist",
    "ruff",
    "mypy",
    "pandas-stubs",
    "types-protobuf",
    "types-psutil",
    "types-pyyaml",
    "types-tqdm",
}
# In modules that a released model carries, inside functions that serving never calls: clustering,
# reading clips, tables and the catalogue.
NEVER_SERVED = {
    "faiss",
    "decord",
    "sqlalchemy",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.parquet",
}
_FILE = re.compile(
    r"(?<![\w./<>{}*-])((?:[\w.-]+/)+[\w.-]+\.(?:md|py|yaml|toml|lock|webp|jpg|json|env|onnx))\b"
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
# What a run writes, what a reader brings, what a model package holds.
_NOT_OURS = re.compile(r"^(data|work|reports|mlruns|samples|profiles/local\.yaml)\b|^https?:")


def _declared(root: Path, *extras: str) -> dict[str, Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def _locked(root: Path) -> dict[str, Requirement]:
    lines = (root / "requirements.lock").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): r for r in found}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


_providers = functools.cache(metadata.packages_distributions)


def _distributions(module: str) -> set[str]:
    """Canonical names of what may bring a module; a namespace package needs its second part."""
    if module.startswith("google."):
        return {module.split(".")[1]}
    names = _providers().get(module.split(".")[0], [])
    return {canonicalize_name(name) for name in names}


def _foreign(root: Path, top: str) -> dict[str, Path]:
    own = {"mm_model", "assets", "orchestration", "benchmarks", "tests"}
    own |= {path.stem for path in (root / "tests").rglob("*.py")}
    return {
        name: path
        for path in (root / top).rglob("*.py")
        for name in _imported(path)
        if name.split(".")[0] not in own | sys.stdlib_module_names
    }


@pytest.mark.parametrize("top", sorted(EXTRAS))
def test_every_import_is_declared(root: Path, top: str) -> None:
    declared = set(_declared(root, *EXTRAS[top]))
    for module, path in _foreign(root, top).items():
        assert _distributions(module) & declared, f"{path} imports {module}, declared nowhere"


def test_nothing_is_declared_that_nobody_imports(root: Path) -> None:
    used = {
        name for top in EXTRAS for module in _foreign(root, top) for name in _distributions(module)
    }
    assert set(_declared(root, "orchestrate", "dev")) - used == NEVER_IMPORTED


def test_the_lock_pins_every_declared_package_within_its_bounds(root: Path) -> None:
    locked = _locked(root)
    for name, wanted in _declared(root, "orchestrate", "dev").items():
        (pin,) = locked[name].specifier
        assert pin.operator == "==", name
        assert wanted.specifier.contains(pin.version, prereleases=True), name
        assert str(locked[name].marker) == str(wanted.marker), name


def test_the_environment_is_the_lock_and_fits_together(root: Path) -> None:
    for name, wanted in _locked(root).items():
        if wanted.marker is None or wanted.marker.evaluate():
            assert metadata.version(name).split("+")[0] in wanted.specifier, name
    assert consistent.check() == []


def test_only_what_is_known_to_be_harmless_is_forgiven() -> None:
    headless = {"opencv-python-headless"}
    meant = "insightface 2.1 requires opencv-python, which is not installed."
    others = [
        "torch 2.13.0 requires triton, which is not installed.",
        "insightface 2.1 has requirement opencv-python>9, but you have opencv-python 5.0.",
        "torch 2.13.0 is not supported on this platform",
    ]
    tag = "decord 0.6.0 is not supported on this platform"
    assert consistent.misfits(["No broken requirements found."], headless) == []
    assert consistent.misfits([meant], headless) == []
    assert consistent.misfits([meant], set()) == [meant]
    assert consistent.misfits([*others, meant, tag], headless) == others
    unused = "brisque 0.2.0 requires libsvm-official, which is not installed."
    assert consistent.misfits([unused, *others], headless) == others


def _speaking(root: Path) -> list[Path]:
    said = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True
    ).stdout.splitlines()
    kinds = (".md", ".py", ".yaml", ".toml", ".lock", ".env", "Makefile", "run", ".dvcignore")
    return [root / name for name in said if name.endswith(kinds) and (root / name).is_file()]


def _comments(path: Path) -> str:
    """The prose of a file: all of a page, comments and docstrings of a module."""
    text = path.read_text()
    if path.suffix != ".py":
        return text
    prose = [line.split("#", 1)[1] for line in text.splitlines() if "# " in line]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            prose.append(ast.get_docstring(node) or "")
    return "\n".join(prose)


def unknown_files(root: Path, path: Path, text: str) -> list[str]:
    """Names of files in ``text`` that lie neither in the repository nor beside ``path``."""
    names = set(_FILE.findall(text))
    if path.suffix == ".md":
        names |= set(_LINK.findall(text))
    places = (root, path.parent, root / "mm_model", root / "weights" / "tiny" / "backbone")
    return sorted(
        name
        for name in names
        if not _NOT_OURS.search(name) and not any((place / name).exists() for place in places)
    )


RECIPES = ("profiles/people.yaml", "profiles/people-long.yaml")
"""Their bytes name everything that was made from them, so a comment keeps a file's earlier name."""


def test_every_file_that_a_page_or_comment_names_exists(root: Path) -> None:
    missing = {
        str(path.relative_to(root)): found
        for path in _speaking(root)
        if (found := unknown_files(root, path, _comments(path)))
    }
    earlier = {name: missing.pop(name, None) for name in RECIPES}
    assert earlier == {name: ["mm_model/world/split.py"] for name in RECIPES}
    assert missing == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see docs/decisions/nowhere.md.", ["docs/decisions/nowhere.md"]),
        ("[how](gone.md#part), [what](../README.md)", ["gone.md"]),
        ("`nn/no_such.py`, `nn/cogvideox/tokenizer.py`, profiles/tiny.yaml", ["nn/no_such.py"]),
        ("writes data/tiny/evaluate/metrics.json", []),
    ],
)
def test_a_file_that_is_not_there_is_found(root: Path, text: str, found: list[str]) -> None:
    assert unknown_files(root, root / "docs" / "page.md", text) == found


def test_a_released_model_asks_for_all_that_its_code_imports(root: Path) -> None:
    from mm_model.serving import code

    lines = code.environment()["requirements"]
    asked = {canonicalize_name(line.split("==")[0]) for line in lines}
    library = root / "mm_model"
    for name in code.modules(library):
        for module in _imported(library / name):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top == "mm_model" or module in NEVER_SERVED:
                continue
            assert _distributions(module) & asked, f"{name} imports {module}"
