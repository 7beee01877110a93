"""The tokens of a drawn subject, learned for a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mm_model.embedded.objects.things import Pictured
from mm_model.progress import Steps
from mm_model.vcd import learn

if TYPE_CHECKING:
    from mm_model.settings.subject import SubjectSettings
    from mm_model.vcd.cogvideox import CogVideoX


@dataclass(frozen=True, eq=False)
class TokenLearning:
    """By what a study learns: `base` and its `digest`, values and the seed."""

    base: CogVideoX
    digest: str
    values: SubjectSettings
    seed: int

    def learned(
        self,
        subject: tuple[str, str],
        shown: Sequence[Pictured],
        work: Path,
        *,
        title: str,
        masked: bool = True,
    ) -> learn.Learned:
        """The tokens of a `subject` (name, class word) from photographs with their true masks, or
        from all that they show. Goes on from `work` where it was cut off; `title` is told.
        """
        photos = tuple(
            learn.SubjectPhoto(one.image, one.mask if masked else np.ones(one.mask.shape, bool))
            for one in shown
        )
        with Steps(title) as steps:
            return learn.learn(
                self.base,
                learn.SubjectToLearn(*subject, photos),
                self.values,
                seed=self.seed,
                work=work,
                base_digest=self.digest,
                say=print,
                on_step=steps.told,
            )
