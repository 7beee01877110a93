"""docs/diffusers.md and the tests are one: each row names its tests, each test has its row."""

import ast
import inspect
import re

import pytest

from mm_model.generation.pipeline import MagicMirrorPipeline


@pytest.fixture(scope="module")
def rows(root):
    """What, verdict, reason and tests of every row of every table."""
    found = []
    for line in (root / "docs" / "diffusers.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] != "What":
            found.append(cells)
    return found


def functions_of(path):
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def named(rows):
    return {test for row in rows for test in re.findall(r"`(test_\w+\.py::test_\w+)`", row[3])}


def test_every_row_says_whether_it_works_why_and_what_proves_it(rows):
    assert len(rows) > 50
    for row in rows:
        assert len(row) == 4, row
        what, verdict, reason, proof = row
        assert what and verdict in ("works", "refused") and reason, row
        assert named([row]) and not re.sub(r"`test_\w+\.py::test_\w+`(, )?", "", proof), row


def test_every_test_that_a_row_names_exists(rows, root):
    for test in named(rows):
        file, name = test.split("::")
        assert name in functions_of(root / "tests" / "nn" / file), test


def test_every_test_of_the_diffusers_interface_has_its_row(rows, root):
    for path in sorted((root / "tests" / "nn").glob("test_diffusers_*.py")):
        if path.name != "test_diffusers_table.py":
            missing = {f"{path.name}::{name}" for name in functions_of(path)} - named(rows)
            assert not missing


def test_every_argument_of_a_call_is_in_the_table(rows):
    told = " ".join(row[0] for row in rows)
    for name in list(inspect.signature(MagicMirrorPipeline.__call__).parameters)[1:]:
        assert re.search(rf"`{name}\b", told), name
