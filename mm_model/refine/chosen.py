"""Which redrawer an animator of a learned subject makes."""

from __future__ import annotations

from mm_model.refine.animated import AnimatedRedrawer
from mm_model.refine.port import Redrawer
from mm_model.vcd.animate import Animator, Take
from mm_model.vcd.cog_clips import CogAnimator
from mm_model.vcd.showing import SubjectAnimator
from mm_model.vcd.tokens import IdTokens


def redrawer_of(animator: SubjectAnimator, asked: Take, tokens: IdTokens | None) -> Redrawer:
    """What redraws clips with the animator's networks; without `tokens`, by the prompt alone.

    Raises:
        UserError: the tokens do not fit the networks or the prompt.
        TypeError: an animator of another family.
    """
    if isinstance(animator, Animator):
        return AnimatedRedrawer(animator, asked, tokens)
    if isinstance(animator, CogAnimator):
        from mm_model.refine import cog

        heard = cog.of_tokens(animator.base, asked, tokens)
        return cog.CogRedrawer(animator.pipe, asked, heard)
    raise TypeError(f"{type(animator).__name__} redraws nothing")
