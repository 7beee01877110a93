"""The rows of table 3 in a JSON file, written anew after every row."""

import json
import platform
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.store.atomic import write_json

_PACKAGES = ("torch", "diffusers", "transformers", "accelerate")
WORDS = {"full": "full size, random weights", "small": "small weights, a dry run: no claim"}


@dataclass
class MeasuredRows:
    """What was measured, by phase and name; `save` writes it."""

    path: Path
    about: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    finished: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, size: str, preset: str) -> "MeasuredRows":
        """What lies at `path`, or an empty sheet of this machine.

        Raises:
            UserError: the file is another machine's, other packages', or of another size.
        """
        about = {"size": size, "what": WORDS[size], "preset": preset, **_here()}
        if not path.exists():
            return cls(path, about)
        try:
            said = json.loads(path.read_text("utf-8"))
            found = cls(path, said["about"], said["rows"], said["finished"])
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{path} is no sheet of table3: give --out another file.") from None
        if differ := [name for name in about if found.about.get(name) != about[name]]:
            raise UserError(
                f"{path} was measured with another {differ[0]} ({found.about.get(differ[0])}, here "
                f"{about[differ[0]]}): rows of both cannot be compared, give --out another file."
            )
        return found

    def has(self, phase: str, name: str) -> bool:
        """Whether a row is there."""
        return any((row["phase"], row["name"]) == (phase, name) for row in self.rows)

    def value(self, phase: str, name: str) -> float:
        """The value of a row."""
        for row in self.rows:
            if (row["phase"], row["name"]) == (phase, name):
                return float(row["value"])
        raise UserError(f"{self.path} has no row '{name}': give the same command again.")

    def add(self, phase: str, name: str, value: Any, unit: str, **more: Any) -> None:
        """Add a row and write the file."""
        self.rows.append({"phase": phase, "name": name, "value": value, "unit": unit, **more})
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        said = {"about": self.about, "finished": self.finished, "rows": self.rows}
        write_json(self.path, said)


def _here() -> dict[str, Any]:
    import torch

    from mm_model.environment import hardware

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return {
        "gpu": device,
        "cpu": hardware(),
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }
