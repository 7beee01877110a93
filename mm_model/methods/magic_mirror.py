"""Magic Mirror behind the port: one person a shot, from one to four photographs, without tuning.

Enrolling runs the frozen encoders once; what the adapter makes of their features follows with each
shot, so that one enrolled subject serves every adapter that was trained with the same encoders.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from mm_model.errors import UserError
from mm_model.generation.clips import Sampling
from mm_model.generation.references import batch_references, inputs_of
from mm_model.methods.port import Description, Enrolled, Shot
from mm_model.methods.shots import groups, made, share
from mm_model.nn.identity.portrait import Photograph
from mm_model.nn.identity.subject import MOST_REFERENCES
from mm_model.nn.injection.condition import IdentityCondition, IdentityFeatures
from mm_model.progress import OnStep
from mm_model.store import digests
from mm_model.store.atomic import Document, publish_folder, write_bytes, write_json

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline

NAME = "magic-mirror"
_TENSORS, _CARD = "features.safetensors", "subject.json"


@dataclass(frozen=True, eq=False)
class EnrolledPerson:
    """What the frozen encoders say of one person; `made_by` names them and the portrait's margin.

    `tensors`: `x_id [R,2,D]`, `clip_tokens [R,P,C]`, `embedding [R,E]` of R references.
    """

    tensors: dict[str, torch.Tensor]
    made_by: Document
    kind: str = "person"

    @property
    def digest(self) -> str:
        """Over the tensors and who made them."""
        return digests.of_value([self.kind, self.made_by, digests.of_bytes(save(self.tensors))])

    def save(self, folder: Path) -> None:
        """Write tensors and card into `folder`, whole or not at all."""
        aside = folder.with_name(f".{folder.name}.aside")
        content = save(self.tensors)
        write_bytes(aside / _TENSORS, content)
        card = {"method": NAME, "kind": self.kind, "made_by": self.made_by}
        write_json(aside / _CARD, card | {"tensors": digests.of_bytes(content)})
        publish_folder(aside, folder)


class MagicMirror:
    """The method over a loaded pipeline with an adapter; modules are shared with its owner."""

    def __init__(self, pipe: "MagicMirrorPipeline") -> None:
        if pipe.adapter is None or pipe.identity_encoder is None:
            raise UserError("Magic Mirror needs an adapter and an identity encoder: load both.")
        self._pipe = pipe

    def describe(self) -> Description:
        """One person a shot, nothing tuned."""
        return Description(
            name=NAME,
            kinds=("person",),
            most_subjects=1,
            most_references=MOST_REFERENCES,
            tuned=False,
            weights={"recognizer": str(self._made_by()["recognizer"])},
        )

    @cached_property
    def _encoder(self) -> str:
        """Digest of all frozen weights that look at a photograph; read once."""
        tensors = self._pipe.identity_encoder.state_dict().items()
        return digests.of_value([(name, _digest(tensor)) for name, tensor in sorted(tensors)])

    def _made_by(self) -> Document:
        config, encoder = self._pipe.adapter.config, self._pipe.identity_encoder
        return {
            "encoder": self._encoder,
            "recognizer": encoder.recognizer_sha256,
            "reference_margin": config.reference_margin,
            "image_size": encoder.image_size,
        }

    @torch.no_grad()
    def enroll(
        self, references: Sequence[Photograph], kind: str = "person", on_step: OnStep | None = None
    ) -> EnrolledPerson:
        """Frozen features of one person's references, each cut as the adapter was trained.

        Raises:
            UserError: no reference, more than four, or a subject that is no person.
        """
        if kind != "person":
            raise UserError(f"Magic Mirror shows people; it cannot enrol a subject of kind {kind}.")
        if not 1 <= len(references) <= MOST_REFERENCES:
            raise UserError(
                f"{len(references)} references were given: give one to {MOST_REFERENCES}."
            )
        pipe = self._pipe
        encoder, margin = pipe.identity_encoder, pipe.adapter.config.reference_margin
        inputs = inputs_of(references, margin, encoder.image_size)
        found = encoder.features(*batch_references([inputs], encoder.embed))
        found = found.to(pipe._execution_device, pipe.transformer.dtype)
        if on_step is not None:
            on_step(1, 1)
        tensors = {"x_id": found.x_id[0], "clip_tokens": found.clip_tokens[0]}
        if found.embedding is not None:
            tensors["embedding"] = found.embedding[0]
        return EnrolledPerson({k: v.contiguous() for k, v in tensors.items()}, self._made_by())

    @torch.no_grad()
    def identity(self, subject: EnrolledPerson) -> IdentityCondition:
        """What the adapter makes of an enrolled person, for who runs the pipeline's steps."""
        found = _stacked([subject]).to(self._pipe._execution_device, self._pipe.transformer.dtype)
        return self._pipe.adapter.encode_identity(found)

    def restore(self, folder: Path) -> EnrolledPerson:
        """A person that `EnrolledPerson.save` wrote.

        Raises:
            UserError: a file is missing or damaged, or other encoders made it.
        """
        again = "enrol the photographs again"
        try:
            card = json.loads((folder / _CARD).read_bytes())
            content = (folder / _TENSORS).read_bytes()
            if digests.of_bytes(content) != card["tensors"]:
                raise ValueError("digest")
            tensors, kind, made_by = load(content), str(card["kind"]), dict(card["made_by"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise UserError(f"{folder} holds no whole subject: {again}.") from error
        if card.get("method") != NAME or made_by != self._made_by():
            raise UserError(f"{folder} was enrolled by another method or other encoders: {again}.")
        return EnrolledPerson(tensors, made_by, kind)

    def generate(
        self,
        subjects: Sequence[Enrolled],
        shots: Sequence[Shot],
        sampling: Sampling,
        on_step: OnStep | None = None,
    ) -> Iterator[np.ndarray]:
        """Frames uint8 `[F,H,W,3]` of each shot; shots of one size are made together.

        Raises:
            UserError: a shot holds no subject, several, or one of other encoders.
        """
        people: dict[int, EnrolledPerson] = {}
        for shot in shots:
            if len(shot.subjects) != 1:
                raise UserError(
                    f"Magic Mirror shows one person a shot, not {len(shot.subjects)}: make a shot "
                    "for each."
                )
            place = shot.subjects[0]
            subject = subjects[place]
            if not isinstance(subject, EnrolledPerson):
                raise UserError("The subject was enrolled by another method: enrol it again.")
            if subject.made_by != self._made_by():
                raise UserError("The subject was enrolled by other encoders: enrol it again.")
            people[place] = subject
        return self._frames(people, shots, sampling, on_step)

    def _frames(
        self,
        people: Mapping[int, EnrolledPerson],
        shots: Sequence[Shot],
        sampling: Sampling,
        on_step: OnStep | None,
    ) -> Iterator[np.ndarray]:
        pipe, done, total = self._pipe, 0, len(shots)
        for group in groups(shots, sampling):
            found = _stacked([people[shot.subjects[0]] for shot in group])
            found = found.to(pipe._execution_device, pipe.transformer.dtype)
            yield from made(pipe, group, found, sampling, share(on_step, done, group, total))
            done += len(group)


def _digest(tensor: torch.Tensor) -> str:
    """Digest of a tensor's bytes; one that offloading took away is told from every other."""
    if tensor.is_meta:
        return "offloaded"
    content = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    return digests.of_pixels(content.numpy(), str(tensor.dtype), str(list(tensor.shape)))


def _stacked(people: Sequence[EnrolledPerson]) -> IdentityFeatures:
    """Rows of one batch, padded with masked references to the most that anyone has."""
    counts = [len(person.tensors["x_id"]) for person in people]
    most = max(counts)

    def rows(name: str) -> torch.Tensor:
        parts = [person.tensors[name] for person in people]
        return torch.stack(
            [torch.cat([p, p.new_zeros(most - len(p), *p.shape[1:])]) for p in parts]
        )

    mask = torch.tensor([[k < count for k in range(most)] for count in counts])
    known = "embedding" in people[0].tensors
    return IdentityFeatures(
        rows("x_id"),
        rows("clip_tokens"),
        mask.to(people[0].tensors["x_id"].device),
        rows("embedding") if known else None,
    )
