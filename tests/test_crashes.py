"""`make test` outlives its tests: one that takes its process down is one failure by name."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

FILES = {
    "test_first.py": """
        import ctypes, os, signal
        def test_before(): pass
        def test_segmentation_fault(): ctypes.string_at(0)
        def test_between(): pass
        def test_killed(): os.kill(os.getpid(), signal.SIGKILL)
        def test_after(): pass
    """,
    "test_second.py": """
        import os
        def test_leaves(): os._exit(0)
        def test_fails(): assert False
        def test_last(): pass
    """,
}
DEAD = {
    "test_first.py::test_segmentation_fault",
    "test_first.py::test_killed",
    "test_second.py::test_leaves",
}


def command(root: Path, target: str) -> list[str]:
    """The words that ``make`` would run for a target, once everything is installed."""
    said = subprocess.run(
        ["make", "-n", "-o", ".venv/.installed", target],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    python, *words = shlex.split(next(line for line in said if " -m pytest" in line))
    return [str(root / python), *words]


def test_a_crash_is_one_failed_test_and_a_summary(root: Path, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text("\n".join(line[8:] for line in text.splitlines()))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [*command(root, "test"), "-rf", str(tmp_path)],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    failed = set(re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE))
    assert failed == {*DEAD, "test_second.py::test_fails"}
    assert done.stdout.count(" crashed while running ") >= len(DEAD)
    assert re.search(r"4 failed, 4 passed in ", done.stdout.splitlines()[-1])
    assert "Segmentation fault" in done.stderr + done.stdout, "faulthandler tells where"


def test_slow_tests_run_the_same_way(root: Path) -> None:
    usual, slow = command(root, "test"), command(root, "test-slow")
    assert slow == [*usual, "-m", "slow and not endurance and not figures"]
    assert command(root, "test-endurance") == [*usual, "-m", "endurance"]


def test_many_crashes_do_not_end_the_suite_either(root: Path) -> None:
    """By itself pytest-xdist stops for good after four dead workers for each it was given."""
    words = command(root, "test")
    assert int(words[words.index("--max-worker-restart") + 1]) >= 100


@pytest.mark.parametrize(
    ("lint", "quick", "slow", "expected"),
    [(0, 0, 0, 0), (0, 1, 0, 1), (0, 0, 1, 1), (0, 5, 0, 1), (0, 139, 139, 1), (2, 0, 0, 1)],
)
def test_integration_runs_all_kinds_and_fails_with_any(
    root: Path, tmp_path: Path, lint: int, quick: int, slow: int, expected: int
) -> None:
    """`make` is stood in for by a script that notes its target and ends as told."""
    (tmp_path / "make").write_text(
        '#!/bin/sh\necho "$1"\n'
        f"case $1 in lint) exit {lint};; test) exit {quick};; *) exit {slow};; esac\n"
    )
    (tmp_path / "make").chmod(0o755)
    done = subprocess.run(
        ["bash", str(root / ".ci" / "run")],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert (done.stdout.split(), done.returncode) == (
        [
            "cluster",
            "s3-test",
            "ray",
            "eight-bit",
            "browser",
            "lint",
            "test",
            "test-slow",
            "test-figures",
        ],
        expected,
    )
