"""Which modules of this package a module imports, however indirectly.

Found by reading the sources, never by running them: every import of this package is followed, also
those inside functions and relative ones, and a text that is nothing but the name of a module (for
`import_module` or `python -m`) or of a file that lies beside (a table that it reads). What only a
type checker imports is left out. A name that is put together at run time cannot be followed.
"""

import ast
import os
from collections.abc import Iterable
from pathlib import Path

from mm_model.store import syntax
from mm_model.store.syntax import NAME

PACKAGE = Path(__file__).resolve().parents[1]


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
        if name not in ends:
            said = syntax.of(package / name)
            if not said.whole and not tolerant:
                ast.parse((package / name).read_bytes(), name)
            places += [at for one in said.imports if (at := _place(*one, around)) is not None]
            waiting += [file for text in said.texts if (file := "/".join((*around, text))) in there]
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


def _place(level: int, name: str, around: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where inside the package an import in the package `around` leads; None outside of it."""
    first, *rest = name.split(".")
    if level:
        return (*around[: len(around) - level + 1], first, *rest)
    return tuple(rest) if first == NAME else None


def _files(place: tuple[str, ...]) -> list[str]:
    """The module or package that may lie at `place`, and the packages above it."""
    packages = ["/".join((*place[:depth], "__init__.py")) for depth in range(len(place) + 1)]
    return [*packages, "/".join(place) + ".py"]
