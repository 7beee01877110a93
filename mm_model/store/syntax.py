"""What one file of this package says to a computer: what it imports, and digests of its parts.

Read from its syntax tree, never run. What was read once is remembered beside Python's own byte
code, by the digest of the file, since reading all files takes a second.
"""

import ast
import contextlib
import hashlib
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from mm_model.store import atomic, digests, documents

NAME = "mm_model"

_SHOWN = 12
_MEMORY = "syntax.json"
_MOST = 2000
_IDLE = ("ctx", "kind", "type_comment", "type_ignores")
"""Fields of a syntax tree that follow from others or say nothing to a computer."""
_DATA = re.compile(r"[\w-]+(?:[./][\w-]+)*\.(?!py$)\w+")
_BODIES = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Said:
    """What a file says.

    `imports` are (level, dotted name), level 0 for an absolute one; `texts` may name a file beside
    it; `parts` are short digests of each function, method and class (without its methods) by name,
    and under "" of the rest. Of a file that is not Python (`whole` is false) all bytes count.
    """

    imports: tuple[tuple[int, str], ...]
    texts: tuple[str, ...]
    parts: dict[str, str]
    whole: bool = True


_known: dict[str, Said] = {}
_recalled: set[Path] = set()
_new: set[str] = set()


def of(path: Path) -> Said:
    """What the file at `path` says; one that is no `.py` is data, of which every byte counts."""
    source = path.read_bytes()
    if path.suffix != ".py":
        return Said((), (), {"": _short(source)})
    key = digests.of_bytes(source)
    if key not in _known:
        _known[key] = of_source(source)
        _new.add(key)
    return _known[key]


def of_source(source: bytes) -> Said:
    """What Python source says, without comments, docstrings, layout and places, so that only what
    may change behaviour counts.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Said((), (), {"": _short(source)}, whole=False)
    imports, texts = _uses(tree)
    return Said(imports, texts, _parts(tree))


def recall(package: Path) -> None:
    """Take up what was remembered of the package's files; what is damaged is read anew."""
    if package in _recalled:
        return
    _recalled.add(package)
    content = documents.read_or_empty(package / "__pycache__" / _MEMORY)
    files = content.get("files")
    if content.get("reader") != _reader() or content.get("digest") != digests.of_value(files):
        return
    if not isinstance(files, dict):
        return
    for key, said in files.items():
        imports = tuple((level, name) for level, name in said["imports"])
        _known.setdefault(key, Said(imports, tuple(said["texts"]), said["parts"], said["whole"]))


def keep(package: Path) -> None:
    """Remember what was read since; where nothing may be written, it is read again next time."""
    if not _new or sys.dont_write_bytecode:
        return
    chosen = _known if len(_known) <= _MOST else {key: _known[key] for key in _new}
    files = {key: asdict(said) for key, said in chosen.items()}
    content = {"reader": _reader(), "digest": digests.of_value(files), "files": files}
    with contextlib.suppress(OSError):
        atomic.write_json(package / "__pycache__" / _MEMORY, content)
        _new.clear()


def _reader() -> str:
    """What reads: another release of this module or of Python may read otherwise."""
    return f"{digests.of_file(Path(__file__))} {sys.version_info[:2]}"


def _parts(tree: ast.Module) -> dict[str, str]:
    said: dict[str, list[str]] = {"": []}
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            _take_class(statement, said)
        elif isinstance(statement, _BODIES):
            said.setdefault(statement.name, []).append(_spelt(statement))
        else:
            said[""] += [spelt] if (spelt := _spelt(statement)) else []
            continue
        said[""].append(f"def {statement.name}")  # the order of definitions
    return {name: _short("\n".join(lines).encode()) for name, lines in said.items()}


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
            f"{name}={spelt}"
            for name, value in ast.iter_fields(node)
            if name not in _IDLE and (spelt := _value(node, value))
        ]
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


def _uses(tree: ast.Module) -> tuple[tuple[tuple[int, str], ...], tuple[str, ...]]:
    """What a module imports when it runs, and its texts that may name a file."""
    names: dict[tuple[int, str], None] = {}
    texts: dict[str, None] = {}
    waiting: list[ast.AST] = [tree]
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
    return tuple(names), tuple(texts)


def _for_type_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _names_a_module(text: str) -> bool:
    return text.startswith(f"{NAME}.") and all(part.isidentifier() for part in text.split("."))
