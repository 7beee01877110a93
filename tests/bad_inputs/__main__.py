"""Writes the page of all kinds of bad input: `python -m tests.bad_inputs docs/bad-inputs.md`."""

import sys
from pathlib import Path

from tests.bad_inputs import page

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page.text(), encoding="utf-8")
