"""The command `generate`: its options, and what it prints. Light to import."""

import argparse
from typing import Any

from mm_model.commands.generate import interrupt, order
from mm_model.commands.generate.order import CHAMPION
from mm_model.errors import UserError
from mm_model.methods.kinds import METHODS
from mm_model.serving import fields
from mm_model.serving.fields import Field
from mm_model.store.named import path
from mm_model.vcd.lora import Lora


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
    _add_sentences(command)
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
    command.add_argument(
        "--low-memory",
        action="store_true",
        help="one network on the GPU at a time, and the VAE in tiles: slower, and not to the bit",
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
        "names photographs that were moved (--subject, --weights, --motion, --lora those of a "
        "subject), -o writes the clip",
    )
    command.set_defaults(act=run)


def _add_sentences(command: argparse.ArgumentParser) -> None:
    """Where the sentences come from: one clip's, or those of a batch."""
    command.add_argument(
        "--prompt",
        action="append",
        metavar="SENTENCE",
        help="what the person does, as in 'a woman smiles'; given again, a further shot of the "
        "same person",
    )
    command.add_argument(
        "--shots",
        type=path,
        metavar="FILE",
        help="a text file with a sentence a line, in place of --prompt; # begins a remark",
    )
    command.add_argument(
        "--batch",
        type=path,
        metavar="CSV",
        help="an order a row, in columns called like these options, and its name; -o is a folder; "
        "the same command goes on where it ended",
    )


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
        help="who makes the clip: an adapter that sees photographs, tokens that were learned of a "
        "subject, or ConsisID; the first two follow from --ref and --subject",
    )
    command.add_argument(
        "--subject", metavar="NAME", help="what learn-subject learned: its name, or its folder"
    )
    command.add_argument(
        "--weights",
        type=path,
        metavar="PATH",
        help="of a subject: the checkpoint to show it with, a folder or one file; that which it "
        "was learned on if absent; of ConsisID: its folder",
    )
    command.add_argument(
        "--motion",
        type=path,
        metavar="PATH",
        help="of a subject: AnimateDiff's motion module, a folder or one file",
    )
    command.add_argument(
        "--lora",
        type=Lora.of,
        metavar="FILE[:SCALE]",
        help="of a subject on Stable Diffusion: a LoRA of a style or of a motion",
    )
    command.add_argument(
        "--refine",
        metavar="STEPS",
        help="face, tiled or face,tiled, to draw the face, or all at twice the size, again; not of "
        "ConsisID",
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
    from mm_model.commands.generate import batch, repeat, subject
    from mm_model.settings import load_params
    from mm_model.store.layout import Layout, repository_root

    root = repository_root()
    layout = Layout(root, load_params(root).profile)
    target, force = options.out, options.force
    if options.again is not None:
        _refuse_changes(options)
        moved = repeat.Moved(tuple(options.ref), subject.SubjectPlaces.of(options))
        repeat.again(layout, options.again, moved, target, force=force, say=_say)
    elif options.batch is not None:
        batch.run(layout, options, _say)
    else:
        wish = order.of_options(options)
        _say(str(order.make(layout, wish, target, force=force, say=_say)))


def _say(line: str) -> None:
    print(line, flush=True)


def _refuse_changes(options: argparse.Namespace) -> None:
    """A record says all of a clip; anything else would be another clip."""
    own = ("prompt", "shots", "batch", "consent", "facepack", "method", "refine")
    given = (*own, *fields.by_option())
    changed = [name for name in given if order.given(options, name) is not None]
    changed += ["low-memory"] if options.low_memory else []
    changed += ["adapter"] if options.adapter != CHAMPION else []
    if changed:
        raise UserError(
            f"--again makes the recorded clip: leave out --{changed[0]}, or make another clip "
            "without --again."
        )
