"""What README and docs quote is what a run of the embedded default gives."""

from pathlib import Path

import pytest

from mm_model.report import against, figures
from mm_model.store.layout import Layout
from tests import figures as quoted


@pytest.mark.parametrize("page", quoted.PAGES)
def test_pages_quote_stored_runs(page: str, root: Path) -> None:
    text = (root / page).read_text(encoding="utf-8")
    assert quoted.filled(text, quoted.PAGES[page]) == text, "write it: python -m tests.figures"


@pytest.mark.slow
@pytest.mark.figures
def test_this_tree_s_run_lies_within_the_stored_intervals(root: Path) -> None:
    stored = against.read(root / "docs" / "runs" / f"{quoted.PLAIN}.json")
    comparison = against.compare(figures.collect(Layout(root, stored.profile)), stored)
    assert comparison.compared > 20
    assert comparison.holds, "\n".join(comparison.sentences)
