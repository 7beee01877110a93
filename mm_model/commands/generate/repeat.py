"""A recorded clip once more, by the method that made it; the bytes are compared."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from mm_model.commands.generate import consisid, ending, place, sidecar, subject, work
from mm_model.commands.generate.ending import Say
from mm_model.commands.generate.subject import SubjectPlaces
from mm_model.errors import UserError
from mm_model.methods.kinds import CONSISID, SUBJECT
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout


@dataclass(frozen=True)
class Moved:
    """Where the recorded photographs, or subject and weights, lie now; nothing where they did."""

    references: tuple[Path, ...]
    places: SubjectPlaces

    def refuse_unused(self, method: str) -> None:
        """Raises `UserError` where something is named that the clip was not made of."""
        where = self.places
        learned: Document = {
            "subject": where.subject,
            "weights": where.weights,
            "motion": where.motion,
            "lora": where.lora,
        }
        if method == CONSISID:
            del learned["weights"]
        unused = {"ref": self.references or None} if method == SUBJECT else learned
        for option, given in unused.items():
            if given is not None:
                raise UserError(f"The clip was made without --{option}: leave it out.")


def again(
    layout: Layout, record: Path, moved: Moved, target: Path | None, *, force: bool, say: Say
) -> bool:
    """Make the clip of a record once more and say whether its bytes came out equal.

    The clip is written to `target` only where one is given.

    Raises:
        UserError: the record cannot be read, or as `work.again` and `subject.again`.
    """
    with contextlib.ExitStack() as kept:
        kept.enter_context(
            ending.no_clip("its record stays as it is and the same command makes it")
        )
        before = sidecar.read(record)
        moved.refuse_unused(before.method)
        if target is not None:
            place.refuse_kind(target, before.kind)
            kept.enter_context(place.kept_free(place.of(target, before.arguments.prompts), force))
        if before.method == SUBJECT:
            return subject.again(layout, before, moved.places, target=target, force=force, say=say)
        if before.method == CONSISID:
            weights = moved.places.weights
            parts = consisid.ConsisWish(moved.references, weights=weights)
            return consisid.again(layout, before, parts, target=target, force=force, say=say)
        return work.again(layout, before, moved.references, target=target, force=force, say=say)
