"""What a stage really imports, in its process and those it starts, counts as its code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mm_model.run import made_by
from mm_model.run.stages import NAMES, file_of
from mm_model.store import closure
from tests.test_end_to_end import small_root

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
SHOWS = ("tracking/tracker.py", "report/views.py", "report/page.py", "report/catalogue.py")
"""What only shows a result, and all it imports: no stage's code."""


def _file(module: str) -> str | None:
    """Path inside the package; None for a name that is no module, such as a class."""
    place = closure.PACKAGE.joinpath(*module.split(".")[1:])
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path.relative_to(closure.PACKAGE.parent).as_posix()
    return None


@pytest.mark.slow
def test_each_stage_imports_nothing_that_does_not_count(root: Path, tmp_path: Path) -> None:
    place = small_root(root, tmp_path / "house")
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    shown = {f"mm_model/{name}" for name in closure.modules(SHOWS)}
    for stage in NAMES:
        log = tmp_path / f"{stage}.txt"
        environment = {
            **os.environ,
            "MM_ROOT": str(place),
            "IMPORTS": str(log),
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "hook"), str(root)]),
        }
        done = subprocess.run(
            [sys.executable, "-c", RUN, stage, str(place)],
            env=environment,
            cwd=place,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        imported = {file for name in log.read_text().split() if (file := _file(name))}
        counted = set(made_by.record(stage))
        assert f"mm_model/{file_of(stage)}" in imported
        assert not imported - counted - shown, stage
        surplus = counted - imported
        print(f"{stage}: {len(imported)} imported, {len(counted)} counted; {sorted(surplus)}")
