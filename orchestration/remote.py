"""`python -m orchestration.remote`: name an object store, push to it, pull from it, prune it.

Exit status 0 when done, 1 with one sentence when not, 75 when somebody else is at work in this
tree, 130 when interrupted.
"""

import argparse
import sys
from pathlib import Path

from orchestration import interrupts


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    interrupts.heed()
    try:
        return _run(_parser().parse_args(arguments))
    except KeyboardInterrupt:
        interrupts.leave()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orchestration.remote", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    name = commands.add_parser("set", help="name the object store")
    name.add_argument("--url", help="s3://bucket/prefix")
    name.add_argument("--likeness", help="where embeddings go, by default URL/likeness")
    name.add_argument("--endpoint", help="the server, where it is not AWS")
    for command, what in (
        ("push", "push what dvc.lock names, then the lock"),
        ("pull", "bring the profile's outputs and lock here"),
        ("prune", "delete there, and from the cache here, what no lock names any more"),
    ):
        added = commands.add_parser(command, help=what)
        if command == "pull":
            added.add_argument("--without-shards", action="store_true", help="leave them there")
    return parser


def _run(asked: argparse.Namespace) -> int:
    from mm_model.commands.cli import BUSY
    from mm_model.environment import silence_telemetry
    from mm_model.errors import BusyError, UserError, of_machine
    from orchestration import home

    silence_telemetry()
    try:
        root = home.root()
        if asked.command == "set":
            _set(root, asked)
        else:
            home.prepare(root)
            left = {"shards": False} if getattr(asked, "without_shards", False) else {}
            _move(root, asked.command, **left)
    except Exception as error:
        if interrupts.came():
            raise KeyboardInterrupt from None
        if isinstance(error, UserError):
            print(f"Stopped: {error}", file=sys.stderr)
            return BUSY if isinstance(error, BusyError) else 1
        if (fault := of_machine(error)) is None:
            raise
        print(f"Stopped: {fault}", file=sys.stderr)
        return 1
    return 0


def _set(root: Path, asked: argparse.Namespace) -> None:
    from orchestration import address

    if asked.url:
        remote = address.write(root, asked.url, asked.likeness, asked.endpoint)
    else:
        remote = address.read(root)
    for name, place in remote.places.items():
        print(f"{name}: {place.url}" + (f" at {remote.endpoint}" if remote.endpoint else ""))


def _move(root: Path, command: str, **how: bool) -> None:
    from orchestration import turn
    from orchestration.transfer import Transfer

    with turn.held(root, f"make {command}"):
        transfer = Transfer(root, say=lambda line: print(line, flush=True))
        getattr(transfer, command)(**how)


if __name__ == "__main__":
    sys.exit(main())
