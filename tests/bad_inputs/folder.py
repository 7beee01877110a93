"""Lays kinds of bad input into one folder, a user's collection, and says what is right for each."""

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from mm_model.media.names import shown
from mm_model.store import tables
from tests.bad_inputs.port import FILES, INDEX, SHEET, TARS, Kind, Made

_SAID = {"licence": "CC-BY-4.0", "adults": True}
SOURCES = {
    FILES: {**_SAID, "people": "unknown"},
    TARS: {"kind": "tars", **_SAID},
    INDEX: {"kind": "index", **_SAID},
    SHEET: {"kind": "index", **_SAID},
}


@dataclass(frozen=True)
class Expected:
    """What a row must be: its reason (None: kept), and of which kind and thing it is."""

    kind: Kind
    thing: Made
    reason: str | None


@dataclass
class Laid:
    """What lies in the folder: `rows` by the names that the tables will show."""

    folder: Path
    rows: dict[str, Expected] = field(default_factory=dict)
    things: list[tuple[Kind, Path]] = field(default_factory=list)
    _lines: dict[str, list[dict[str, str | None]]] = field(default_factory=dict)

    def add(self, kind: Kind, thing: Made) -> None:
        """Make one thing."""
        if thing.row is not None:
            self._add_line(kind, thing)
            return
        name = b"/".join([os.fsencode(kind.slug), thing.name])
        self._put(kind, name, thing)
        own = f"{kind.source}/{shown(os.fsdecode(name))}"
        rows = {"": thing.reason} if thing.rows is None else thing.rows
        for row, reason in rows.items():
            place = own if kind.source == TARS else f"{kind.source}/{kind.slug}"
            full = f"{place}/{row}" if row else own
            self.rows[str(Path(full))] = Expected(kind, thing, reason)

    def _add_line(self, kind: Kind, thing: Made) -> None:
        lines = self._lines.setdefault(kind.source, [])
        lines.append(thing.row or {})
        if thing.content != b"":
            self._put(kind, thing.name, thing)
        table = "list.parquet" if kind.source == INDEX else "list.csv"
        for row, reason in (thing.rows or {}).items():
            name = f"{table}#row-{len(lines)}" if row == "#" else row
            self.rows[f"{kind.source}/{name}"] = Expected(kind, thing, reason)

    def _put(self, kind: Kind, name: bytes, thing: Made) -> None:
        path = self.folder / kind.source / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(thing.content):
            thing.content(path)
        else:
            path.write_bytes(thing.content)
        self.things.append((kind, path))

    def close(self) -> None:
        """Write what says what the sources are."""
        said = {name: terms for name, terms in SOURCES.items() if (self.folder / name).is_dir()}
        (self.folder / "source.yaml").write_text(
            yaml.safe_dump({"kind": "collection", "sources": said}, sort_keys=False)
        )
        for source, lines in self._lines.items():
            if source == INDEX:
                tables.write(self.folder / INDEX / "list.parquet", lines, ("path",), {})
                continue
            with (self.folder / SHEET / "list.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, ("path", "caption"))
                writer.writeheader()
                writer.writerows(lines)


def lay(folder: Path, kinds: Iterable[Kind], quick: bool = False) -> Laid:
    """Every variant of the kinds below `folder`; `quick`: the first of each that is not dear."""
    laid = Laid(folder)
    for one in kinds:
        for thing in one.things(range(not one.dear if quick else one.variants)):
            laid.add(one, thing)
    laid.close()
    return laid
