"""docs/properties.md names tests that exist, for every property, and says which are slow."""

import ast
import functools
import re
from pathlib import Path

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`( \(slow\))?")


@functools.cache
def _tests(path: Path) -> dict[str, bool]:
    """The tests of a file, and whether each is slow."""
    tree = ast.parse(path.read_text())
    whole = any("pytestmark" in line and "slow" in line for line in map(ast.unparse, tree.body))
    return {
        node.name: whole or "pytest.mark.slow" in map(ast.unparse, node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


def test_every_named_test_exists_and_is_as_slow_as_the_page_says(root: Path) -> None:
    named = NAMED.findall((root / "docs" / "properties.md").read_text())
    assert len(named) > 60
    for file, name, slow in named:
        assert _tests(root / file).get(name) == bool(slow), f"{file}::{name}"


def test_every_row_names_a_test(root: Path) -> None:
    rows = [
        line
        for line in (root / "docs" / "properties.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith(("| No.", "| What must"))
    ]
    numbers = [int(row.split(" | ")[0].strip("| ")) for row in rows if re.match(r"\| \d", row)]
    assert numbers == list(range(1, 24))
    assert all(NAMED.search(row) for row in rows)
