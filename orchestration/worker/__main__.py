"""`python -m orchestration.worker`: the working end, started by ssh from the end that asks.

Ends as `orchestration.ending` says; where DVC or its stage failed, with DVC's own status.
"""

import sys

from orchestration import ending


def main() -> int:
    """Serve one request on standard input; return the exit status."""
    return ending.of(_serve)


def _serve() -> int:
    from orchestration.worker import serving

    return serving.serve()


if __name__ == "__main__":
    sys.exit(main())
