"""`python -m orchestration.remote`: name an object store, push to it, pull from it, prune it.

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
    parser = argparse.ArgumentParser(prog="python -m orchestration.remote", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    name = commands.add_parser("set", help="name the object store")
    _add_store(name)
    for command, what in (
        ("push", "push what dvc.lock names, then the lock"),
        ("pull", "bring the profile's outputs and lock here"),
        ("prune", "delete there, and from the cache here, what no lock names any more"),
    ):
        added = commands.add_parser(command, help=what)
        if command != "prune":
            _add_store(added)
        if command == "pull":
            added.add_argument("--without-shards", action="store_true", help="leave them there")
    return parser


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="s3://bucket/prefix, or a folder; it is named from now on")
    parser.add_argument("--likeness", help="where embeddings go, by default URL/likeness")
    parser.add_argument("--endpoint", help="the server, where it is not AWS")


def _run(arguments: list[str] | None) -> None:
    from orchestration import home

    asked = _parser().parse_args(arguments)
    root = home.root()
    if asked.command == "set":
        _set(root, asked)
    else:
        home.prepare(root)
        if getattr(asked, "url", None):
            _set(root, asked)
        left = {"shards": False} if getattr(asked, "without_shards", False) else {}
        _move(root, asked.command, **left)


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
