"""The command `plan`: what a run would cost, or how far that arithmetic is from a finished run."""

import argparse
import json

from mm_model.store import named
from mm_model.store.layout import repository_root


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `plan` to the command line."""
    command = commands.add_parser(
        "plan", help="say what a run would cost before anything is rented"
    )
    command.add_argument("--profile", default="paper", help="a name from profiles/")
    command.add_argument("--pictures", type=int, default=5_000_000, help="source pictures")
    command.add_argument("--clips", type=int, default=150_000, help="source clips")
    command.add_argument("--gpus", type=int, default=8, help="GPUs of the machine")
    command.add_argument("--gpu", default="h100", help="their kind")
    command.add_argument("--cores", type=int, default=64, help="cores of the machine")
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
        print(check.text(check.against(root, options.against or root / check.STORED)))
        return
    asked = plan.asked_of(
        root,
        options.profile,
        pictures=options.pictures,
        clips=options.clips,
        gpu=options.gpu,
    )
    machine = Machine(options.gpu, options.gpus, options.cores)
    made = plan.plan(options.profile, asked, machine)
    print(json.dumps(made.as_dict(), indent=1) if options.json else text.whole(made))
