"""The command `config`: show a profile with where each value came from, or write its values out."""

import argparse
from pathlib import PurePosixPath

from mm_model.store.layout import repository_root


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `config` to the command line."""
    command = commands.add_parser("config", help="show the profile, and where each value came from")
    words = command.add_subparsers(required=True, dest="word", metavar="word")
    show = words.add_parser("show", help="print every value with the file and line it came from")
    show.add_argument("profile", nargs="?", help="a name from profiles/; params.yaml's when absent")
    show.set_defaults(act=_show)
    write = words.add_parser("write", help="write data/<profile>/settings.json, as dvc.yaml asks")
    write.set_defaults(act=_write)


def _show(options: argparse.Namespace) -> None:
    from mm_model.settings import load_params, show

    root = repository_root()
    print(show.text(root, options.profile or load_params(root).profile))


def _write(_: argparse.Namespace) -> None:
    from mm_model.run import aside
    from mm_model.settings import load_params, show

    root = repository_root()
    if brought := aside.bring(root):
        print(f"[settings] not kept by git, taken from the tree: {', '.join(_tops(brought))}")
    show.write(root, load_params(root).profile)


def _tops(names: list[str]) -> list[str]:
    """The folders that the files lie in; a file of `profiles` by its own name."""
    parts = [PurePosixPath(name) for name in names]
    return sorted({str(one if one.parent.name == "profiles" else one.parent) for one in parts})
