"""Clips drawn again with the identity of photographs, by the model that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.commands.generate import asked
from mm_model.commands.generate.model import CHAMPION, Choice, chosen
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout

if TYPE_CHECKING:
    import numpy as np

    from mm_model.refine.plan import RefinedClip, RefinePlan
    from mm_model.serving.gate import AdmittedReference
    from mm_model.serving.mirror import Mirror
    from mm_model.serving.request import Request


def redrawn(
    choice: Choice,
    mirror: Mirror,
    plan: RefinePlan,
    references: tuple[AdmittedReference, ...],
    clips: Sequence[tuple[Request, np.ndarray]],
) -> list[RefinedClip]:
    """Each clip, frames uint8 `[F,H,W,3]`, by its request's prompt, seed and numbers, as the person
    of `references`. Faces in the clips are found by the model's own pack and rules.

    Raises:
        Refusal: a consent cannot be recorded.
        UserError: a clip has more frames than the backbone makes.
    """
    from mm_model.refine import cog
    from mm_model.refine.finding import finder
    from mm_model.refine.plan import refined
    from mm_model.vcd.animate import Take

    config = choice.config
    find = finder(choice.folders["facepack"], config.detection, config.threads)

    def work(pipe: Any, identity: Any) -> list[RefinedClip]:
        found = []
        for wanted, frames in clips:
            take = Take(
                wanted.prompt,
                wanted.seed,
                steps=wanted.steps,
                guidance=wanted.guidance,
                gamma=wanted.gamma,
            )
            heard = cog.of_identity(pipe, take, identity, config.face_guidance)
            found.append(refined(frames, plan, cog.CogRedrawer(pipe, take, heard), find))
        return found

    return mirror.with_identity(clips[0][0], references, work)


@dataclass(frozen=True)
class PhotoOrder:
    """As whom to redraw, by which model (None: the champion). values: fields of a request, beside
    prompt and pictures; consent: as `--consent` has it.
    """

    references: tuple[Path, ...]
    prompt: str
    consent: str | None
    adapter: str | None
    facepack: Path | None
    values: Document


def by_photographs(
    layout: Layout, order: PhotoOrder
) -> Callable[[RefinePlan, np.ndarray], RefinedClip]:
    """What redraws frames uint8 `[F,H,W,3]` as the person of photographs; nothing is loaded yet.

    Raises:
        UserError: the model or a photograph is not there, or nothing agrees to its use.
        Refusal: the request would not be served.
    """
    from mm_model.serving import request

    choice = chosen(layout, order.adapter or CHAMPION, order.facepack)
    config = choice.config
    shown = asked.photographs(order.references, config.serve)
    consent = asked.consent_of(shown, order.consent)
    record = asked.record_of(shown, consent, order.prompt, order.values)
    read = request.read(record, config.serve, config.num_frames)

    def redraw(plan: RefinePlan, frames: np.ndarray) -> RefinedClip:
        mirror = choice.load(before=lambda admit: admit(read.references))
        wanted = mirror.read(record)
        (made,) = redrawn(choice, mirror, plan, mirror.look(wanted), [(wanted, frames)])
        return made

    return redraw
