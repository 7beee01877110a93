"""`python -m orchestration.consistent`: whether the installed packages fit one another.

`pip check`, less three things (docs/decisions/one-environment.md): opencv-python-headless stands in
for opencv-python, which insightface asks for by name, decord's wheel carries a wrong tag, and of
brisque no code is run.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata

STAND_INS = {"opencv-python": "opencv-python-headless"}
WRONG_TAGS = {"decord"}
ONLY_FILES = {"brisque"}
"""Packages of which no code is run, so that they need nothing."""
_MISSING = re.compile(r"^(\S+) \S+ requires (\S+), which is not installed\.$")
_PLATFORM = re.compile(r"^(\S+) \S+ is not supported on this platform$")


def misfits(lines: Iterable[str], installed: set[str]) -> list[str]:
    """The complaints among the lines of `pip check` that are not known to be harmless."""
    found = []
    for line in lines:
        missing = _MISSING.match(line)
        if missing and (missing[1] in ONLY_FILES or STAND_INS.get(missing[2]) in installed):
            continue
        platform = _PLATFORM.match(line)
        if platform and platform[1] in WRONG_TAGS:
            continue
        if line.strip() and not line.startswith("No broken requirements"):
            found.append(line)
    return found


def check() -> list[str]:
    """What does not fit in the running environment."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
    )
    installed = {found.metadata["Name"].lower() for found in metadata.distributions()}
    if done.returncode not in (0, 1) or done.stderr.strip():
        return [done.stderr.strip()]
    return misfits(done.stdout.splitlines(), installed)


if __name__ == "__main__":
    if wrong := check():
        print("\n".join(wrong), file=sys.stderr)
        sys.exit("The installed packages do not fit: remove .venv and run 'make setup' again.")
