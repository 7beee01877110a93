"""`python -m orchestration.backup`: save a tree and its books, bring them into an empty clone.

Ends as `orchestration.ending` says.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from orchestration import ending


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    return ending.of(partial(_run, arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orchestration.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    saves = commands.add_parser("save", help="save everything to a new folder")
    saves.add_argument("--to", type=Path, required=True, help="the folder that it is made in")
    brings = commands.add_parser("restore", help="bring a backup into this empty clone")
    brings.add_argument("--from", dest="source", type=Path, required=True, help="the backup")
    return parser


def _run(arguments: list[str] | None) -> None:
    from orchestration import home

    asked, root = _parser().parse_args(arguments), home.root()
    home.prepare(root)
    from orchestration import turn

    say = partial(print, flush=True)
    with turn.held(root, f"make {'backup' if asked.command == 'save' else 'restore'}"):
        if asked.command == "save":
            from orchestration.backup import saving

            print(f"Saved: {saving.save(root, asked.to.expanduser(), say)}")
            return
        from orchestration.backup import restoring

        restoring.restore(root, asked.source.expanduser(), say)
        print("Restored. make doctor looks at all of it.")


if __name__ == "__main__":
    sys.exit(main())
