"""The command `prove`: what the first person with real weights runs; a record to send back."""

import argparse
import os
import re

from mm_model.errors import UserError
from mm_model.store import named

_SIZE = re.compile(r"(\d+)x(\d+)")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `prove` to the command line."""
    command = commands.add_parser("prove", help="try a backbone's weights, and record what works")
    command.add_argument(
        "--weights", type=named.path, required=True, metavar="DIR", help="a backbone folder"
    )
    command.add_argument(
        "--out",
        type=named.path,
        default=named.path("prove.json"),
        metavar="JSON",
        help="the record; the clip lies beside it as .mp4",
    )
    command.add_argument("--force", action="store_true", help="replace files that are there")
    command.add_argument("--preset", help="sizes of the adapter; paper, or tiny for small weights")
    command.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    command.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the frozen parts")
    command.add_argument("--frames", type=int, help="of the clip; as the weights were trained")
    command.add_argument("--size", metavar="HEIGHTxWIDTH", help="of the clip, in pixels")
    command.add_argument("--steps", type=int, default=10, help="of the solver")
    command.add_argument("--train-steps", type=int, default=20, help="training steps")
    command.set_defaults(act=_prove)


def _prove(options: argparse.Namespace) -> int:
    if options.out.suffix != ".json":
        raise UserError(f"{options.out} is no name of a record: name one that ends in .json.")
    for path in (options.out, options.out.with_suffix(".mp4")):
        if os.path.lexists(path) and not options.force:
            raise UserError(
                f"{path} exists and stays as it is: name another --out, or add --force."
            )
    if options.steps < 1 or options.train_steps < 1:
        raise UserError("--steps and --train-steps are counted from 1.")
    size = _size(options.size)
    if not options.weights.is_dir():
        raise UserError(
            f"{options.weights} is no folder: name a backbone folder (python -m mm_model import "
            "cogvideox makes one, also from the local cache)."
        )
    from mm_model.proving.prove import PASSED, prove
    from mm_model.proving.workbench import ProofOptions

    asked = ProofOptions(
        options.weights,
        preset=options.preset,
        device=options.device,
        dtype=options.dtype,
        frames=options.frames,
        size=size,
        sampling_steps=options.steps,
        training_steps=options.train_steps,
    )
    said = prove(asked, options.out, lambda line: print(line, flush=True))
    print(f"{said['verdict']}: {options.out} is the record to send back.")
    return 0 if said["verdict"] == PASSED else 1


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UserError(f"--size is {text!r}: give height and width in pixels, as in 480x720.")
    return int(found[1]), int(found[2])
