"""The command `doctor`: what is wrong here, and what mends it."""

import argparse

from mm_model.store.layout import repository_root

ILL = 1
"""Exit status where something is wrong."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add it to the command line."""
    command = commands.add_parser("doctor", help="look for what is wrong here and what mends it")
    command.add_argument("--json", action="store_true", help="print the findings as JSON")
    command.set_defaults(act=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from mm_model.doctor import looks
    from mm_model.doctor.diagnosis import told

    return 0 if told(looks.of_tree(repository_root()), options.json) else ILL
