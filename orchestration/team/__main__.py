"""`python -m orchestration.team`: start a team's services, or say who may pass the proxy.

Ends as `orchestration.ending` says.
"""

import argparse
import sys
import threading
from functools import partial
from pathlib import Path

from orchestration import ending


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    return ending.of(partial(_run, arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orchestration.team", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("start", help="start Dagster, MLflow and the door behind the proxy")
    for command, what in (
        ("let-in", "give somebody a password, which is asked for or read as a line"),
        ("keep-out", "take somebody's password away"),
    ):
        commands.add_parser(command, help=what).add_argument("name")
    return parser


def _run(arguments: list[str] | None) -> None:
    from orchestration import home

    asked, root = _parser().parse_args(arguments), home.root()
    if asked.command == "start":
        _start(root)
        return
    from orchestration.team import proxy

    if asked.command == "keep-out":
        proxy.keep_out(root, asked.name)
        print(f"{asked.name} passes no more.")
    else:
        proxy.let_in(root, asked.name, _password())
        print(f"{asked.name} may pass from now on.")


def _password() -> str:
    """From the terminal twice, or one line of standard input: never a word of a command line."""
    import getpass

    from mm_model.errors import UserError

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("The same again: "):
        raise UserError("The two passwords differ: try again.")
    return password


def _start(root: Path) -> None:
    import os

    from mm_model.store import lease
    from orchestration import home
    from orchestration.team import keeping, services
    from orchestration.team import settings as team

    with lease.held(root / "work" / "team.lease", "make team"):
        settings = team.read(root)
        team.check(settings)
        logs = team.private_folder(root)
        # A home of its own: commands in this tree that know of no database write the other's anew.
        os.environ["DAGSTER_HOME"] = str(logs / "dagster")
        os.environ[home.BOOKS] = settings.values[home.BOOKS]
        home.prepare(root)
        found = services.of(team.read(root))
        for page, what in zip(team.PAGES, ("Dagster", "MLflow", "The door"), strict=True):
            print(f"{what}: {settings.address(page)}", flush=True)
        print(f"Each has its log in {logs}. Ctrl-C ends all of them.", flush=True)
        keeper = keeping.Keeper(found, home.REPOSITORY, logs, partial(print, flush=True))
        keeper.start()
        try:
            threading.Event().wait()
        finally:
            keeper.end()


if __name__ == "__main__":
    sys.exit(main())
