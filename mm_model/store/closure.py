"""Which modules of this package a module imports, and what each of them says to a computer.

Found by reading the sources, never by running them: every import of this package is followed, also
those inside functions and relative ones, and a text that is nothing but the name of a module (for
`import_module` or `python -m`) or of a file that lies beside (a table that it reads). What only a
type checker imports is left out. A name that is put together at run time cannot be followed.
"""

import ast
import hashlib
import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

NAME = "mm_model"
PACKAGE = Path(__file__).resolve().parents[1]

_SHOWN = 12
_IDLE = ("ctx", "kind", "type_comment", "type_ignores")
"""Fields of a syntax tree that follow from others or say nothing to a computer."""
_DATA = re.compile(r"[\w-]+(?:[./][\w-]+)*\.(?!py$)\w+")
_BODIES = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules(
    entries: Iterable[str],
    package: Path = PACKAGE,
    *,
    leaves: Iterable[str] = (),
    tolerant: bool = False,
) -> tuple[str, ...]:
    """`entries` and all they import, as sorted paths inside the package; absent ones are left out.

    The packages around a module belong to it. Of `leaves` no import is followed. A file that is not
    Python imports nothing when `tolerant`.

    Raises:
        SyntaxError: one of them is not Python, unless `tolerant`.
    """
    there = _listing(package)
    found: set[str] = set()
    waiting, ends = [name for name in entries if name in there], frozenset(leaves)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        around = tuple(name.split("/")[:-1])
        places = [around]
        if name not in ends and name.endswith(".py"):
            imported, beside = _looked_into(package / name, tolerant)
            places += [place for one in imported if (place := _place(*one, around)) is not None]
            waiting += [file for text in beside if (file := "/".join((*around, text))) in there]
        waiting += [file for place in places for file in _files(place) if file in there]
    return tuple(sorted(found))


def _listing(package: Path) -> frozenset[str]:
    """Every file of the package, as a path inside it."""
    found: set[str] = set()
    for folder, folders, files in os.walk(package):
        folders[:] = [name for name in folders if name != "__pycache__"]
        inside = Path(folder).relative_to(package).as_posix()
        found |= {name if inside == "." else f"{inside}/{name}" for name in files}
    return frozenset(found)


@lru_cache(maxsize=2048)
def _parts(source: bytes) -> tuple[tuple[str, str], ...]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return (("", _short(source)),)
    said: dict[str, list[str]] = {"": []}
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            _take_class(statement, said)
        elif isinstance(statement, _BODIES):
            said.setdefault(statement.name, []).append(_spelt(statement))
        elif spelt := _spelt(statement):
            said[""].append(spelt)
            continue
        else:
            continue
        said[""].append(f"def {statement.name}")  # the order of definitions
    return tuple((name, _short("\n".join(lines).encode())) for name, lines in said.items())


def parts(source: bytes) -> dict[str, str]:
    """What a module says, by part: short digests of each function, method and class (without its
    methods) by name, and under "" of the rest.

    Taken of the syntax tree without comments, docstrings and places, so that only what may change
    behaviour counts. A file that is not Python counts byte by byte.
    """
    return dict(_parts(source))


def _take_class(statement: ast.ClassDef, said: dict[str, list[str]]) -> None:
    inside = [one for one in statement.body if isinstance(one, _BODIES)]
    for method in inside:
        said.setdefault(f"{statement.name}.{method.name}", []).append(_spelt(method))
    own = said.setdefault(statement.name, [])
    own += [_spelt(one) for one in (*statement.decorator_list, *statement.bases)]
    own += [_spelt(one) for one in (*statement.keywords, *getattr(statement, "type_params", ()))]
    own += [f"def {one.name}" if one in inside else _spelt(one) for one in statement.body]


def _spelt(node: object) -> str:
    """A syntax tree as text, the same for every release of Python that reads it alike.

    Fields that are empty are left out: releases differ in which of them they have.
    """
    if isinstance(node, ast.AST):
        if _says_nothing(node):
            return ""
        fields = [
            f"{name}={spelt}" for name, value in ast.iter_fields(node)
            if name not in _IDLE and (spelt := _value(node, value))
        ]  # fmt: skip
        return f"{type(node).__name__}({','.join(fields)})"
    return repr(node)


def _value(node: ast.AST, value: object) -> str:
    if isinstance(node, ast.Constant):
        return repr(value)
    if isinstance(value, list):
        return ";".join([spelt for one in value if (spelt := _spelt(one))])
    return "" if value is None else _spelt(value)


def _says_nothing(node: ast.AST) -> bool:
    """A text that stands alone (a docstring), or `pass`."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return isinstance(node, ast.Pass)


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_SHOWN]


@lru_cache(maxsize=2048)
def _read(source: bytes) -> tuple[tuple[tuple[int, tuple[str, ...]], ...], tuple[str, ...]]:
    """What a module imports when it runs, as (level, dotted name as parts) with level 0 for an
    absolute one; and its texts that may name a file.
    """
    names: dict[tuple[int, str], None] = {}
    texts: dict[str, None] = {}
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _for_type_checkers(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            names |= {(0, alias.name): None for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            inner = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            names |= {(node.level, name): None for name in (base, *inner) if name}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _names_a_module(node.value):
                names[(0, node.value)] = None
            elif _DATA.fullmatch(node.value):
                texts[node.value] = None
        waiting += ast.iter_child_nodes(node)
    return tuple((level, tuple(name.split("."))) for level, name in names), tuple(texts)


def _for_type_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _names_a_module(text: str) -> bool:
    return text.startswith(f"{NAME}.") and all(part.isidentifier() for part in text.split("."))


def _looked_into(path: Path, tolerant: bool) -> tuple[Iterable[tuple], Iterable[str]]:
    try:
        return _read(path.read_bytes())
    except (SyntaxError, ValueError):
        if not tolerant:
            raise
        return (), ()


def _place(level: int, name: tuple[str, ...], around: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where inside the package an import in the package `around` leads; None outside of it."""
    if level:
        return (*around[: len(around) - level + 1], *name)
    return name[1:] if name[0] == NAME else None


def _files(place: tuple[str, ...]) -> list[str]:
    """The module or package that may lie at `place`, and the packages above it."""
    packages = ["/".join((*place[:depth], "__init__.py")) for depth in range(len(place) + 1)]
    return [*packages, "/".join(place) + ".py"]
