"""Prepares Dagster's home folder: where its databases lie and how the instance is set up.

`python -m orchestration.home` does it from the command line; doing it again changes nothing.
"""

import os
from pathlib import Path

from mm_model.environment import silence_telemetry
from mm_model.store import atomic
from orchestration import resources

_INSTANCE = Path(__file__).with_name("dagster.yaml")


def prepare(root: Path) -> Path:
    """Make `DAGSTER_HOME` (by default `<root>/work/dagster`) ready, export it, and return it."""
    home = Path(os.environ.get("DAGSTER_HOME") or root / "work" / "dagster").resolve()
    target = home / "dagster.yaml"
    wanted = _INSTANCE.read_text()
    if not target.is_file() or target.read_text() != wanted:
        atomic.write_text(target, wanted)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


if __name__ == "__main__":
    silence_telemetry()
    prepare(resources.root())
