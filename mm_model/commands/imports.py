"""The command `import`: published checkpoints become a folder that `params.yaml` may name."""

import argparse
from pathlib import Path

from mm_model.store import named


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `import` to the command line."""
    command = commands.add_parser("import", help="bring published checkpoints into a backbone")
    kinds = command.add_subparsers(required=True, dest="kind", metavar="kind")
    _add(
        kinds,
        "cogvideox",
        "a CogVideoX folder in diffusers' layout, or its owner/name in the local cache",
    ).set_defaults(act=_cogvideox)
    _add(kinds, "photomaker", "PhotoMaker-V2's photomaker-v2.bin").set_defaults(act=_photomaker)
    _add(
        kinds, "arcface", "ArcFace's IResNet: backbone.pth of arcface_torch, or a pack's .onnx"
    ).set_defaults(act=_arcface)


def _add(
    kinds: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, what: str
) -> argparse.ArgumentParser:
    command = kinds.add_parser(name, help=what)
    # a name on the Hub is no path, but reads as one all the same
    command.add_argument("source", type=named.path, help=what)
    command.add_argument(
        "--to", type=named.path, required=True, metavar="FOLDER", help="the backbone folder"
    )
    return command


def _cogvideox(options: argparse.Namespace) -> None:
    from mm_model.published import backbone

    found = backbone.link_cogvideox(_source(options.source), options.to)
    for name, files in found.items():
        kinds = ", ".join(files.dtypes)
        print(f"{name}: {files.parameters / 1e9:.3f} B numbers ({kinds}) in {files.files} files")
    print(f"{options.to} holds CogVideoX. Next: import photomaker photomaker-v2.bin --to it.")


def _source(given: Path) -> str | Path:
    return given if given.is_dir() else str(given)


def _photomaker(options: argparse.Namespace) -> None:
    from mm_model.published import backbone

    encoder = backbone.put_photomaker(options.source, options.to)
    width = encoder.perceiver_config["embedding_dim"]
    print(
        f"{options.to} holds PhotoMaker-V2's encoder, which takes face vectors of {width} numbers. "
        "Next: import arcface FILE --to it."
    )


def _arcface(options: argparse.Namespace) -> None:
    from mm_model.published import backbone

    digest = backbone.put_recognizer(options.source, options.to)
    print(
        f"{options.to} holds the recogniser {digest[:12]} and is whole: name it in params.yaml "
        "(backbone), and see what it does (prove --weights)."
    )
