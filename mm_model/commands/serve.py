"""The command `serve`: a release behind its own door; an alias is followed, a number is not."""

import argparse
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.commands.releases import layout_of_the_tree, rules
from mm_model.store.layout import Layout

if TYPE_CHECKING:
    from mm_model.serving.chosen import ChosenVersion


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add it to the command line."""
    command = commands.add_parser("serve", help="serve the champion on this machine")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on")
    command.add_argument("--port", type=int, default=5000, help="port to listen on")
    command.add_argument(
        "--alias", default="champion", help="alias, which is followed, or number of a version"
    )
    command.add_argument(
        "--allow", nargs="+", default=[], metavar="NAME", help="further names it is asked for under"
    )
    command.set_defaults(act=_serve)


@dataclass(frozen=True)
class _Registry:
    """An alias of the registered model, as the follower asks for it."""

    layout: Layout
    name: str
    alias: str

    def wanted(self) -> "ChosenVersion":
        from mm_model.register import served

        return served.chosen(self.layout, self.name, self.alias)

    def folder(self, choice: "ChosenVersion") -> Path:
        from mm_model.register import served

        return served.checked_folder(self.layout, self.name, str(choice.version))


def _serve(options: argparse.Namespace) -> int:
    _open_standard_ends()
    from mm_model.register import served
    from mm_model.serving import launch

    layout = layout_of_the_tree()
    name = rules(layout).model_name
    if options.alias.isdecimal():
        folder = served.checked_folder(layout, name, options.alias)
        launch.become_the_door(folder, options.host, options.port, options.allow)
    return _followed(options, _Registry(layout, name, options.alias))


def _open_standard_ends() -> None:
    """Open what whoever started this had closed of input, output and errors: a socket would get its
    number, and be lost where a door gets its own."""
    while (end := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(end)


def _followed(options: argparse.Namespace, source: _Registry) -> int:
    """The exit status; who was ended by a signal ends by it."""
    from mm_model.serving import __main__ as door
    from mm_model.serving import follow
    from mm_model.settings import load_profile

    environment = dict(os.environ)  # before anything of MLflow changes it
    settings = load_profile(source.layout.root, source.layout.profile).follow
    first = source.wanted()
    with door.bound(options.host, options.port) as listening:
        front = follow.Front(listening, options.host, options.allow, environment)
        status = follow.Follower(source, front, settings, _say).serve(first)
    if status in (-signal.SIGINT, -signal.SIGTERM):
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status if status >= 0 else 128 - status


def _say(sentence: str) -> None:
    print(sentence, flush=True)
