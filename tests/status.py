"""docs/status.md and what is cut from it: how far each capability goes, read off the tests.

`python -m tests.status` writes the page, the README's table and the scales of
docs/paper-to-code.md. `python -m tests.status record` runs the tests of scale R first, where their
files are, and keeps in docs/status.json what passed on which files: elsewhere those tests skip, and
what was recorded counts. A test carries its capability as a marker (tests/capabilities.py).
"""

import ast
import hashlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.capabilities import ALL, GROUPS, SCALES, check

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "status.md"
RECORD = ROOT / "docs" / "status.json"
README = ROOT / "README.md"
PAPER = ROOT / "docs" / "paper-to-code.md"
BEGIN, END = "<!-- status: written by python -m tests.status -->", "<!-- end of status -->"
REAL = {"real_media": "media", "real_facepack": "facepack/models/real"}
"""Fixtures that bring something real, and where it lies below the folder of test media."""
NOT_YET = "not yet"

_IDLE = {"skip", "xfail"}
Proofs = dict[str, dict[str, list[str]]]


def _called(node: ast.expr) -> str:
    """The name of a marker, called or not."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else ""


def _read(marker: ast.expr) -> tuple[str, str]:
    """Name and scale of a capability's marker; `ValueError` where they are not as `check` asks."""
    call = marker if isinstance(marker, ast.Call) else ast.Call(marker, [], [])
    args = [ast.literal_eval(arg) for arg in call.args]
    options = {str(option.arg): ast.literal_eval(option.value) for option in call.keywords}
    check(*args, **options)
    return args[0], options["scale"]


def _of_module(tree: ast.Module) -> list[ast.expr]:
    """The markers that `pytestmark` puts on every test of a file."""
    found: list[ast.expr] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            found += node.value.elts if isinstance(node.value, ast.List) else [node.value]
    return found


def marks_in(text: str) -> Iterator[tuple[str, str, str]]:
    """Test function, capability and scale of every marker in a test file.

    Raises:
        ValueError: a name or scale is unknown, the test never runs, or a marker stands where it
            would not be read.
    """
    tree = ast.parse(text)
    everywhere, read = _of_module(tree), 0
    tests = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    for test in tests:
        markers = [*everywhere, *test.decorator_list]
        proving = [marker for marker in markers if _called(marker) == "capability"]
        if proving and any(_called(marker) in _IDLE for marker in markers):
            raise ValueError(f"{test.name} never runs, so it proves nothing")
        for marker in proving:
            yield test.name, *_read(marker)
        read += sum(_called(marker) == "capability" for marker in test.decorator_list)
    read += sum(_called(marker) == "capability" for marker in everywhere)
    if read != sum(_called(n) == "capability" for n in ast.walk(tree) if isinstance(n, ast.Call)):
        raise ValueError("a capability's marker stands on something else than a test or a file")


@cache
def claimed() -> Proofs:
    """Capability to scale to the tests that carry its marker."""
    found: Proofs = defaultdict(lambda: defaultdict(list))
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        place = path.relative_to(ROOT).as_posix()
        try:
            for test, name, scale in marks_in(path.read_text("utf-8")):
                found[name][scale].append(f"{place}::{test}")
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
    return {name: dict(scales) for name, scales in found.items()}


def recorded() -> dict[str, Any]:
    """What `record` kept: files by fixture with their digest, and passed tests by capability."""
    return json.loads(RECORD.read_text("utf-8"))


def proven() -> Proofs:
    """What is claimed, but R only where every test of it is on record."""
    passed = {entry["capability"]: entry["tests"] for entry in recorded()["passed"]}
    return {
        name: {
            scale: tests
            for scale, tests in scales.items()
            if scale != "R" or set(tests) == set(passed.get(name, {}))
        }
        for name, scales in claimed().items()
    }


def scale(name: str) -> str:
    """How far a capability goes: its letters, or that nothing proves it yet."""
    found = proven().get(name, {})
    return ", ".join(letter for letter in SCALES if letter in found) or NOT_YET


def _proof(name: str) -> str:
    """The test files behind a capability by scale, or why there is none."""
    found = proven().get(name, {})
    parts = []
    for letter in SCALES:
        files = dict.fromkeys(test.split("::")[0] for test in found.get(letter, []))
        if files:
            parts.append(f"{letter}: " + ", ".join(f"`{file}`" for file in files))
    return "; ".join(parts) or (ALL[name].missing or "")


def page() -> str:
    """docs/status.md."""
    lines = [
        "# What works, and how far",
        "",
        "Written by `python -m tests.status` from the markers of the tests",
        "(`tests/capabilities.py` knows the names), never by hand. What no test proves is",
        f"*{NOT_YET}*, with what is missing.",
        "",
        *_legend(),
    ]
    for title, group in GROUPS.items():
        lines += ["", f"## {title}", "", "| Capability | Scale | Proven by |", "|---|---|---|"]
        lines += [f"| **{c.name}**: {c.says} | {scale(c.name)} | {_proof(c.name)} |" for c in group]
    return "\n".join([*lines, *_stands_on(), ""])


def _legend() -> list[str]:
    """What the letters mean."""
    return [f"- **{letter}** {says}." for letter, says in SCALES.items()]


def _stands_on() -> list[str]:
    """What was real in the tests of scale R, from the record."""
    record = recorded()
    lines = ["", "## What R stands on", ""]
    lines += [
        f"These tests skip where their files are absent; `{RECORD.relative_to(ROOT)}` keeps what "
        "passed where they were (`python -m tests.status record`).",
        "",
    ]
    for fixture, what in record["files"].items():
        few = len(what["names"]) < 5
        names = ", ".join(what["names"]) if few else f"{len(what['names'])} files"
        lines.append(f"- `{fixture}`: {names}; SHA-256 over names and content `{what['sha256']}`")
    lines += ["", "| Capability | Test | On |", "|---|---|---|"]
    for entry in record["passed"]:
        for test, on in entry["tests"].items():
            lines.append(f"| {entry['capability']} | `{test}` | {', '.join(on)} |")
    return lines


def readme(text: str) -> str:
    """The README `text` with today's short table between its marks."""
    before, rest = text.split(BEGIN)
    lines = [*_legend(), "", "| Capability | Scale |", "|---|---|"]
    for name, capability in ALL.items():
        if capability.first:
            missing = f": {capability.missing}" if capability.missing else ""
            lines.append(f"| **{name}**: {capability.says} | {scale(name)}{missing} |")
    table = "\n".join(lines)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}"


def paper(text: str) -> str:
    """docs/paper-to-code.md `text` with today's scales in the last column of its table.

    Raises:
        ValueError: a row names no capability there.
    """
    return re.sub(r"^(\| (?!Paper \|).+ \| )(.+?)( \|)$", _rescaled, text, flags=re.M)


def _rescaled(row: re.Match[str]) -> str:
    names = [part.split(": ")[0] for part in row[2].split("; ")]
    for name in names:
        check(name, scale="T")
    return row[1] + "; ".join(f"{name}: {scale(name)}" for name in names) + row[3]


def pages() -> dict[Path, str]:
    """Every page that is written here, as it should read now."""
    return {
        PAGE: page(),
        README: readme(README.read_text("utf-8")),
        PAPER: paper(PAPER.read_text("utf-8")),
    }


def digest(folder: Path) -> dict[str, Any]:
    """Names and SHA-256 of a folder's files, without the page that describes them."""
    found = hashlib.sha256()
    files = [path for path in sorted(folder.iterdir()) if path.suffix != ".md"]
    for path in files:
        found.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return {"names": [path.name for path in files], "sha256": found.hexdigest()}


class Watch:
    """A pytest plugin: which tests ran and passed in all their cases, and on what."""

    def __init__(self) -> None:
        self.passed: dict[str, bool] = {}
        self.on: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        for item in items:
            self.on[item.nodeid.split("[")[0]] = [f for f in REAL if f in item.fixturenames]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or not report.passed:
            test = report.nodeid.split("[")[0]
            self.passed[test] = self.passed.get(test, True) and report.passed


def record() -> dict[str, Any]:
    """Run the tests of scale R; what to keep of it.

    Raises:
        ValueError: a test did not pass, or had nothing real.
    """
    import pytest

    from tests.conftest import SHARED

    wanted = {name: scales["R"] for name, scales in claimed().items() if "R" in scales}
    tests = sorted({test for names in wanted.values() for test in names})
    watch = Watch()
    pytest.main(["-q", "-m", "", *(str(ROOT / test) for test in tests)], plugins=[watch])
    for test in tests:
        if not watch.passed.get(test):
            raise ValueError(f"{test} did not pass here, so nothing is recorded")
        if not watch.on[test]:
            raise ValueError(f"{test} is of scale R and asks for none of {sorted(REAL)}")
    used = [fixture for fixture in REAL if any(fixture in watch.on[test] for test in tests)]
    return {
        "files": {fixture: digest(SHARED / REAL[fixture]) for fixture in used},
        "passed": [
            {"capability": name, "scale": "R", "tests": {t: watch.on[t] for t in wanted[name]}}
            for name in ALL
            if name in wanted
        ],
    }


def main(words: list[str]) -> None:
    """Write all pages, after recording when asked to."""
    if words == ["record"]:
        RECORD.write_text(json.dumps(record(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    elif words:
        sys.exit("python -m tests.status [record]")
    for path, text in pages().items():
        path.write_text(text, "utf-8")
        print(path)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"Stopped: {error}.")
