"""The commands `explain` and `drops`: what made a release or a sample and where it went, and what
each arrival of files gave."""

import argparse
import json

from mm_model.errors import UserError
from mm_model.store.layout import Layout, repository_root


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both to the command line."""
    command = commands.add_parser(
        "explain", help="tell what made a release or a sample, and where it went"
    )
    command.add_argument(
        "what",
        help="a version's number, alias or release, or a sample: its id, its file's name or path",
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(act=_explain)

    command = commands.add_parser(
        "drops", help="list what came into the source folder, by arrival, and what each gave"
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(act=_drops)


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


def _drops(options: argparse.Namespace) -> None:
    from mm_model.explain import drops
    from mm_model.settings import load_params, load_profile

    root = repository_root()
    params = load_params(root)
    folder = root / params.sources
    if not folder.is_dir():
        raise UserError(f"{params.sources} is not a folder: nothing arrives there by itself.")
    apart = load_profile(root, params.profile).automation.quiet_seconds
    found = drops.of_folder(Layout(root, params.profile), folder, apart)
    if options.json:
        print(json.dumps([one.facts for one in found]))
    else:
        lines = [f"{one.key}  {one.line()}" for one in found]
        print("\n".join(lines) or f"{params.sources} is empty.")
