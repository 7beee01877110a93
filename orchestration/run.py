"""`make run`: everything through Dagster, in this process, with the stages' own lines on screen.

Ends as `orchestration.ending` says. Loads nothing heavy before it heeds Ctrl-C.
"""

import sys
import time
from functools import partial

from orchestration import ending


def main() -> int:
    """Run everything; return the exit status."""
    return ending.of(partial(_run, time.monotonic()))


def _run(started: float) -> None:
    from orchestration import home

    root = home.root()
    home.check()
    home.prepare(root)
    from orchestration import turn

    with turn.held(root, "make run"):
        from orchestration import everything  # seconds; who comes second is told before

        print(everything.run(root, started))


if __name__ == "__main__":
    sys.exit(main())
