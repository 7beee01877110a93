"""Commands of the project: run a stage, choose inputs, print figures, rebuild derived views.

Every knob lives in the profile; the command line only names what to do. A `UserError` is
printed as its one sentence and gives exit status 1, and so is a fault of the machine (disk full,
read-only, no permission); 75 when somebody else is at work here. `status` gives 3 when a stage
would run or other code made its output.
"""

import argparse
import io
import json
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path

from mm_model import lifeline
from mm_model.commands import (
    config,
    doctor,
    example_subject,
    explain,
    export,
    imports,
    learn_subject,
    measure,
    parameters,
    plan,
    prove,
    refine,
    releases,
    serve,
)
from mm_model.commands.generate import command as generate
from mm_model.commands.generate import interrupt
from mm_model.environment import keep_freed_memory, silence_telemetry
from mm_model.errors import BusyError, UserError, of_machine
from mm_model.run import stages
from mm_model.store import named
from mm_model.store.layout import Layout, repository_root

BUSY = os.EX_TEMPFAIL
"""Exit status of a command that must wait for somebody else's end."""

NOT_CURRENT = 3
"""Exit status of `status` when not all is up to date and made by the code of now."""

INTERRUPTED = interrupt.STATUS
"""Exit status of a command that Ctrl-C ended."""

_RUN_BY = "DVC_STAGE"
"""Set for a stage by the program that runs the graph, with which the stage must end."""

_WORK_STAYS = "finished work is kept"
_RESUMES = f"{_WORK_STAYS} and the next run resumes"
_UNCHANGED = "nothing was changed"
_OLD_STAYS = "what stood there stays as it is"
_LOOK = "'python -m mm_model releases' shows which choice holds"
_KEPT = {
    "use": "the choice may be half made: give it again",
    "status": _UNCHANGED,
    "config": _OLD_STAYS,
    "plan": _UNCHANGED,
    "parameters": _UNCHANGED,
    "import": "nothing half-written was put there",
    "prove": "what was proven so far stands in the record",
    "judges": "what stood on the shelf stays as it is",
    "filters": _UNCHANGED,
    "figures": _UNCHANGED,
    "catalogue": _OLD_STAYS,
    "page": _OLD_STAYS,
    "dataset-card": _OLD_STAYS,
    "timelapse": _OLD_STAYS,
    "serve": "nothing is served, and no release was changed",
    "example-subject": _OLD_STAYS,
    "learn-subject": "what was learned so far is kept and the same command goes on",
    "generate": "no clip was made",
    "refine": "no clip was written",
    "measure": _UNCHANGED,
    "export": "nothing half-written was put there",
    "releases": _UNCHANGED,
    **dict.fromkeys(("promote", "rollback", "pin", "unpin"), _LOOK),
    "example": _OLD_STAYS,
    "save-reply": _OLD_STAYS,
}
"""What is true of a command that could not end; of `run`, that finished work is kept."""


def _layout() -> Layout:
    from mm_model.settings import load_params

    root = repository_root()
    return Layout(root, load_params(root).profile)


def _stage(text: str) -> str:
    """A stage's name; whether a subject is listed, the run itself looks."""
    if text in stages.NAMES or text.startswith(f"{stages.SUBJECT}@"):
        return text
    known = ", ".join((*stages.NAMES, f"{stages.SUBJECT}@NAME"))
    raise argparse.ArgumentTypeError(f"{text!r} is no stage: choose one of {known}")


def _run(options: argparse.Namespace) -> None:
    lifeline.follow(_RUN_BY, "dvc")  # before anything that takes long to import
    from mm_model.report.views import VIEWS
    from mm_model.run import runner

    runner.run(options.stage, repository_root(), VIEWS)


def _use(options: argparse.Namespace) -> None:
    from mm_model import inputs
    from mm_model.store import lease

    root = repository_root()
    with lease.held(Layout(root, "").lease, "A choice of inputs"):  # not under somebody's run
        if options.profile:
            inputs.use_profile(root, options.profile)
        else:
            inputs.use_folder(
                root,
                sources=options.sources,
                facepack=options.facepack,
                consent=options.consent,
                base=options.base,
            )


def _status(options: argparse.Namespace) -> int:
    from mm_model import inputs
    from mm_model.run import status
    from mm_model.settings import load_params

    root = repository_root()
    params = load_params(root)
    if not (chosen := options.profile in (None, params.profile)):
        params = inputs.of_profile(root, options.profile)
    found = status.of_tree(root, params)
    if options.json:
        said = {"profile": params.profile, "stages": [one.as_dict() for one in found]}
        print(json.dumps(said, indent=1))
    else:
        print(status.text(params, found, chosen))
    return 0 if all(one.is_current for one in found) else NOT_CURRENT


def _judges(options: argparse.Namespace) -> None:
    from mm_model.judges import install
    from mm_model.settings import load_params
    from mm_model.store import lease

    root = repository_root()
    shelf = root / load_params(root).judges
    with lease.held(Layout(root, "").lease, "A change of the shelf of judges"):
        put = install.put_pack(shelf, options.facepack) if options.facepack else None
        put = put or install.put_dlib(shelf)
    print(f"{Layout(root, '').relative(put)} judges the next evaluation ('make run').")


def _filters(_: argparse.Namespace) -> None:
    from mm_model.media import looks

    looks.opened(looks.WantedLooks((0, 1), True, True))
    for package in looks.PACKAGES:
        print(f"{package.name} {package.version} ({package.licence}), for {package.setting}:")
        for path, digest in zip(package.weights(), package.files.values(), strict=True):
            print(f"  {path.name} sha256 {digest}")


def _figures(options: argparse.Namespace) -> int:
    from mm_model.report import against, figures

    stored = against.read(options.against) if options.against else None
    found = figures.collect(_layout())
    if stored is None:
        print(json.dumps(found, indent=1, sort_keys=True))
        return 0
    comparison = against.compare(found, stored)
    print("\n".join(comparison.sentences))
    return 0 if comparison.holds else 1


def _catalogue(options: argparse.Namespace) -> None:
    from mm_model.report import catalogue

    print(catalogue.rebuild(_layout(), url=options.url))


def _page(_: argparse.Namespace) -> None:
    from mm_model.report import page

    print(page.build(_layout()))


def _dataset_card(options: argparse.Namespace) -> None:
    from mm_model.card import page as card
    from mm_model.report import page

    layout = _layout()
    made = card.build(layout, options.target, options.blur)
    if made == card.usual_place(layout) and layout.page.is_file():
        page.build(layout)  # it names the card now
    print(made)


def _timelapse(options: argparse.Namespace) -> None:
    from mm_model.report import timelapse

    print(timelapse.build(_layout(), options.target, options.people))


def _example(_: argparse.Namespace) -> None:
    from mm_model.serving import example

    layout = _layout()
    print(layout.relative(example.write(example.default_path(layout), layout)))


def _save_reply(options: argparse.Namespace) -> None:
    from mm_model.serving import example

    try:
        reply = options.reply.read_bytes()
    except OSError as error:
        raise UserError(
            f"{options.reply} cannot be read ({named.reason(error)}): name the file that holds the "
            "server's reply."
        ) from None
    said = example.save_reply(reply, options.video)
    print(json.dumps(said, indent=1, sort_keys=True))


def parser() -> argparse.ArgumentParser:
    """The whole command line; a test holds this list of options still."""
    root = argparse.ArgumentParser(prog="python -m mm_model", description=__doc__)
    commands = root.add_subparsers(required=True, dest="command", metavar="command")

    command = commands.add_parser("run", help="run one stage of the profile params.yaml names")
    named_stages = f"{','.join(stages.NAMES)},{stages.SUBJECT}@NAME"
    command.add_argument("stage", type=_stage, metavar=f"{{{named_stages}}}")
    command.set_defaults(act=_run)

    command = commands.add_parser("use", help="choose a profile, or a folder of your own media")
    command.add_argument("--profile", help="a name from profiles/ on its shipped inputs")
    command.add_argument("--sources", help="folder of photographs and clips, or a tar")
    command.add_argument("--facepack", help="InsightFace pack folder, <root>/<name>")
    command.add_argument("--consent", help="basis on which the people shown may be used")
    command.add_argument("--base", default="real-small", help="profile whose values to start from")
    command.set_defaults(act=_use)

    command = commands.add_parser("status", help="say which stages would run or are of other code")
    command.add_argument("--profile", help="another profile than params.yaml names")
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(act=_status)

    for more in (config, doctor, explain, plan, parameters, imports, prove):
        more.add_to(commands)

    _add_weights(commands)

    command = commands.add_parser("figures", help="print the last run's figures as JSON")
    command.add_argument(
        "--against", type=named.path, help="hold them against a stored run's intervals instead"
    )
    command.set_defaults(act=_figures)

    command = commands.add_parser("catalogue", help="rebuild the SQL catalogue from the manifests")
    command.add_argument("--url", help="database URL; SQLite below work/ when absent")
    command.set_defaults(act=_catalogue)

    _add_pages(commands)
    serve.add_to(commands)
    _add_subjects(commands)
    generate.add_to(commands)
    releases.add_to(commands)
    export.add_to(commands)
    _add_replies(commands)
    return root


def _add_weights(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("judges", help="put an outside recogniser on the shelf of judges")
    command.add_argument("--facepack", type=named.path, help="a pack; dlib's when absent")
    command.set_defaults(act=_judges)

    command = commands.add_parser("filters", help="open the weights of the optional filters")
    command.set_defaults(act=_filters)


def _add_pages(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("page", help="rebuild the report page and print its path")
    command.set_defaults(act=_page)

    command = commands.add_parser("dataset-card", help="write a page about the dataset's version")
    command.add_argument(
        "target", nargs="?", type=named.path, help="the .html to write; beside the report page"
    )
    command.add_argument("--blur", action="store_true", help="make every face unknowable")
    command.set_defaults(act=_dataset_card)

    command = commands.add_parser("timelapse", help="write training as an animated WebP or GIF")
    command.add_argument("target", type=named.path, help="the .webp or .gif to write")
    command.add_argument("--people", type=int, nargs="+", help="whom to show; the first three")
    command.set_defaults(act=_timelapse)


def _add_subjects(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for more in (example_subject, learn_subject, refine, measure):
        more.add_to(commands)


def _add_replies(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("example", help="write an example request for the served model")
    command.set_defaults(act=_example)

    command = commands.add_parser("save-reply", help="keep the video of a served reply")
    command.add_argument("reply", type=named.path, help="the reply's JSON")
    command.add_argument("video", type=named.path, help="the .mp4 to write")
    command.set_defaults(act=_save_reply)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    silence_telemetry()
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name of a file need not be Unicode
            stream.reconfigure(errors="backslashreplace")
    kept = ""
    try:
        options = parser().parse_args(arguments)
        kept = _KEPT.get(options.command, "")
        status = options.act(options) or 0
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return BUSY if isinstance(error, BusyError) else 1
    except KeyboardInterrupt as stop:
        said = getattr(stop, "sentence", f"Interrupted; {kept or _RESUMES}.")
        print(said, file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _unheard():
            return 1
        given = _given(options)
        fault = named.fault(error, given) or of_machine(
            named.as_given(error, given), kept or _WORK_STAYS
        )
        if fault is None:
            raise
        print(f"Stopped: {fault}", file=sys.stderr)
        return 1


def _unheard() -> bool:
    """Whether nobody reads what is printed any more (`| head`); then it goes nowhere."""
    try:
        ours = sys.stdout.fileno()
    except OSError:  # no file
        return False
    ends = select.poll()
    ends.register(ours, 0)
    if gone := bool(ends.poll(0)):
        os.dup2(os.open(os.devnull, os.O_WRONLY), ours)
    return gone


def _given(options: argparse.Namespace) -> list[object]:
    """Every value of the command line that may be a path."""
    values = [value for name, value in vars(options).items() if name not in ("act", "command")]
    several = [one for value in values if isinstance(value, list) for one in value]
    return [one for one in (*values, *several) if isinstance(one, str | Path)]
