"""The command `parameters`: how many each module has, on any backbone, without its weights."""

import argparse
import json

from mm_model.store.layout import repository_root

_PUBLISHED = "cogvideox-5b"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `parameters` to the command line."""
    command = commands.add_parser("parameters", help="count the parameters of every module")
    command.add_argument("--preset", default="paper", help="sizes of the adapter")
    command.add_argument(
        "--backbone",
        help="cogvideox-5b, cogvideox-2b or a backbone folder; for preset tiny that of params.yaml",
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(act=_parameters)


def _parameters(options: argparse.Namespace) -> None:
    from mm_model.published.parameters import parameters
    from mm_model.settings import load_params

    backbone = options.backbone or _PUBLISHED
    if options.preset == "tiny" and options.backbone is None:
        root = repository_root()
        backbone = root / load_params(root).backbone
    found = parameters(options.preset, backbone)
    print(json.dumps(found.as_dict(), indent=1) if options.json else found.text())
