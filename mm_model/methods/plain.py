"""The backbone alone behind the port: what every method is compared with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mm_model.errors import UserError
from mm_model.generation.clips import Sampling
from mm_model.methods.port import KINDS, Description, Enrolled, Shot
from mm_model.methods.shots import groups, made, share
from mm_model.nn.identity.portrait import Photograph
from mm_model.progress import OnStep
from mm_model.store import digests, documents
from mm_model.store.atomic import write_json

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline

NAME = "base"
_CARD = "subject.json"


@dataclass(frozen=True)
class Nobody:
    """A subject that no photograph says anything of."""

    kind: str = "person"

    @property
    def digest(self) -> str:
        """The same for all of one kind."""
        return digests.of_value([NAME, self.kind])

    def save(self, folder: Path) -> None:
        """Write the kind into `folder`."""
        write_json(folder / _CARD, {"method": NAME, "kind": self.kind})


class PlainBackbone:
    """The backbone alone: it answers a shot's prompt and shows nobody in particular."""

    def __init__(self, pipe: "MagicMirrorPipeline") -> None:
        self._pipe = pipe

    def describe(self) -> Description:
        """Takes any subject and uses none."""
        return Description(name=NAME, kinds=KINDS, most_subjects=0, most_references=0, tuned=False)

    def enroll(
        self, references: Sequence[Photograph], kind: str = "person", on_step: OnStep | None = None
    ) -> Nobody:
        """Nobody: the references are not looked at."""
        if on_step is not None:
            on_step(1, 1)
        return Nobody(kind)

    def restore(self, folder: Path) -> Nobody:
        """The subject that `Nobody.save` wrote.

        Raises:
            UserError: it is damaged, or another method enrolled it.
        """
        try:
            card = documents.read(folder / _CARD, "enrol the subject again")
        except OSError as error:
            raise UserError(f"{folder} holds no subject: enrol it again.") from error
        if card.get("method") != NAME or card.get("kind") not in KINDS:
            raise UserError(f"{folder} was enrolled by another method: enrol the subject again.")
        return Nobody(card["kind"])

    def generate(
        self,
        subjects: Sequence[Enrolled],
        shots: Sequence[Shot],
        sampling: Sampling,
        on_step: OnStep | None = None,
    ) -> Iterator[np.ndarray]:
        """Frames uint8 `[F,H,W,3]` of each shot's prompt, from the noise of its seed."""
        done, total = 0, len(shots)
        for group in groups(shots, sampling):
            yield from made(self._pipe, group, None, sampling, share(on_step, done, group, total))
            done += len(group)
