"""How making a clip ends, whatever makes it: encoded, written whole, compared, or not at all."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.commands.generate import interrupt, place
from mm_model.commands.generate.place import FinishedClip
from mm_model.commands.generate.sidecar import MadeKind, Sidecar
from mm_model.errors import UserError, of_machine
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    import numpy as np

Say = Callable[[str], None]


@contextlib.contextmanager
def no_clip(otherwise: str) -> Iterator[None]:
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


def encoded(
    takes: Sequence["np.ndarray"], kind: MadeKind, fps: int
) -> tuple[bytes, tuple[bytes, ...]]:
    """The file and those of its shots, if there are several: clips one after another, pictures side
    by side.
    """
    import numpy as np

    from mm_model.media.encode import mp4_bytes, png_bytes

    if kind is MadeKind.PICTURE:
        each = tuple(png_bytes(take[0]) for take in takes)
        whole = each[0] if len(takes) == 1 else png_bytes(np.concatenate([t[0] for t in takes], 1))
    else:
        each = tuple(mp4_bytes(take, fps) for take in takes)
        whole = each[0] if len(takes) == 1 else mp4_bytes(np.concatenate(takes), fps)
    return whole, each if len(takes) > 1 else ()


def kept(made: FinishedClip, target: Path, force: bool, say: Say) -> Path:
    """Write clip, shots and record; where somebody wrote them meanwhile, beside those."""
    chosen_place = place.of(target, made.said.arguments.prompts)
    free = chosen_place if force else chosen_place.free()
    if free != chosen_place:
        say(f"{target} was written by somebody else meanwhile and stays as it is")
    place.write(made, free)
    for number, path in enumerate(free.each, start=1):
        say(f"shot {number}: {path}")
    return free.target


def refuse_other_parts(before: Sidecar, digests: Mapping[str, str], values: Document) -> None:
    """Raises `UserError` where a part or a value of the model is not the recorded one."""
    for name, digest in before.digests.items():
        if name != "code" and digests.get(name) != digest:
            raise UserError(
                f"The {name} is not the one that made the clip ({digest[:12]} then, "
                f"{str(digests.get(name))[:12]} now): put it back to make the same clip again."
            )
    for name, value in before.values.items():
        if values.get(name) != value:
            raise UserError(
                f"The clip was made with {name} {value}, which is {values.get(name)} now: set it "
                "back in the profile to make the same clip again."
            )


def same_parts(before: Sidecar, digests: Mapping[str, str], values: Document) -> bool:
    """Whether parts and values of the model are the recorded ones; the code may be another."""
    try:
        refuse_other_parts(before, digests, values)
    except UserError:
        return False
    return before.digests.keys() - {"code"} == digests.keys() - {"code"}


def compared(before: Sidecar, now: Sidecar, say: Say) -> bool:
    """Say whether the bytes came out equal.

    Raises:
        UserError: they differ although code, versions and hardware are the same.
    """
    equal = (before.video_sha256, before.shots_sha256) == (now.video_sha256, now.shots_sha256)
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
