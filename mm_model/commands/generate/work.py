"""From what is asked to a clip with its record beside it; and the same again, compared.

Everything that can be refused is refused before work starts: what is asked, the model, and files
that would be replaced. A clip and its record are written whole or not at all.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.commands.generate import asked, ending, place, sidecar
from mm_model.commands.generate.ending import Say
from mm_model.commands.generate.held import HeldModel
from mm_model.commands.generate.model import Choice, chosen
from mm_model.commands.generate.place import FinishedClip
from mm_model.commands.generate.sidecar import Arguments, MadeKind, Sidecar
from mm_model.errors import UserError
from mm_model.progress import Steps
from mm_model.serving import code, fields, request
from mm_model.serving.refusal import Code, Refusal
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout

if TYPE_CHECKING:
    from mm_model.refine.plan import RefinePlan


@dataclass(frozen=True)
class Wish:
    """The command line's values; None where the model's own hold. prompts: one a shot. refine: how
    each clip is drawn again. held: what orders of one command share.
    """

    references: tuple[Path, ...]
    prompts: tuple[str, ...]
    _: KW_ONLY
    consent: str | None
    adapter: str
    facepack: Path | None
    values: Document
    refine: str | None = None
    kind: MadeKind = MadeKind.CLIP
    held: HeldModel = field(default_factory=HeldModel, compare=False)


def make(layout: Layout, wish: Wish, target: Path | None, force: bool, say: Say) -> Path:
    """Make a clip and write it with its record; the path of the clip.

    Raises:
        UserError: a refusal, as a server's, or a file stands in the way.
    """
    values, kind, target = place.begun(layout, wish.values, target)
    otherwise = f"--seed {values['seed']} (SEED={values['seed']} for make) makes the same one"
    with ending.no_clip(otherwise), place.kept_free(place.of(target, wish.prompts), force):
        choice = _choice(layout, wish)
        _plan(wish)  # one that is none is refused before work starts
        if values.get("num_frames") is None and choice.config.num_frames == 1:
            kind = MadeKind.PICTURE
        place.refuse_kind(target, kind)
        shown = asked.photographs(wish.references, choice.config.serve)
        consent = asked.consent_of(shown, wish.consent)
        wish = replace(wish, values=values, kind=kind)
        made = _made(choice, shown, consent, wish, say)
        return ending.kept(made, target, force, say)


def is_of(layout: Layout, wish: Wish, said: Sidecar) -> bool:
    """Whether the record is of a clip that the order would make, given its seed.

    Raises:
        UserError: a photograph, the model or a part of it is not there.
    """
    asked_for, choice = said.arguments, _choice(layout, wish)
    if not isinstance(asked_for, Arguments):
        return False
    shown = asked.photographs(wish.references, choice.config.serve)
    return (
        asked_for.prompts == wish.prompts
        and asked_for.refine == wish.refine
        and asked_for.consent == asked.consent_of(shown, wish.consent)
        and said.references_sha256 == shown.digests
        and fields.agree(asked_for.numbers, wish.values)
        and ending.same_parts(said, choice.config.digests, _values(choice, wish))
    )


def _choice(layout: Layout, wish: Wish) -> Choice:
    return wish.held.known(_key(wish), lambda: chosen(layout, wish.adapter, wish.facepack))


def _values(choice: Choice, wish: Wish) -> Document:
    return sidecar.values_of(choice.config) | wish.held.values


def _key(wish: Wish) -> tuple[object, ...]:
    return (wish.adapter, wish.facepack)


def again(
    layout: Layout,
    before: Sidecar,
    moved: tuple[Path, ...],
    *,
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
    asked_for = before.arguments
    if not isinstance(asked_for, Arguments):
        raise TypeError("a clip of a learned subject")
    facepack = None if asked_for.facepack is None else Path(asked_for.facepack)
    choice = chosen(layout, before.release or asked_for.adapter, facepack)
    held = HeldModel.as_recorded(before.values)
    values = sidecar.values_of(choice.config) | held.values
    ending.refuse_other_parts(before, choice.config.digests, values)
    paths = moved or tuple(Path(path) for path in asked_for.references)
    shown = asked.photographs(paths, choice.config.serve)
    if shown.digests != before.references_sha256:
        raise UserError(_other_photographs(before, shown))
    wish = Wish(
        paths,
        asked_for.prompts,
        consent=None,
        adapter=asked_for.adapter,
        facepack=facepack,
        values=dict(asked_for.numbers),
        refine=asked_for.refine,
        kind=before.kind,
        held=held,
    )
    made = _made(choice, shown, asked_for.consent, wish, say)
    if target is not None:
        say(str(ending.kept(made, target, force, say)))
    return ending.compared(before, made.said, say)


def _made(
    choice: Choice,
    shown: asked.Photographs,
    consent: dict[str, str],
    wish: Wish,
    say: Say,
) -> FinishedClip:
    _tell_photographs(shown, say)
    records = [asked.record_of(shown, consent, prompt, wish.values) for prompt in wish.prompts]
    limits = choice.config.serve
    read = [request.read(one, limits, choice.config.num_frames) for one in records]
    if shown.unused:
        say(
            f"not used, as a model is shown {choice.config.serve.max_references} pictures at most: "
            f"{shown.unused} more in the folder"
        )
    used = code.digest()
    if choice.code not in (None, used):
        say("the code of this tree is not that of the release: a server of it may answer otherwise")
    if wish.held.low_memory:
        say(choice.memory_said())
    mirror = _loaded(choice, wish, read[0])
    wanted = [mirror.read(record) for record in records]
    references = _seen(wish, lambda: mirror.look(wanted[0]))
    for number, one in enumerate(wanted, start=1):
        _tell_words(mirror, one, say, f"shot {number}: " if len(wanted) > 1 else "")
    started = time.monotonic()
    with Steps("generating") as steps:
        takes = mirror.takes(wanted, references, steps.told)
    takes, refined = _refined(choice, mirror, wish, references, takes=(wanted, takes))
    whole, shots = ending.encoded(takes, wish.kind, choice.config.fps)
    config, notes = choice.config, [*_notes(mirror, wanted, references), *refined]
    said = Sidecar(
        _arguments(shown, consent, wish, wanted[0]),
        choice.release,
        digests={**config.digests, "code": used},
        references_sha256=shown.digests,
        video_sha256=digests.of_bytes(whole),
        fps=config.fps,
        versions=sidecar.versions(),
        hardware=sidecar.hardware(config.device, config.threads),
        seconds=round(time.monotonic() - started, 2),
        notes=notes,
        values=_values(choice, wish),
        kind=wish.kind,
        shots_sha256=[digests.of_bytes(shot) for shot in shots],
    )
    for note in notes:
        say(note)
    return FinishedClip(whole, said, shots=shots)


def _tell_photographs(shown: asked.Photographs, say: Say) -> None:
    for line in shown.left_out:
        say(line)
    for number, path in enumerate(shown.paths, start=1):
        say(f"reference picture {number}: {path}")


def _loaded(choice: Choice, wish: Wish, read: request.Request) -> Any:
    """The model, after its photographs were looked at."""

    def seen_first(admit: Any) -> None:
        _seen(wish, lambda: admit(read.references))

    return wish.held.model(_key(wish), lambda: choice.load(wish.held.low_memory, seen_first))


def _refined(
    choice: Choice,
    mirror: Any,
    wish: Wish,
    references: Any,
    *,
    takes: tuple[list[request.Request], list[Any]],
) -> tuple[list[Any], list[str]]:
    """The clips, drawn again where that was asked for, and what each step says of itself."""
    plan = _plan(wish)
    if plan is None:
        return takes[1], []
    from mm_model.commands.generate.redraw import redrawn

    pairs = list(zip(*takes, strict=True))
    made = redrawn(choice, mirror, plan, references, pairs)
    return [one.frames for one in made], list(dict.fromkeys(n for one in made for n in one.notes))


def _plan(wish: Wish) -> "RefinePlan | None":
    if wish.refine is None:
        return None
    from mm_model.refine.plan import RefinePlan

    return RefinePlan.of(wish.refine)


def _tell_words(mirror: Any, wanted: request.Request, say: Say, which: str) -> None:
    """Say which words of a prompt do not reach the model as words."""
    if unread := mirror.unread(wanted):
        say(
            f"{which}the prompt is longer than what the text encoder reads; these words are cut "
            "off: " + " ".join(unread)
        )
    if unknown := mirror.unknown(wanted):
        known = mirror.known_words
        say(
            f"{which}the text encoder does not know these words and reads them letter by letter: "
            + ", ".join(unknown)
            + (f"; all that it knows: {', '.join(known)}" if known else "")
        )


def _notes(mirror: Any, wanted: Sequence[request.Request], references: Any) -> list[str]:
    """What a server would reply to each shot, every sentence once."""
    return list(dict.fromkeys(note for one in wanted for note in mirror.notes(one, references)))


def _arguments(
    shown: asked.Photographs, consent: dict[str, str], wish: Wish, wanted: request.Request
) -> Arguments:
    """What was asked for, with the values that were left to the release."""
    return Arguments(
        prompt=wish.prompts[0] if len(wish.prompts) == 1 else list(wish.prompts),
        references=[str(path.resolve()) for path in shown.paths],
        consent=consent,
        adapter=_lasting(wish.adapter),
        facepack=None if wish.facepack is None else str(wish.facepack.resolve()),
        numbers=fields.recorded(wanted),
        refine=wish.refine,
    )


def _seen(wish: Wish, look: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
    try:
        return look()
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
