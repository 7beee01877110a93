"""The command line: `python -m mm_model <command>`; see `--help`."""

import sys

from mm_model.cli import main

if __name__ == "__main__":
    sys.exit(main())
