"""The command line: `python -m mm_model <command>`; see `--help`."""

import signal
import sys


def _main() -> int:
    """Load the commands and run one; a Ctrl-C while they are loaded ends the process unsaid."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mm_model.commands.cli import main
    from mm_model.commands.generate import interrupt

    signal.signal(signal.SIGINT, usual)
    status = main()
    if status == interrupt.STATUS:
        interrupt.leave()
    return status


if __name__ == "__main__":
    sys.exit(_main())
