"""What a figure leaves: its numbers, its picture, and what it was measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.environment import hardware
from mm_model.store import atomic, documents, sealed
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Shelf:
    """Where one figure keeps its parts and its result; `origin` names what decides them."""

    folder: Path
    name: str
    origin: str

    @property
    def numbers(self) -> Path:
        """The JSON of every number of the figure."""
        return self.folder / f"{self.name}.json"

    @property
    def plot(self) -> Path:
        """The picture."""
        return self.folder / f"{self.name}.png"

    def part(self, name: str) -> Document | None:
        """A part that an earlier run finished, or None."""
        path = self._part(name)
        if sealed.flaw(path, self.origin):
            return None
        return documents.read(path, "remove it, and it is measured again")

    def keep(self, name: str, part: Document) -> None:
        """Keep a finished part, so that a run that is cut off goes on after it."""
        path = self._part(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(path, part)
        sealed.seal(path, self.origin)

    def write(self, found: Document, figure: Figure) -> None:
        """Write both results, the picture first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic.written_aside(self.plot) as aside:
            figure.savefig(aside, format="png", dpi=110)
        said = {"figure": self.name, "command": f"make {self.name}", "hardware": hardware()}
        atomic.write_json(self.numbers, {**said, **found})

    def _part(self, name: str) -> Path:
        return self.folder / "parts" / f"{name}.json"
