"""The command `example-subject`: drawn photographs to learn from when one has none."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from mm_model.store import named


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `example-subject` to the command line."""
    command = commands.add_parser(
        "example-subject", help="draw photographs and masks of something to learn"
    )
    command.add_argument("kind", choices=("cup", "toy", "person"), help="what is drawn")
    command.add_argument("folder", type=named.path, help="the folder to write")
    command.add_argument("--seed", type=int, default=0, help="which cup, toy or person; 0")
    command.add_argument("--number", type=int, default=8, help="photographs; 8")
    command.add_argument("--size", type=int, default=256, help="pixels a side; 256")
    command.set_defaults(act=_example_subject)


def _example_subject(options: argparse.Namespace) -> None:
    from mm_model.embedded.objects import example

    drawn = example.DrawnSubject(options.kind, options.seed)
    example.write(drawn, options.folder, options.number, options.size)
    print(f"{options.folder} holds {options.number} photographs and masks. To learn it:")
    print(_line(drawn.kind, drawn.word, options.folder))


def _line(kind: str, word: str, folder: Path) -> str:
    """The command that learns what was drawn."""
    from mm_model.embedded.objects import example

    known = kind if kind == example.PERSON else {"cup": "object", "toy": "animal"}[kind]
    words = ["python", "-m", "mm_model", "learn-subject", f"my-{kind}"]
    words += [str(folder / example.PHOTOS), "--kind", known, "--word", word]
    return shlex.join([*words, "--masks", str(folder / example.MASKS)])
