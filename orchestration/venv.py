"""Makes `.venv` independent of where it lies, so that it may be moved or copied with its tree.

An environment names its own address in three places: the first line of every script, the link to
this package, and the files of `activate`. The first two are put relative here; the last are written
again when the environment lies elsewhere than before. `python -m orchestration.venv` does it, from
the standard library alone, since the rest may not be found yet; doing it again changes nothing.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "mm_model"
"""The one distribution of this tree; `assets` and `orchestration` are found from the root."""

# The two forms pip writes: the usual one, and the one for addresses with spaces or too long.
_PLAIN = re.compile(rb"#!(/[^\n]*/python[\d.]*)\n")
_QUOTED = re.compile(rb"#!/bin/sh\n'''exec' \"([^\"\n]*/python[\d.]*)\" \"\$0\" \"\$@\"\n' '''\n")
_OWN = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
"""
_LONGEST = 8192


def _write(path: Path, content: bytes) -> None:
    """Aside, then renamed: a file may be shared with another environment by a hard link."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    aside.write_bytes(content)
    if path.exists():
        shutil.copymode(path, aside)
    aside.replace(path)


def free_scripts(venv: Path) -> int:
    """Let every script of `venv` run the Python beside it; return how many changed."""
    changed = 0
    for path in sorted((venv / "bin").iterdir()):
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as opened:
            head = opened.read(_LONGEST)
        found = _PLAIN.match(head) or _QUOTED.match(head)
        if found and Path(os.fsdecode(found[1])).parts[-3:-1] == (venv.name, "bin"):
            _write(path, _OWN + path.read_bytes()[found.end() :])
            changed += 1
    return changed


def free_package(venv: Path, root: Path) -> None:
    """Let `venv` find this tree's package by a relative link instead of the tree's address."""
    for packages in (venv / "lib").glob("python*/site-packages"):
        link = packages / PACKAGE
        target = os.path.relpath(root / PACKAGE, packages)
        if not link.is_symlink() or str(link.readlink()) != target:
            aside = packages / f".{PACKAGE}.{os.getpid()}.aside"
            aside.unlink(missing_ok=True)
            aside.symlink_to(target)
            aside.replace(link)
        for absolute in packages.glob(f"__editable__*{PACKAGE}*"):
            absolute.unlink()


def _quotings(place: str) -> tuple[str, ...]:
    """How releases of Python write an environment's address for a shell."""
    return f'"{place}"', shlex.quote(place), place


def settle(venv: Path, root: Path) -> bool:
    """Put the environment right where it lies now; return whether it had lain elsewhere."""
    said = (venv / "bin" / "activate").read_text()
    moved = not any(f"VIRTUAL_ENV={form}\n" in said for form in _quotings(str(venv)))
    if moved:
        for path in (*sorted((venv / "bin").glob("[Aa]ctivate*")), venv / "pyvenv.cfg"):
            _write(path, path.read_bytes())
        # Writes `activate` and its like again; what is installed stays.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    free_scripts(venv)
    free_package(venv, root)
    return moved


def main() -> int:
    """Settle the environment this runs in, if it is this tree's own."""
    venv = Path(sys.prefix)
    try:
        if venv.resolve() == ROOT / ".venv" and settle(ROOT / ".venv", ROOT):
            print("The environment lay elsewhere before; its paths were put right.", flush=True)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
