"""`python -m mm_model.reproduce figure8`: a figure of the paper, measured again at tiny scale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mm_model.environment import bound_threads, keep_freed_memory, silence_telemetry
from mm_model.reproduce import tiers

NAMES = {
    "facesize": "identity that Face VCD gives back, against the face's size in pixels",
    "figure8": "CAN against no CAN, three seeds",
    "figure9": "scales of the modulation by layer, timestep and modality",
    "figure14": "modulation only, on two distributions of data",
    "figure16": "one photograph and four, pictures, shots and words of style (with figure 17)",
    "gamma": "motion and identity against the correlation of the frames' noise",
    "masks": "tokens learned with true masks against without: background, motion, smoothness",
    "methods": "Magic Mirror, tokens of a subject, and both, on the same people",
    "protocol": "Magic-Me's protocol: subjects, sentences, and its two ablations with verdicts",
    "subjects": "people, cups and toys learned by their tokens, against the plain base",
}


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; give 0 or more")
    return int(text)


def _tiers(command: argparse.ArgumentParser, study: str) -> None:
    help_of = {
        "methods": "2 people x 1 sentence, hardly learned, or 6 x 4",
        "protocol": "2 subjects x 1 sentence, 4 x 4, or the paper's 16 x 25",
    }
    command.add_argument(
        "--tier", choices=tiers.TIERS[study], default=tiers.QUICK, help=help_of[study]
    )


def _protocol(command: argparse.ArgumentParser) -> None:
    command.add_argument("--clip", type=Path, metavar="DIR", help="CLIP (as clip-vit-base-patch32)")
    command.add_argument("--dino", type=Path, metavar="DIR", help="DINO (as dino-vits16) or DINOv2")


def _told(module: Any, options: argparse.Namespace) -> list[Any]:
    """What a figure is told beside the root and the processes."""
    if options.figure == "protocol":
        from mm_model.metrics.embedders import open_networks

        return [module.TIERS[options.tier], open_networks(options.clip, options.dino)]
    if options.figure in tiers.TIERS:
        return [module.TIERS[options.tier]]
    return [] if vars(options).get("steps") is None else [module.longer(options.steps)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one; print where its plot and its numbers lie. 1 when it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m mm_model.reproduce", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="figure", dest="figure")
    for name, what in NAMES.items():
        command = commands.add_parser(name, help=what)
        command.add_argument(
            "--processes", type=_count, default=2, help="trainings at a time, one thread each"
        )
        if name == "figure8":
            command.add_argument("--steps", type=int, help="of each training; 200 unless given")
        if name in tiers.TIERS:
            _tiers(command, name)
        if name == "protocol":
            _protocol(command)
    options = parser.parse_args(arguments)
    silence_telemetry()
    keep_freed_memory()
    bound_threads(1)

    import importlib

    from mm_model.errors import UserError, of_machine
    from mm_model.store.layout import repository_root

    try:
        module = importlib.import_module(f"mm_model.reproduce.{options.figure}")
        shelf = module.reproduce(repository_root(), options.processes, *_told(module, options))
    except UserError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        fault = of_machine(error, f"the next 'make {options.figure}' goes on")
        if fault is None:
            raise
        print(f"Stopped: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Interrupted; the next 'make {options.figure}' goes on.", file=sys.stderr)
        return 130
    print(f"{shelf.plot}\n{shelf.numbers}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
