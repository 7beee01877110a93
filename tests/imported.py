"""Notes what a stage really imports, in its process and those it starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mm_model.run import made_by
from mm_model.run.stages import file_of
from mm_model.store import closure

HOOK = """
import os, sys

class Note:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] == "mm_model":
            with open(os.environ["IMPORTS"], "a") as log:
                log.write(f"{name}\\n")

sys.meta_path.insert(0, Note)
"""
RUN = (
    "import sys; from pathlib import Path; from mm_model.run import runner; "
    "from mm_model.report.views import VIEWS; "
    "runner.run(sys.argv[1], Path(sys.argv[2]), VIEWS)"
)
SHOWS = (
    "tracking/tracker.py",
    "register/announce.py",
    "report/views.py",
    "report/page.py",
    "report/catalogue.py",
)
"""What only shows a result, and all it imports: no stage's code."""


def _file(module: str) -> str | None:
    """Path inside the package; None for a name that is no module, such as a class."""
    place = closure.PACKAGE.joinpath(*module.split(".")[1:])
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path.relative_to(closure.PACKAGE.parent).as_posix()
    return None


def noting(stage: str, place: Path, root: Path) -> tuple[list[str], dict[str, str]]:
    """A command that runs a stage in `place`, and its environment: it notes what is imported."""
    hook = place.parent / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(HOOK)
    environment = {
        **os.environ,
        "MM_ROOT": str(place),
        "IMPORTS": str(_log(stage, place)),
        "PYTHONPATH": os.pathsep.join([str(hook), str(root)]),
    }
    return [sys.executable, "-c", RUN, stage, str(place)], environment


def uncounted(stage: str, place: Path) -> set[str]:
    """Files that a stage imported there and that do not count as its code."""
    shown = {f"mm_model/{name}" for name in closure.modules(SHOWS)}
    imported = {file for name in _log(stage, place).read_text().split() if (file := _file(name))}
    counted = set(made_by.record(stage))
    assert f"mm_model/{file_of(stage)}" in imported
    print(
        f"{stage}: {len(imported)} imported, {len(counted)} counted, {sorted(counted - imported)}"
    )
    return imported - counted - shown


def _log(stage: str, place: Path) -> Path:
    return place.parent / f"{place.name}-{stage}.txt"
