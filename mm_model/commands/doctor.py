"""The command `doctor`: what is wrong here, and what mends it."""

import argparse
import json

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
    from mm_model.doctor.diagnosis import gathered

    found = []
    for finding in gathered(looks.of_tree(repository_root())):
        found.append(finding)
        if not options.json:
            print(finding.line(), flush=True)
    if options.json:
        print(json.dumps([one.as_dict() for one in found], indent=1))
    return ILL if any(one.state == "bad" for one in found) else 0
