"""A real browser for tests of the report page: Debian's chromium, driven by playwright.

What is not installed skips the tests by name; `make browser` installs what it can.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP, PHONE, NARROW = (1280, 800), (390, 844), (320, 640)
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; the test is skipped where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("no playwright: make browser")
    if not Path(CHROMIUM).is_file():
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


def opened(browser: Any, path: Path, size: tuple[int, int] = DESKTOP, **how: Any) -> Any:
    """The page at `path` in a window of `size` pixels; `how` is the user's, as a dark scheme."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, **how)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(path.as_uri())
    return page


def violations(page: Any) -> list[str]:
    """What axe holds against a page, a line for each element."""
    if not AXE.is_file():
        pytest.skip("no axe-core: make browser")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate(f"axe.run(document, {json.dumps({'runOnly': _TAGS})})")
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}: {node.get('failureSummary')}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def unfold(page: Any) -> None:
    """Open what is folded away."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
