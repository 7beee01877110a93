"""`make run`: everything through Dagster, in this process, with the stages' own lines on screen.

Exit status 0 when all is up to date, 1 with one sentence when a stage stopped, 75 when somebody
else is at work in this tree, 130 when interrupted. Prints no traceback for what a user can mend.
Loads nothing heavy before it heeds Ctrl-C.
"""

import sys
import time

from orchestration import interrupts


def main() -> int:
    """Run everything; return the exit status."""
    started = time.monotonic()
    interrupts.heed()
    try:
        return _run(started)
    except KeyboardInterrupt:
        interrupts.leave()


def _run(started: float) -> int:
    from mm_model.commands.cli import BUSY
    from mm_model.environment import silence_telemetry
    from mm_model.errors import BusyError, UserError, of_machine
    from orchestration import home

    silence_telemetry()
    try:
        root = home.root()
        home.check()
        home.prepare(root)
        from orchestration import turn

        with turn.held(root, "make run"):
            from orchestration import everything  # seconds; who comes second is told before

            print(everything.run(root, started))
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
