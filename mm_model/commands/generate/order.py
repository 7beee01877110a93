"""What the options ask for, as an order of one method; and what is done with any order.

The rows of a batch are orders too: the same options, each with values of its own. Light to import.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.commands.generate.held import HeldModel
from mm_model.errors import UserError
from mm_model.methods.kinds import CONSISID, MAGIC_MIRROR, SUBJECT
from mm_model.serving import fields
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.commands.generate.consisid import ConsisWish
    from mm_model.commands.generate.ending import Say
    from mm_model.commands.generate.sidecar import Sidecar
    from mm_model.commands.generate.subject import SubjectWish
    from mm_model.commands.generate.work import Wish
    from mm_model.store.layout import Layout

    Order = Wish | SubjectWish | ConsisWish

CHAMPION = "champion"
_OWN = {
    "ref": (MAGIC_MIRROR, CONSISID),
    "consent": (MAGIC_MIRROR, CONSISID),
    "facepack": (MAGIC_MIRROR, CONSISID),
    "adapter": (MAGIC_MIRROR,),
    "subject": (SUBJECT,),
    "weights": (SUBJECT, CONSISID),
    "motion": (SUBJECT,),
    "lora": (SUBJECT,),
    "refine": (SUBJECT, MAGIC_MIRROR),
}
"""Options to the methods that they belong to; the others are everybody's."""

_SIZE = re.compile(r"(\d+)x(\d+)")
_LONGEST_SHOTS = 100_000
"""Bytes of a file of shots; no film of ours has so many."""


def of_options(options: argparse.Namespace) -> Order:
    """The order that the options are.

    Raises:
        UserError: one is lacking, or belongs to another method.
    """
    from mm_model.commands.generate import consisid, subject, work

    prompts, method = _prompts(options), _method(options)
    if method == SUBJECT:
        if not prompts:
            raise UserError("Give a sentence with --prompt.")
        places = subject.SubjectPlaces.of(options)
        return subject.SubjectWish(
            places, prompts, values(options), options.refine, held=HeldModel(options.low_memory)
        )
    if not options.ref or not prompts:
        raise UserError(
            "Give at least one photograph with --ref (REF=... for make) and a sentence with "
            "--prompt (PROMPT=...)."
        )
    if method == CONSISID:
        return consisid.ConsisWish(
            tuple(options.ref),
            prompts,
            consent=options.consent,
            weights=options.weights,
            facepack=options.facepack,
            values=values(options),
            held=HeldModel(options.low_memory),
        )
    return work.Wish(
        tuple(options.ref),
        prompts,
        consent=options.consent,
        adapter=options.adapter,
        facepack=options.facepack,
        values=values(options),
        refine=options.refine,
        held=HeldModel(options.low_memory),
    )


def make(
    layout: Layout,
    wish: Order,
    target: Path | None,
    *,
    force: bool,
    say: Say,
) -> Path:
    """Make the clip of an order and write it with its record; the path of the clip.

    Raises:
        UserError: as `work.make` and `subject.make`.
    """
    from mm_model.commands.generate import consisid, subject, work

    if isinstance(wish, work.Wish):
        return work.make(layout, wish, target, force, say)
    if isinstance(wish, consisid.ConsisWish):
        return consisid.make(layout, wish, target, force, say)
    return subject.make(layout, wish, target, force, say)


def is_of(layout: Layout, wish: Order, said: Sidecar) -> bool:
    """Whether the record `said` is of a clip that the order would make, given its seed.

    Raises:
        UserError: a part of the order is not there.
    """
    from mm_model.commands.generate import consisid, subject, work

    if isinstance(wish, work.Wish):
        return work.is_of(layout, wish, said)
    if isinstance(wish, consisid.ConsisWish):
        return consisid.is_of(layout, wish, said)
    return subject.is_of(layout, wish, said)


def given(options: argparse.Namespace, option: str) -> Any:
    """What an option was given."""
    return getattr(options, option.replace("-", "_"))


def values(options: argparse.Namespace) -> Document:
    """The numbers of a clip by their fields, None where none is given."""
    found: Document = {}
    for option, together in fields.by_option().items():
        one_or_both = given(options, option)
        both = _size(one_or_both) if len(together) > 1 else (one_or_both,)
        found |= {one.name: value for one, value in zip(together, both, strict=True)}
    return found


def leave_to_others(options: argparse.Namespace, own: Container[str]) -> None:
    """Take out of a row's options what the command line says for rows of other methods; what the
    row's `own` cells say stays, and is refused where it does not belong.
    """
    chosen = _chosen(options)
    for option, methods in _OWN.items():
        if chosen not in methods and option not in own:
            setattr(options, option, _unasked(option))


def _chosen(options: argparse.Namespace) -> str:
    """The method that is named, or else the one that the options mean."""
    meant = SUBJECT if options.subject is not None else MAGIC_MIRROR
    return str(options.method or meant)


def _unasked(option: str) -> str | None:
    return CHAMPION if option == "adapter" else None


def _method(options: argparse.Namespace) -> str:
    """The method that is named, or to which the options belong.

    Raises:
        UserError: an option belongs to another one.
    """
    chosen = _chosen(options)
    for option, methods in _OWN.items():
        if chosen not in methods and given(options, option) not in (_unasked(option), None, []):
            raise UserError(
                f"--{option} belongs to --method {' or '.join(methods)}, and this is {chosen}: "
                f"leave it out, or give --method {methods[0]}."
            )
    return chosen


def _prompts(options: argparse.Namespace) -> tuple[str, ...]:
    if options.shots is None:
        return tuple(options.prompt or ())
    if options.prompt:
        raise UserError("Sentences come from --prompt or from the file of --shots: leave one out.")
    return shots_of(options.shots)


def shots_of(path: Path) -> tuple[str, ...]:
    """The sentences of a file of shots: one a line; empty lines and those that begin with # are
    passed over.

    Raises:
        UserError: it cannot be read, or holds no sentence.
    """
    from mm_model.store.named import reason

    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_SHOTS + 1)
        if len(text) > _LONGEST_SHOTS:
            raise UserError(f"{path} is too long for a file of shots: name a text file.")
        lines = [line.strip() for line in text.decode("utf-8-sig").splitlines()]
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({reason(error)}): name a text file with a sentence a line."
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8: save it as such.") from None
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise UserError(f"{path} holds no sentence: write one a line.")
    return found


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UserError(f"--size is {text!r}: give height and width in pixels, as in 480x720.")
    return int(found[1]), int(found[2])
