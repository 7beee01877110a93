"""The commands `releases`, `promote`, `rollback`, `pin` and `unpin`: which version is champion, and
why."""

import argparse
from typing import TYPE_CHECKING

from mm_model.store.layout import Layout, repository_root

if TYPE_CHECKING:
    from mm_model.settings import RegisterSettings


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the five to the command line."""
    command = commands.add_parser("releases", help="list the registered versions and who chose")
    command.add_argument(
        "--owed", action="store_true", help="terms of use, and samples that were withdrawn since"
    )
    command.set_defaults(act=_releases)

    command = commands.add_parser("rollback", help="make an earlier version champion and pin it")
    command.add_argument("--to", type=int, help="version; the champion before this one when absent")
    command.add_argument("--reason", default="", help="why, kept with the pin")
    command.set_defaults(act=_rollback)

    command = commands.add_parser("promote", help="make a version champion and pin it")
    command.add_argument("version", type=int, help="the version's number")
    command.add_argument("--reason", default="", help="why, kept with the pin")
    command.set_defaults(act=_promote)

    command = commands.add_parser("pin", help="keep the champion that stands until 'unpin'")
    command.add_argument("--reason", default="", help="why, kept with the pin")
    command.set_defaults(act=_pin)

    command = commands.add_parser("unpin", help="let the promotion rule choose the champion again")
    command.set_defaults(act=_unpin)


def rules(layout: Layout) -> "RegisterSettings":
    """The profile's section `register`."""
    from mm_model.settings import load_profile

    return load_profile(layout.root, layout.profile).register_


def layout_of_the_tree() -> Layout:
    """The places of the profile that `params.yaml` names."""
    from mm_model.settings import load_params

    root = repository_root()
    return Layout(root, load_params(root).profile)


def _releases(options: argparse.Namespace) -> None:
    from mm_model.register import choice, owed

    layout = layout_of_the_tree()
    if options.owed:
        print("\n".join(owed.sentences(layout, rules(layout).model_name)))
        return
    print(choice.listing(layout, rules(layout).model_name))


def _rollback(options: argparse.Namespace) -> None:
    from mm_model.register import choice

    layout = layout_of_the_tree()
    name = rules(layout).model_name
    print(choice.roll_back(layout, name, options.to, options.reason))


def _promote(options: argparse.Namespace) -> None:
    from mm_model.register import choice

    layout = layout_of_the_tree()
    print(choice.promote(layout, rules(layout).model_name, options.version, options.reason))


def _pin(options: argparse.Namespace) -> None:
    from mm_model.register import choice

    layout = layout_of_the_tree()
    print(choice.keep(layout, rules(layout).model_name, options.reason))


def _unpin(_: argparse.Namespace) -> None:
    from mm_model.register import choice

    layout = layout_of_the_tree()
    for sentence in choice.lift(layout, rules(layout)):
        print(sentence)
