"""The command `plan`: what a run would cost, or how far that arithmetic is from a finished run."""

import argparse
import json
from typing import TypeVar

from mm_model.errors import UserError
from mm_model.store import named
from mm_model.store.layout import repository_root

_T = TypeVar("_T")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `plan` to the command line."""
    command = commands.add_parser(
        "plan", help="say what a run would cost before anything is rented"
    )
    command.add_argument("--profile", help="a name from profiles/; paper, unless given")
    usual = "; what the profile is meant for, unless given"
    command.add_argument("--pictures", type=int, help=f"source pictures{usual}")
    command.add_argument("--clips", type=int, help=f"source clips{usual}")
    command.add_argument("--gpus", type=int, help=f"GPUs of the machine{usual}")
    command.add_argument("--gpu", help=f"their kind{usual}")
    command.add_argument("--cores", type=int, help=f"cores of the machine{usual}")
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.add_argument(
        "--check", action="store_true", help="hold the arithmetic to a finished run instead"
    )
    command.add_argument(
        "--against", type=named.path, help="the figures of a run to check; docs/runs/tiny.json"
    )
    command.set_defaults(act=_plan)


def _plan(options: argparse.Namespace) -> None:
    from mm_model.planning import check, plan, text
    from mm_model.planning.work import Machine

    root = repository_root()
    if options.check or options.against:
        alone = ("profile", "pictures", "clips", "gpus", "gpu", "cores", "json")
        if given := [name for name in alone if getattr(options, name) not in (None, False)]:
            raise UserError(
                f"--{given[0]} says nothing of a check against a finished run: leave it out."
            )
        print(check.text(check.against(root, options.against or root / check.STORED)))
        return
    name = _said(options.profile, "paper")
    usual = plan.usual(name)
    machine = Machine(
        _said(options.gpu, usual.machine.gpu),
        _said(options.gpus, usual.machine.gpus),
        _said(options.cores, usual.machine.cores),
    )
    asked = plan.asked_of(
        root,
        name,
        pictures=_said(options.pictures, usual.pictures),
        clips=_said(options.clips, usual.clips),
        gpu=machine.gpu,
    )
    made = plan.plan(name, asked, machine)
    print(json.dumps(made.as_dict(), indent=1) if options.json else text.whole(made))


def _said(given: _T | None, usual: _T) -> _T:
    return usual if given is None else given
