"""From what is asked to a clip with its record beside it; and the same again, compared.

Everything that can be refused is refused before work starts: what is asked, the model, and files
that would be replaced. A clip and its record are written whole or not at all.
"""

import base64
import contextlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

from mm_model.commands.generate import asked, interrupt, sidecar
from mm_model.commands.generate.model import Choice, chosen
from mm_model.commands.generate.sidecar import Arguments, Sidecar
from mm_model.errors import UserError, of_machine
from mm_model.progress import Steps
from mm_model.serving import code, fields, request
from mm_model.serving.refusal import Code, Refusal
from mm_model.store import atomic, digests
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.store.walk import why

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """The command line's values; None where the model's own hold."""

    references: tuple[Path, ...]
    prompt: str
    _: KW_ONLY
    consent: str | None
    adapter: str
    facepack: Path | None
    values: Document


@dataclass(frozen=True)
class FinishedClip:
    """A finished clip and its record."""

    video: bytes
    said: Sidecar


def make(layout: Layout, wish: Wish, target: Path | None, force: bool, say: Say) -> Path:
    """Make a clip and write it with its record; the path of the clip.

    Raises:
        UserError: a refusal, as a server's, or a file stands in the way.
    """
    seed = wish.values.get("seed")
    values = {
        **wish.values,
        "seed": secrets.randbelow(fields.MAX_SEED + 1) if seed is None else seed,
    }
    target = target or layout.root / "work" / layout.profile / "clips" / f"{values['seed']}.mp4"
    otherwise = f"--seed {values['seed']} (SEED={values['seed']} for make) makes the same one"
    with _no_clip(otherwise), _place(target, force):
        choice = chosen(layout, wish.adapter, wish.facepack)
        shown = asked.photographs(wish.references, choice.config.serve)
        consent = asked.consent_of(shown, wish.consent)
        made = _made(choice, shown, consent, replace(wish, values=values), say)
        return _kept(made, target, force, say)


@contextlib.contextmanager
def _no_clip(otherwise: str) -> Iterator[None]:
    """Says what is true where a clip was begun and does not come to be; `otherwise` how it will.

    Raises:
        Interrupted: by a signal.
        MachineError: the machine would not do what was asked.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise interrupt.Interrupted(
            f"Interrupted: the clip was not made and nothing of it is kept; {otherwise}."
        ) from None
    except UserError:
        raise
    except Exception as error:
        if fault := of_machine(error, f"the clip is not kept, {otherwise}"):
            raise fault from error
        raise


def again(
    layout: Layout,
    record: Path,
    *,
    moved: tuple[Path, ...],
    target: Path | None,
    force: bool,
    say: Say,
) -> bool:
    """Make the clip of a record once more and say whether its bytes came out equal.

    `moved` names the photographs where they lie now. The clip is written to `target` only where one
    is given.

    Raises:
        UserError: a photograph, the model or a part of it is not the recorded one; or the bytes
            differ although code, versions and hardware are the same.
    """
    with _no_clip("its record stays as it is and the same command makes it"):
        before = sidecar.read(record)
        with contextlib.nullcontext() if target is None else _place(target, force):
            return _again(layout, before, moved, target=target, force=force, say=say)


def _again(
    layout: Layout,
    before: Sidecar,
    moved: tuple[Path, ...],
    *,
    target: Path | None,
    force: bool,
    say: Say,
) -> bool:
    asked_for = before.arguments
    facepack = None if asked_for.facepack is None else Path(asked_for.facepack)
    choice = chosen(layout, before.release or asked_for.adapter, facepack)
    _refuse_other_parts(before, choice)
    paths = moved or tuple(Path(path) for path in asked_for.references)
    shown = asked.photographs(paths, choice.config.serve)
    if shown.digests != before.references_sha256:
        raise UserError(_other_photographs(before, shown))
    wish = Wish(
        paths,
        asked_for.prompt,
        consent=None,
        adapter=asked_for.adapter,
        facepack=facepack,
        values=dict(asked_for.numbers),
    )
    made = _made(choice, shown, asked_for.consent, wish, say)
    if target is not None:
        say(str(_kept(made, target, force, say)))
    return _compared(before, made.said, say)


def _made(
    choice: Choice, shown: asked.Photographs, consent: dict[str, str], wish: Wish, say: Say
) -> FinishedClip:
    for line in shown.left_out:
        say(line)
    for number, path in enumerate(shown.paths, start=1):
        say(f"reference picture {number}: {path}")
    record = asked.record_of(shown, consent, wish.prompt, wish.values)
    request.read(record, choice.config.serve, choice.config.num_frames)  # before seconds of loading
    if shown.unused:
        say(
            f"not used, as a model is shown {choice.config.serve.max_references} pictures at most: "
            f"{shown.unused} more in the folder"
        )
    used = code.digest()
    if choice.code not in (None, used):
        say("the code of this tree is not that of the release: a server of it may answer otherwise")
    mirror = choice.load()
    wanted = mirror.read(record)
    references = _seen(mirror, wanted, wish)
    if unread := mirror.unread(wanted):
        say(
            "the prompt is longer than what the text encoder reads; these words are cut off: "
            + " ".join(unread)
        )
    started = time.monotonic()
    with Steps("generating") as steps:
        reply = mirror.show(wanted, references, steps.told)
    video = base64.b64decode(reply["video_mp4"])
    config = choice.config
    said = Sidecar(
        _arguments(shown, consent, wish, wanted),
        choice.release,
        digests={**config.digests, "code": used},
        references_sha256=shown.digests,
        video_sha256=digests.of_bytes(video),
        fps=config.fps,
        versions=sidecar.versions(),
        hardware=sidecar.hardware(config.device, config.threads),
        seconds=round(time.monotonic() - started, 2),
        notes=reply["notes"],
        values=sidecar.values_of(config),
    )
    for note in reply["notes"]:
        say(note)
    return FinishedClip(video, said)


def _arguments(
    shown: asked.Photographs, consent: dict[str, str], wish: Wish, wanted: request.Request
) -> Arguments:
    """What was asked for, with the values that were left to the release."""
    return Arguments(
        prompt=wish.prompt,
        references=[str(path.resolve()) for path in shown.paths],
        consent=consent,
        adapter=_lasting(wish.adapter),
        facepack=None if wish.facepack is None else str(wish.facepack.resolve()),
        numbers=fields.recorded(wanted),
    )


def _seen(mirror: Any, wanted: request.Request, wish: Wish) -> tuple[Any, ...]:
    try:
        return mirror.look(wanted)
    except Refusal as refusal:
        if refusal.code != Code.NO_FACE or wish.facepack is not None:
            raise
        raise Refusal(
            refusal.code,
            f"{refusal.sentence.removesuffix('.')}, or give a face pack for such photographs with "
            "--facepack (FACEPACK=... for make): the model's own may know drawn people only.",
        ) from None


def _lasting(adapter: str) -> str:
    return str(Path(adapter).resolve()) if Path(adapter).is_dir() else adapter


@contextlib.contextmanager
def _place(target: Path, force: bool) -> Iterator[None]:
    """A folder for the clip while it is made; one that was made for it does not stay empty.

    Raises:
        UserError: the clip or its record cannot be written, or would replace something.
    """
    made = []
    with contextlib.suppress(OSError):
        made = [folder for folder in target.absolute().parents if not folder.exists()]
    try:
        _refuse_target(target, force)
        yield
    finally:
        for folder in made:  # the innermost first
            with contextlib.suppress(OSError):  # something lies there
                folder.rmdir()


def _refuse_target(target: Path, force: bool) -> None:
    """Before work starts: the clip and its record can be written, and nothing is replaced."""
    if target.suffix != ".mp4":
        raise UserError(f"{target} is no name of a clip: name one that ends in .mp4, as out.mp4.")
    for path in (target, target.with_suffix(".json")):
        with contextlib.suppress(OSError):  # such as a name that is too long
            if path.is_dir():
                raise UserError(f"{path} is a folder: name another clip with -o.")
        if os.path.lexists(path) and not force:
            raise UserError(
                f"{path} exists and stays as it is: name another clip with -o, or add --force "
                "(FORCE=1 for make) to replace it."
            )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent), contextlib.suppress(FileNotFoundError):
            target.with_suffix(".json").lstat()  # its name may be too long
    except OSError as error:
        raise UserError(
            f"{target} cannot be written ({why(error)}): name another clip with -o."
        ) from None


def _free(target: Path) -> Path:
    """`target`, or where somebody wrote it meanwhile the first free name like it."""
    tried, number = target, 1
    while os.path.lexists(tried) or os.path.lexists(tried.with_suffix(".json")):
        number += 1
        tried = target.with_stem(f"{target.stem}-{number}")
    return tried


def _kept(made: FinishedClip, target: Path, force: bool, say: Say) -> Path:
    """Write both; neither takes its place before both are whole on disk."""
    if not force and (free := _free(target)) != target:
        say(f"{target} was written by somebody else meanwhile and stays as it is")
        target = free
    record = json.dumps(made.said.as_dict(), indent=1, sort_keys=True, allow_nan=False) + "\n"
    beside = target.with_suffix(".json")
    with (
        interrupt.held_back(),  # or the clip might lie there without its record
        atomic.written_aside(beside) as said,
        atomic.written_aside(target) as video,
    ):
        video.write_bytes(made.video)
        said.write_text(record, "utf-8")
    return target


def _refuse_other_parts(before: Sidecar, choice: Choice) -> None:
    for name, digest in before.digests.items():
        if name != "code" and choice.config.digests.get(name) != digest:
            raise UserError(
                f"The {name} is not the one that made the clip ({digest[:12]} then, "
                f"{str(choice.config.digests.get(name))[:12]} now): put it back to make the same "
                "clip again."
            )
    now = sidecar.values_of(choice.config)
    for name, value in before.values.items():
        if now.get(name) != value:
            raise UserError(
                f"The clip was made with {name} {value}, which is {now.get(name)} now: set it back "
                "in the profile to make the same clip again."
            )


def _other_photographs(before: Sidecar, shown: asked.Photographs) -> str:
    found, wanted = shown.digests, before.references_sha256
    if len(found) != len(wanted):
        count = "1 photograph" if len(wanted) == 1 else f"{len(wanted)} photographs"
        return f"The clip was made from {count}, not {len(found)}: give just those with --ref."
    number = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
    return (
        f"{shown.paths[number]} is not the photograph that the clip was made from "
        f"({wanted[number][:12]} then, {found[number][:12]} now): give the one that was with --ref."
    )


def _compared(before: Sidecar, now: Sidecar, say: Say) -> bool:
    equal = before.video_sha256 == now.video_sha256
    differing = before.elsewhere(now)
    if differing:
        say(f"made elsewhere or otherwise: {'; '.join(differing)}")
    if not equal and not differing:
        raise UserError(
            "The bytes differ, although code, versions and hardware are the recorded ones: this is "
            "a defect."
        )
    say("the same bytes" if equal else "other bytes")
    return equal
