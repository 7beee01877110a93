"""The rooms of `mm_model` as its own imports say them; `python -m tests.rooms` draws them.

A room is a folder (or a module) directly below the package. Its floor is one above the highest room
that it imports, imports for type checkers and inside functions included.
"""

import ast
from collections import defaultdict
from functools import cache
from html import escape
from pathlib import Path

from mm_model.run import stages

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mm_model"
PICTURE = ROOT / "docs" / "media" / "rooms.svg"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: written by python -m tests.rooms -->", "<!-- end of rooms -->"

_SPLIT = ("embedded",)
"""Rooms whose folders are rooms of their own."""


def room_of(module: str) -> str:
    """The room of a dotted module, `mm_model` for the package itself."""
    parts = module.split(".")
    if len(parts) == 1:
        return parts[0]
    return ".".join(parts[1:3]) if parts[1] in _SPLIT and len(parts) > 2 else parts[1]


def _there(module: str) -> bool:
    place = ROOT / module.replace(".", "/")
    return place.is_dir() or place.with_suffix(".py").is_file()


def imported(path: Path) -> set[str]:
    """Every module of the package that the file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if _there(name) else node.module for name in inner}
    return {name for name in found if name.split(".")[0] == "mm_model"}


@cache
def imports() -> dict[str, dict[str, str]]:
    """Room to the rooms that it imports, each with one import as an example."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        room = room_of(module)
        if module in ("mm_model", "mm_model.__main__", *(f"mm_model.{room}" for room in _SPLIT)):
            continue
        found.setdefault(room, {})
        for name in sorted(imported(path)):
            other = room_of(name)
            if other not in (room, "mm_model"):
                found[room].setdefault(other, f"{module} imports {name}")
    return dict(found)


def floors(known: dict[str, dict[str, str]]) -> list[list[str]]:
    """Rooms by floor, lowest first.

    Raises:
        ValueError: rooms import each other in a circle.
    """
    left, built, placed = dict(known), [], set()
    while left:
        ready = sorted(room for room, taken in left.items() if set(taken) <= placed)
        if not ready:
            raise ValueError(f"a circle runs through some of {sorted(left)}")
        built.append(ready)
        placed |= set(ready)
        for room in ready:
            del left[room]
    return built


def purpose(room: str) -> str:
    """The first sentence of a room's own docstring."""
    folder = PACKAGE / room.replace(".", "/")
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(said.split("\n\n")[0].split()).rstrip(".")


def way() -> list[str]:
    """The rooms that a clip passes, from a source folder to a served model."""
    rooms = [stages.file_of(name).split("/")[0] for name in stages.NAMES]
    return [*dict.fromkeys(rooms), "serving"]


_WIDE, _HIGH, _GAP, _EDGE = 150, 46, 14, 90


def picture() -> str:
    """The rooms as an SVG: a row a floor, what imports above what is imported, the way numbered."""
    rows, numbers = floors(imports())[::-1], {room: n for n, room in enumerate(way(), 1)}
    width = _EDGE + max(map(len, rows)) * (_WIDE + _GAP)
    height = len(rows) * (_HIGH + _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="14">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for k, row in enumerate(rows):
        y = _GAP + k * (_HIGH + _GAP)
        label = f"floor {len(rows) - 1 - k}"
        parts.append(f'<text x="10" y="{y + 28}" fill="#888888">{label}</text>')
        for c, room in enumerate(row):
            parts += _box(room, _EDGE + c * (_WIDE + _GAP), y, numbers.get(room))
    return "\n".join([*parts, "</svg>", ""])


def _box(room: str, x: int, y: int, number: int | None) -> list[str]:
    fill = "#dcebff" if number else "#f2f2f2"
    parts = [
        f"<g><title>{escape(purpose(room))}</title>",
        f'<rect x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="6" fill="{fill}" '
        'stroke="#999999"/>',
        f'<text x="{x + _WIDE // 2}" y="{y + 28}" text-anchor="middle" fill="#222222">'
        f"{escape(room)}</text>",
    ]
    if number:
        parts += [
            f'<circle cx="{x + 14}" cy="{y + 14}" r="10" fill="#1d5fbf"/>',
            f'<text x="{x + 14}" y="{y + 19}" text-anchor="middle" fill="#ffffff" '
            f'font-size="13">{number}</text>',
        ]
    return [*parts, "</g>"]


def table() -> str:
    """The rooms as a Markdown table, highest floor first."""
    known = imports()
    lines = ["| Floor | Room | What it holds | Imports |", "|---|---|---|---|"]
    built = floors(known)
    for floor, rooms in reversed(list(enumerate(built))):
        for room in rooms:
            taken = ", ".join(sorted(known[room])) or "nothing of the package"
            lines.append(f"| {floor} | `{room}` | {purpose(room)} | {taken} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page `text` with today's table between its marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    print(PICTURE, PAGE, sep="\n")
