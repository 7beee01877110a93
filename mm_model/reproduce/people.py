"""Drawn people as training sees them: latents, words and references, encoded once and kept.

The truth about a drawn face (box, landmarks) stands in for the detector, so nothing is rejected and
a few seconds suffice for hundreds of people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mm_model.diffusion.face_mask import latent_face_mask
from mm_model.embedded.people.action import ACTIONS, describe
from mm_model.embedded.people.caption import caption
from mm_model.embedded.people.clips import clip, photograph
from mm_model.embedded.people.people import Person, person
from mm_model.embedded.people.render import Frame
from mm_model.embedded.people.shot import shot
from mm_model.facepack.port import Face
from mm_model.generation.backbone import Backbone
from mm_model.generation.clips import features_of
from mm_model.generation.frames import to_tensor
from mm_model.nn.cogvideox import folded_vae
from mm_model.nn.identity.portrait import Photograph
from mm_model.nn.identity.prompt import encode_prompts, encode_text
from mm_model.precompute.sample import MAX_REFERENCES, TrainingSample
from mm_model.progress import each
from mm_model.reproduce.worlds import World
from mm_model.store import atomic, digests, sealed

SIZE = 64
"""Side in pixels of what is learned; references are drawn at twice of it."""

MARGIN = 1.6
"""Side of a reference portrait in face heights, as in the embedded default."""

_STREAM = 0xF8
_TOGETHER = 16


@dataclass(frozen=True)
class DrawnCrowd:
    """Whom to draw: `each` targets of `frames` frames of every person, in one world.

    Everybody has two reference photographs, which are drawn as they are in every world.
    """

    first: int
    people: int
    each: int
    frames: int
    world: World

    def origin(self, backbone: Backbone) -> str:
        """Names the samples: who is drawn, and by which weights they were encoded."""
        return digests.of_value([asdict(self), weights_of(backbone)])


def weights_of(backbone: Backbone) -> str:
    """Digest of what says which weights a backbone folder holds."""
    return digests.of_file(backbone.folder / "manifest.json")


def encoded(crowd: DrawnCrowd, backbone: Backbone, path: Path) -> list[TrainingSample]:
    """The samples of a crowd in the order of its people; taken from `path` where they lie there."""
    origin = crowd.origin(backbone)
    if sealed.flaw(path, origin):
        made = list(_samples(crowd, backbone))
        stacked = {f.name: torch.stack([getattr(s, f.name) for s in made]) for f in fields(made[0])}
        with atomic.written_aside(path) as aside:
            save_file({name: value.contiguous() for name, value in stacked.items()}, aside)
            sealed.seal(path, origin, aside)
    return unpacked(load_file(path))


def unpacked(stacked: dict[str, Tensor]) -> list[TrainingSample]:
    """The samples whose fields lie stacked in `stacked`."""
    number = len(stacked["mean"])
    return [TrainingSample(**{k: v[i] for k, v in stacked.items()}) for i in range(number)]


def empty_text(backbone: Backbone) -> Tensor:
    """T5's output `[L,D]` for a dropped prompt."""
    return _texts(backbone, "", (0,))[0][0]


def references_of(seed: int) -> list[Photograph]:
    """Two photographs of the person of this seed."""
    rng = np.random.default_rng([_STREAM, seed])
    drawn = [photograph(person(seed), rng, 2 * SIZE) for _ in range(MAX_REFERENCES)]
    return [Photograph(one.image, Face(one.box, 1.0, one.landmarks)) for one in drawn]


def target_of(crowd: DrawnCrowd, seed: int, number: int) -> tuple[np.ndarray, list[Frame], str]:
    """Frames `[F,H,W,3]` of a person's target as its world shows them, the truth, the caption."""
    rng = np.random.default_rng([_STREAM, seed, 1 + number])
    who = person(seed)
    if crowd.frames == 1:
        truth, words = [photograph(who, rng, SIZE)], ""
        words = describe(truth[0].pose)
    else:
        words = str(rng.choice(list(ACTIONS)))
        drawn = clip(who, words, shot(rng), num_frames=crowd.frames, size=SIZE, rng=rng)
        truth = [drawn.faces[index] for index in crowd.world.order(crowd.frames)]
    frames = crowd.world.shown(np.stack([one.image for one in truth]))
    return frames, truth, caption(who, words)


def _samples(crowd: DrawnCrowd, backbone: Backbone) -> Iterator[TrainingSample]:
    seeds = range(crowd.first, crowd.first + crowd.people)
    for seed in each(seeds, len(seeds), f"draw and encode, {crowd.world.name}"):
        seen = features_of(backbone, [references_of(seed)], MARGIN)
        drawn = [target_of(crowd, seed, number) for number in range(crowd.each)]
        pixels = torch.stack([to_tensor(frames) for frames, _, _ in drawn])
        mean, logvar = _moments(backbone, pixels)
        for place, (_, truth, words) in enumerate(drawn):
            text, mask = _texts(backbone, words, tuple(range(1, MAX_REFERENCES + 1)))
            boxes = torch.from_numpy(np.stack([one.box for one in truth]))
            there = torch.ones(len(boxes), dtype=torch.bool)
            latent = (mean.shape[-2], mean.shape[-1])
            cells = latent_face_mask(boxes, there, latent, backbone.latent_factor)
            yield TrainingSample(
                mean=mean[place],
                logvar=logvar[place],
                mask=cells.bool(),
                landmarks=torch.from_numpy(truth[0].landmarks),
                box=boxes[0],
                text=text,
                text_mask=mask,
                x_id=seen.x_id[0],
                clip_tokens=seen.clip_tokens[0],
                embeddings=_vectors(seen.embedding)[0],
            )


def _vectors(embedding: Tensor | None) -> Tensor:
    if embedding is None:
        raise ValueError("the features carry no vectors of the recogniser")
    return embedding


@torch.no_grad()
def _moments(backbone: Backbone, pixels: Tensor) -> tuple[Tensor, Tensor]:
    parts = [folded_vae.encode_posterior(backbone.vae, some) for some in pixels.split(_TOGETHER)]
    mean, logvar = (torch.cat(found).transpose(1, 2) for found in zip(*parts, strict=True))
    return mean, logvar


def _texts(backbone: Backbone, words: str, counts: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """T5's output `[V,L,D]` and places `[V,L]` of a caption, for each number of references."""
    captions = [words] * len(counts)
    ids, mask = encode_prompts(backbone.tokenizer, captions, counts, backbone.text_length)
    return encode_text(backbone.text_encoder, ids).float(), mask


def category(seed: int) -> str:
    """The word for the person of this seed."""
    who: Person = person(seed)
    return who.category
