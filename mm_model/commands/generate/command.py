"""The command `generate`: its options, and what it prints. Light to import."""

import argparse
import re
from typing import Any

from mm_model.commands.generate import interrupt
from mm_model.errors import UserError
from mm_model.methods.kinds import MAGIC_MIRROR, METHODS, SUBJECT
from mm_model.serving import fields
from mm_model.serving.fields import Field
from mm_model.store.atomic import Document
from mm_model.store.named import path

CHAMPION = "champion"
_OWN = {
    MAGIC_MIRROR: ("ref", "consent", "facepack"),
    SUBJECT: ("subject", "weights", "motion", "refine"),
}
"""Options that belong to one method."""

_SIZE = re.compile(r"(\d+)x(\d+)")


def add_to(commands: Any) -> None:
    """Add the command to a parser's commands."""
    command = commands.add_parser(
        "generate", help="make a video of a person from photographs, or of a learned subject"
    )
    command.add_argument(
        "--ref",
        type=path,
        action="append",
        default=[],
        metavar="PATH",
        help="a photograph, or a folder of one person's; may be given again",
    )
    command.add_argument(
        "--prompt",
        action="append",
        metavar="SENTENCE",
        help="what the person does, as in 'a woman smiles'; given again, a further shot of the "
        "same person",
    )
    command.add_argument(
        "--consent",
        metavar="BASIS:EVIDENCE",
        help="why these photographs may be used, as in self:me; a folder's consent.yaml counts",
    )
    command.add_argument(
        "-o",
        "--out",
        type=path,
        metavar="FILE",
        help="the clip (.mp4) or picture (.png); beside it its record (.json), and single shots",
    )
    command.add_argument("--force", action="store_true", help="replace files that are there")
    for option, together in fields.by_option().items():
        _add(command, option, together)
    _add_adapter(command)
    _add_subject(command)
    command.add_argument(
        "--again",
        type=path,
        metavar="JSON",
        help="make the clip of this record once more and compare the bytes; --ref "
        "names photographs that were moved (--subject, --weights and --motion those of a subject), "
        "-o writes the clip",
    )
    command.set_defaults(act=run)


def _add_adapter(command: argparse.ArgumentParser) -> None:
    """Options of the method that sees photographs."""
    command.add_argument(
        "--adapter",
        default=CHAMPION,
        help="a release (champion, a version's number) or an adapter's folder",
    )
    command.add_argument(
        "--facepack",
        type=path,
        help="another face pack to find the faces with, for real photographs",
    )


def _add_subject(command: argparse.ArgumentParser) -> None:
    """Options of the method whose subjects are learned."""
    command.add_argument(
        "--method",
        choices=METHODS,
        help="who makes the clip: an adapter that sees photographs, or tokens that were learned "
        "of a subject; follows from --ref or --subject",
    )
    command.add_argument(
        "--subject", metavar="NAME", help="what learn-subject learned: its name, or its folder"
    )
    command.add_argument(
        "--weights",
        type=path,
        metavar="PATH",
        help="of a subject: the checkpoint to show it with, a folder or one file; that which it "
        "was learned on if absent",
    )
    command.add_argument(
        "--motion", type=path, metavar="DIR", help="of a subject: AnimateDiff's motion module"
    )
    command.add_argument(
        "--refine",
        metavar="STEPS",
        help="of a subject on Stable Diffusion: face, tiled or face,tiled, to draw the face, or "
        "all at twice the size, again",
    )


def _add(command: argparse.ArgumentParser, option: str, together: tuple[Field, ...]) -> None:
    """An option that gives a number, or several with an x between them."""
    first = together[0]
    if len(together) > 1:
        names = "x".join(one.name.upper() for one in together)
        command.add_argument(f"--{option}", metavar=names, help=first.help)
    else:
        kind = int if first.whole else float
        command.add_argument(f"--{option}", type=kind, help=first.help)


def run(options: argparse.Namespace) -> None:
    """Do what the options say; prints what is not an error.

    Raises:
        UserError: a refusal, as a server's, or an option that does not fit.
        Interrupted: by Ctrl-C or SIGTERM; a second one ends the process.
    """
    from mm_model.commands.generate import wording
    from mm_model.serving.refusal import Refusal

    try:
        with interrupt.heeded():
            _run(options)
    except Refusal as refusal:
        raise wording.of(refusal) from None


def _run(options: argparse.Namespace) -> None:
    from mm_model.commands.generate import repeat, subject, work
    from mm_model.settings import load_params
    from mm_model.store.layout import Layout, repository_root

    root = repository_root()
    layout = Layout(root, load_params(root).profile)
    target, force = options.out, options.force
    places = subject.SubjectPlaces(options.subject, options.weights, options.motion)
    if options.again is not None:
        _refuse_changes(options)
        moved = repeat.Moved(tuple(options.ref), places)
        repeat.again(layout, options.again, moved, target, force=force, say=_say)
        return
    prompts = tuple(options.prompt or ())
    if _method(options) == SUBJECT:
        if not prompts:
            raise UserError("Give a sentence with --prompt.")
        learned = subject.SubjectWish(places, prompts, _values(options), options.refine)
        _say(str(subject.make(layout, learned, target, force, _say)))
        return
    if not options.ref or not options.prompt:
        raise UserError(
            "Give at least one photograph with --ref (REF=... for make) and a sentence with "
            "--prompt (PROMPT=...)."
        )
    wish = work.Wish(
        tuple(options.ref),
        prompts,
        consent=options.consent,
        adapter=options.adapter,
        facepack=options.facepack,
        values=_values(options),
    )
    _say(str(work.make(layout, wish, target, force, _say)))


def _method(options: argparse.Namespace) -> str:
    """The method that is named, or to which the options belong.

    Raises:
        UserError: an option belongs to the other one.
    """
    chosen = options.method or (SUBJECT if options.subject is not None else MAGIC_MIRROR)
    other = next(name for name in _OWN if name != chosen)
    given = [option for option in _OWN[other] if _given(options, option) not in (None, [])]
    given += ["adapter"] if chosen == SUBJECT and options.adapter != CHAMPION else []
    if given:
        raise UserError(
            f"--{given[0]} belongs to --method {other}, and this is {chosen}: leave it out, or "
            f"give --method {other}."
        )
    return chosen


def _values(options: argparse.Namespace) -> Document:
    """The numbers of a clip by their fields, None where none is given."""
    values: Document = {}
    for option, together in fields.by_option().items():
        given = _given(options, option)
        both = _size(given) if len(together) > 1 else (given,)
        values |= {one.name: value for one, value in zip(together, both, strict=True)}
    return values


def _say(line: str) -> None:
    print(line, flush=True)


def _given(options: argparse.Namespace, option: str) -> Any:
    return getattr(options, option.replace("-", "_"))


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UserError(f"--size is {text!r}: give height and width in pixels, as in 480x720.")
    return int(found[1]), int(found[2])


def _refuse_changes(options: argparse.Namespace) -> None:
    """A record says all of a clip; anything else would be another clip."""
    given = ("prompt", "consent", *fields.by_option(), "facepack", "method", "refine")
    changed = [name for name in given if _given(options, name) is not None]
    changed += ["adapter"] if options.adapter != CHAMPION else []
    if changed:
        raise UserError(
            f"--again makes the recorded clip: leave out --{changed[0]}, or make another clip "
            "without --again."
        )
