"""Where the tree lies, and what must lie in it before Dagster and DVC work there.

`python -m orchestration.home` prepares it from the command line; doing it again changes nothing.
Imports nothing heavy: it runs before every command of the Makefile.
"""

import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from mm_model.environment import silence_telemetry
from mm_model.errors import UserError
from mm_model.store import atomic

REPOSITORY = Path(__file__).resolve().parent.parent
_INSTANCE = Path(__file__).with_name("dagster.yaml")

BOOKS = "MM_DAGSTER_URL"
"""Variable with the address of the PostgreSQL database that several trees keep their books in."""
_SCHEME = "postgresql+psycopg2://"
_SHARED = f"""
# Books that several trees share: runs, events, schedules. The address stays in the variable.
storage:
  postgres:
    postgres_url:
      env: {BOOKS}
"""


def check() -> None:
    """See that shared books can be kept, where they are asked for.

    Raises:
        UserError: what speaks to them is not installed.
    """
    if os.environ.get(BOOKS) and importlib.util.find_spec("dagster_postgres") is None:
        raise UserError(f"{BOOKS} is set, and what speaks to it is not installed: make cluster.")


def root() -> Path:
    """`MM_ROOT` if set, else the repository this code lies in."""
    return Path(os.environ.get("MM_ROOT") or REPOSITORY).resolve()


def prepare(root: Path) -> Path:
    """Make `DAGSTER_HOME` (by default `<root>/work/dagster`) and DVC ready; return the home.

    The home is exported too. Dagster's books lie there, or in the database that `BOOKS` names.

    Raises:
        UserError: `BOOKS` does not name one as Dagster needs it.
    """
    books = os.environ.get(BOOKS)
    if books and not books.startswith(_SCHEME):
        raise UserError(f"{BOOKS} must begin with {_SCHEME}, the driver that Dagster speaks by.")
    home = Path(os.environ.get("DAGSTER_HOME") or root / "work" / "dagster").resolve()
    target = home / "dagster.yaml"
    wanted = _INSTANCE.read_text() + (_SHARED if books else "")
    if not target.is_file() or target.read_text() != wanted:
        atomic.write_text(target, wanted)
    os.environ["DAGSTER_HOME"] = str(home)
    settle_git(root)
    return home


def settle_git(root: Path) -> None:
    """Tell DVC whether git keeps this tree: one from an archive has no git, which DVC would refuse.

    Written to DVC's own local file, `.dvc/config.local`. A choice made there by hand stays.
    """
    if not (root / ".dvc").is_dir():
        return
    from configobj import ConfigObj

    path = root / ".dvc" / "config.local"
    config = ConfigObj(path.read_text().splitlines() if path.is_file() else [])
    core = config.setdefault("core", {})
    if _kept_by_git(root) and core.get("no_scm") == "true":
        del core["no_scm"]
    elif not _kept_by_git(root) and "no_scm" not in core:
        core["no_scm"] = "true"
    else:
        return
    atomic.write_text(path, "".join(f"{line}\n" for line in config.write()))


def _kept_by_git(root: Path) -> bool:
    """Whether this tree is a git checkout, or part of one; not merely unpacked inside another."""
    if (root / ".git").exists():
        return True
    try:
        asked = ["git", "-C", str(root), "ls-files", "--error-unmatch", "dvc.yaml"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    silence_telemetry()
    with contextlib.suppress(KeyboardInterrupt):
        try:
            prepare(root())
        except UserError as error:
            sys.exit(f"Stopped: {error}")
        sys.exit(0)
    sys.exit(130)
