"""`python -m orchestration.consistent`: whether the installed packages fit one another.

`pip check`, less one thing that is meant: opencv-python-headless stands in for opencv-python, which
insightface asks for by name (docs/decisions/one-environment.md).
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata

STAND_INS = {"opencv-python": "opencv-python-headless"}
_MISSING = re.compile(r"^\S+ \S+ requires (\S+), which is not installed\.$")


def misfits(lines: Iterable[str], installed: set[str]) -> list[str]:
    """The complaints among the lines of `pip check` that no installed stand-in answers."""
    found = []
    for line in lines:
        missing = _MISSING.match(line)
        if missing and STAND_INS.get(missing[1]) in installed:
            continue
        if line.strip() and not line.startswith("No broken requirements"):
            found.append(line)
    return found


def check() -> list[str]:
    """What does not fit in the running environment."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"],
        capture_output=True, text=True,
    )  # fmt: skip
    installed = {found.metadata["Name"].lower() for found in metadata.distributions()}
    if done.returncode not in (0, 1) or done.stderr.strip():
        return [done.stderr.strip()]
    return misfits(done.stdout.splitlines(), installed)


if __name__ == "__main__":
    if wrong := check():
        print("\n".join(wrong), file=sys.stderr)
        sys.exit("The installed packages do not fit: remove .venv and run 'make setup' again.")
