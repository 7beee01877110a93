"""What a module imports, and what it says to a computer, both found by reading it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import mm_model
from mm_model.run import made_by
from mm_model.store import closure, syntax
from tests.written import written


def _parts(source: bytes) -> dict[str, str]:
    return syntax.of_source(source).parts


SOURCES = {
    "__init__.py": "",
    "entry.py": (
        "from . import sibling\n"
        "from .deep import below\n"
        "import typing\n"
        "if typing.TYPE_CHECKING:\n    import mm_model.typed\n"
        "COMMAND = ['python', '-m', 'mm_model.child']\n"
        "TABLE = 'table.json'\n"
        "def late():\n    importlib.import_module('mm_model.late')\n"
    ),
    "sibling.py": "",
    "typed.py": "",
    "child.py": "",
    "late.py": "from mm_model.deep.package import *\n",
    "table.json": "{}",
    "other.json": "{}",
    "deep/__init__.py": "",
    "deep/below.py": "from ..upper import thing\nfrom .package import inside\n",
    "deep/package/__init__.py": "from .inside import name\n",
    "deep/package/inside.py": "TABLES = 'tables/words.txt'\n",
    "deep/package/tables/words.txt": "word\n",
    "upper.py": "",
    "broken.py": "def broken(:\n",
}
IMPORTED = set(SOURCES) - {"typed.py", "other.json", "broken.py"}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return written(tmp_path, SOURCES)


def test_every_way_to_import_is_followed(package: Path) -> None:
    assert set(closure.modules(["entry.py", "absent.py"], package)) == IMPORTED


def test_of_a_leaf_nothing_is_followed(package: Path) -> None:
    found = closure.modules(["entry.py"], package, leaves=["deep/below.py"])
    assert set(found) == IMPORTED - {"upper.py"}


def test_what_is_no_python_stops_only_who_wants_to_know(package: Path) -> None:
    with pytest.raises(SyntaxError):
        closure.modules(["broken.py"], package)
    assert closure.modules(["broken.py"], package, tolerant=True) == ("__init__.py", "broken.py")
    assert _parts(b"def broken(:\n") != _parts(b"def broken(::\n")
    assert _parts(b"\0") != _parts(b"\0\0")


MODULE = '''"""A module."""
import math

SIZE = 3
"""How large."""


class Shape(Base, kind="round"):
    """A shape."""

    sides: int = 0

    @property
    def area(self) -> float:
        """Its area."""
        # times itself
        return self.base + 5 * self.can

    @area.setter
    def area(self, value: float) -> None:
        self.base = value


def grow(shape, *, by=None):
    if by:
        pass
    return shape.area**2
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""\n', ""),
        ('"""A module."""', '"""Another."""\n# and a comment'),
        ('"""How large."""\n', ""),
        ('        """Its area."""\n', ""),
        ("        # times itself\n", ""),
        ("\n\nclass", "\n\n\n\n\nclass"),
        ("5 * self.can", "(5*self.can)  # as ever"),
        ("shape, *, by=None", "\n    shape,\n    *,\n    by=None,\n"),
        ('kind="round"', "kind='round'"),
        ("        pass\n", '        """Nothing."""\n'),
    ],
)
def test_words_for_people_and_layout_say_nothing(old: str, new: str) -> None:
    assert old in MODULE
    changed = MODULE.replace(old, new)
    ast.parse(changed)
    assert _parts(changed.encode()) == _parts(MODULE.encode())


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("+ 5 * self.can", "- 5 * self.can", "Shape.area"),
        ("5 *", "5.0 *", "Shape.area"),
        ("5 *", "True *", "Shape.area"),
        ("self.base = value", "self.base = -value", "Shape.area"),
        ("@property", "@cached_property", "Shape.area"),
        ("-> float", "-> int", "Shape.area"),
        ("sides: int = 0", "sides: int = 1", "Shape"),
        ('kind="round"', 'kind="Round"', "Shape"),
        ("Base, ", "", "Shape"),
        ("by=None", "by=0", "grow"),
        ("*, by=None", "by=None", "grow"),
        ("**2", "*2", "grow"),
        ("SIZE = 3", "SIZE = 4", ""),
        ("import math", "import cmath", ""),
        ("grow", "swell", None),
        ("def grow", "async def grow", "grow"),
    ],
)
def test_each_line_that_may_count_is_named(old: str, new: str, part: str | None) -> None:
    assert old in MODULE
    before, after = _parts(MODULE.encode()), _parts(MODULE.replace(old, new).encode())
    differing = {name for name in before | after if before.get(name) != after.get(name)}
    assert differing == ({part} if part is not None else {"", "grow", "swell"})


def test_the_order_of_definitions_counts() -> None:
    one, two = "def a():\n    return 1\n", "def a():\n    return 2\n"
    assert _parts((one + two).encode()) != _parts((two + one).encode())
    other = "def b():\n    return 1\n"
    assert _parts((one + other).encode()) != _parts((other + one).encode())


SWAPPED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Lt: ast.LtE,
    ast.Gt: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def _mutation(node: ast.AST) -> tuple[str, object] | None:
    """A field of the node with another value for it; None where there is nothing to swap."""
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPPED:
        return "op", SWAPPED[type(node.op)]()
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        return "ops", [SWAPPED[type(node.ops[0])](), *node.ops[1:]]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return "value", node.value + 1
    return None


def test_every_mutation_of_real_code_is_seen() -> None:
    """Each operator and number of real modules, changed one at a time."""
    tried, measuring = 0, ("metrics/identity.py", "metrics/motion.py")
    for name in ("nn/magic_mirror/can.py", "media/shape.py", *measuring):
        source = (closure.PACKAGE / name).read_bytes()
        tree, known = ast.parse(source), _parts(source)
        for node in ast.walk(tree):
            if (mutation := _mutation(node)) is None:
                continue
            field, other = mutation
            before = getattr(node, field)
            setattr(node, field, other)
            assert _parts(ast.unparse(tree).encode()) != known, (name, ast.unparse(node))
            setattr(node, field, before)
            tried += 1
        assert _parts(ast.unparse(tree).encode()) == known, "written otherwise, it is equal"
    assert tried > 80


def test_no_import_escapes_reading() -> None:
    """A module named at run time cannot be followed: a stage, what the package offers, a release's
    own door,
    whether dlib, the weights of a filter, ConsisID's packages or a matte's are installed, and the
    libraries that a checkpoint of SDXL or Stable Diffusion has parts of."""
    ways, found = ("import_module", "__import__", "find_spec", "run_module", "run_path"), set()
    for path in closure.PACKAGE.rglob("*.py"):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if any(way in source for way in ways) else ():
            called = getattr(node, "func", None)
            name = getattr(called, "attr", None) or getattr(called, "id", None)
            if name in ways and not isinstance((node.args or [None])[0], ast.Constant):
                found.add(path.relative_to(closure.PACKAGE).as_posix())
    known = {
        "run/pools/cluster.py",
        "run/stages.py",
        "__init__.py",
        "judges/install.py",
        "media/looks.py",
        "reproduce/__main__.py",
        "consisid/faces.py",
        "vcd/matte.py",
        "serving/handed.py",
    }
    assert found == known | {"nn/networks.py"}


def test_nobody_inside_takes_what_the_package_offers_outside() -> None:
    """It is loaded by a name that cannot be followed."""
    for path in closure.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            offered = isinstance(node, ast.ImportFrom) and node.module == syntax.NAME
            names = {alias.name for alias in node.names} if offered else set()
            assert not names & {*mm_model.__all__}, path


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(syntax, "_known", {})
    monkeypatch.setattr(syntax, "_recalled", set())
    monkeypatch.setattr(syntax, "_new", set())


def test_what_was_read_once_is_remembered_and_no_damage_believed(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (package / "sources").mkdir()
    (package / "sources" / "stage.py").write_text("from mm_model import entry\n")
    read = syntax.of_source
    _forget(monkeypatch)
    first = made_by.record("sources", package)
    _forget(monkeypatch)
    monkeypatch.setattr(syntax, "of_source", lambda _: pytest.fail("it was read before"))
    assert made_by.record("sources", package) == first

    monkeypatch.setattr(syntax, "of_source", read)
    (memory,) = package.rglob("syntax.json")
    content = memory.read_bytes()
    digest = first["mm_model/entry.py"]["late"].encode()
    assert content.count(digest) == 1
    for damaged in (content.replace(digest, digest[::-1]), content[:-9], b"", b'{"files": 3}'):
        memory.write_bytes(damaged)
        _forget(monkeypatch)
        assert made_by.record("sources", package) == first
    (package / "entry.py").write_text("# nothing any more\n")
    _forget(monkeypatch)
    assert set(made_by.record("sources", package)) == {
        "mm_model/__init__.py",
        "mm_model/entry.py",
        "mm_model/sources/stage.py",
    }


def test_of_a_table_every_byte_counts(package: Path) -> None:
    before = syntax.of(package / "deep/package/tables/words.txt").parts
    (package / "deep/package/tables/words.txt").write_text("word\n# a comment\n")
    assert syntax.of(package / "deep/package/tables/words.txt").parts != before
