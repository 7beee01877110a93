"""How a command of this package ends: 0 when done, 1 with one sentence when not.

75 says that somebody else is at work in this tree, 130 that it was interrupted. Prints no traceback
for what a user can mend. Loads nothing heavy before it heeds Ctrl-C, so the work imports late.
"""

import sys
from collections.abc import Callable

from orchestration import interrupts


def of(work: Callable[[], int | None]) -> int:
    """Do the work; return the exit status, the work's own where it gives one."""
    interrupts.heed()
    try:
        return _status(work)
    except KeyboardInterrupt:
        interrupts.leave()


def _status(work: Callable[[], int | None]) -> int:
    from mm_model.commands.cli import BUSY
    from mm_model.environment import silence_telemetry
    from mm_model.errors import BusyError, UserError, of_machine

    silence_telemetry()
    try:
        return work() or 0
    except Exception as error:
        if interrupts.came():  # what it tore off may come as any error, a library's own too
            raise KeyboardInterrupt from None
        if isinstance(error, UserError):
            print(f"Stopped: {error}", file=sys.stderr)
            return BUSY if isinstance(error, BusyError) else 1
        if (fault := of_machine(error)) is None:
            raise
        print(f"Stopped: {fault}", file=sys.stderr)
        return 1
