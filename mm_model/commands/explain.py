"""The command `explain`: what made a release or a sample, and where it went."""

import argparse
import json

from mm_model.errors import UserError
from mm_model.store.layout import Layout, repository_root


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add it to the command line."""
    command = commands.add_parser(
        "explain", help="tell what made a release or a sample, and where it went"
    )
    command.add_argument(
        "what",
        help="a version's number or alias, or a sample: its id, its file's name or its path",
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(act=_explain)


def _explain(options: argparse.Namespace) -> None:
    from mm_model.explain import release, sample
    from mm_model.settings import load_params

    root = repository_root()
    layout, asked = Layout(root, load_params(root).profile), options.what
    life = release.of_release(layout, asked) or sample.of_sample(layout, asked)
    if life is None:
        raise UserError(
            f"There is no release and no sample '{asked}' here: 'python -m mm_model releases' "
            "lists releases, and a sample is named by its file."
        )
    print(json.dumps(life.facts, indent=1) if options.json else life.text())
