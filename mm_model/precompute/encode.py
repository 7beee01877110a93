"""Samples of targets, in batches: what VAE, T5, CLIP and the face recogniser say of them.

What several targets of a shard share (a caption, a reference) is computed once. T5 always sees the
full length, padding too and no mask, as CogVideoX runs it: a shorter padding would give other
numbers, so texts are not sorted into lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_model.diffusion.face_mask import latent_face_mask
from mm_model.generation.backbone import Backbone
from mm_model.generation.clips import Size, together
from mm_model.generation.frames import TrainingFrames, to_tensor, training_frames
from mm_model.generation.reference_book import ReferenceBook
from mm_model.nn.cogvideox import folded_vae
from mm_model.nn.identity.prompt import encode_prompts, encode_text
from mm_model.precompute.sample import TrainingSample, words_of
from mm_model.precompute.wanted import Target, TargetFacts
from mm_model.settings import ModelSettings, PrecomputeSettings

_ENCODE_BATCH = 16

Wording = tuple[str, int]
"""A caption, and the number of references that its class word stands for."""


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Turns targets into samples of `num_frames` frames."""

    backbone: Backbone
    book: ReferenceBook
    known: TargetFacts
    sizes: ModelSettings
    rules: PrecomputeSettings
    num_frames: int

    @property
    def dtype(self) -> torch.dtype:
        """What latents, texts and features are kept in."""
        return getattr(torch, self.rules.dtype)

    def samples(self, targets: Sequence[Target]) -> list[TrainingSample]:
        """A sample for each target.

        Raises:
            UserError: a file cannot be read, or a reference is not in the table of references.
        """
        keys = list(dict.fromkeys(key for one in targets for key in one.references))
        features = self.book.features(keys, self.sizes.reference_margin)
        places = {key: place for place, key in enumerate(keys)}
        captions = [str(self.known.row(one)["caption"]) for one in targets]
        wordings = [
            [(caption, count) for count in words_of(len(one.references))]
            for one, caption in zip(targets, captions, strict=True)
        ]
        texts = self._texts(list(dict.fromkeys(w for own in wordings for w in own)))
        made = []
        for target, own, pixels in zip(targets, wordings, self._pixels(targets), strict=True):
            rows = [places[key] for key in target.references]
            made.append(
                TrainingSample(
                    **pixels,
                    text=torch.stack([texts[w][0] for w in own]).to(self.dtype),
                    text_mask=torch.stack([texts[w][1] for w in own]),
                    x_id=features["x_id"][rows].to(self.dtype),
                    clip_tokens=features["clip_tokens"][rows].to(self.dtype),
                    embeddings=features["embeddings"][rows],
                )
            )
        return made

    def empty_text(self) -> Tensor:
        """T5's output `[L,D]` for the empty prompt, which stands for a dropped one."""
        return self._texts([("", 0)])["", 0][0].to(self.dtype)

    def _pixels(self, targets: Sequence[Target]) -> list[dict[str, Tensor]]:
        most = together(Size.of(self.sizes, self.num_frames), _ENCODE_BATCH)
        found: list[dict[str, Tensor]] = []
        for start in range(0, len(targets), most):
            found += self._encoded([self._frames(one) for one in targets[start : start + most]])
        return found

    def _frames(self, target: Target) -> TrainingFrames:
        known = self.known
        row, track = known.row(target), known.track(target)
        return training_frames(known.file(target), row, track, self.sizes, self.num_frames)

    @torch.no_grad()
    def _encoded(self, samples: Sequence[TrainingFrames]) -> list[dict[str, Tensor]]:
        backbone = self.backbone
        pixels = torch.stack([to_tensor(one.frames) for one in samples])
        found = folded_vae.encode_posterior(
            backbone.vae, pixels.to(backbone.device, backbone.dtype)
        )
        mean, logvar = (part.transpose(1, 2).to("cpu", self.dtype) for part in found)
        return [
            {
                "mean": mean[place],
                "logvar": logvar[place],
                "mask": self._mask(one.boxes, tuple(mean.shape[-2:])),
                "landmarks": torch.from_numpy(np.array(one.landmarks[0])).float(),
                "box": torch.from_numpy(np.array(one.boxes[0])).float(),
            }
            for place, one in enumerate(samples)
        ]

    def _mask(self, boxes: np.ndarray, latent_size: tuple[int, int]) -> Tensor:
        there = torch.ones(len(boxes), dtype=torch.bool)
        cells = torch.from_numpy(boxes).float()
        return latent_face_mask(cells, there, latent_size, self.backbone.latent_factor).bool()

    def _texts(self, wordings: Sequence[Wording]) -> dict[Wording, tuple[Tensor, Tensor]]:
        """T5's output `[L,D]` (float32) and the places `[L]` of the class word, of each wording."""
        backbone = self.backbone
        found: dict[Wording, tuple[Tensor, Tensor]] = {}
        for start in range(0, len(wordings), self.rules.text_batch):
            part = wordings[start : start + self.rules.text_batch]
            captions, counts = [w[0] for w in part], [w[1] for w in part]
            ids, masks = encode_prompts(backbone.tokenizer, captions, counts, backbone.text_length)
            said = encode_text(backbone.text_encoder, ids).float().cpu()
            found |= dict(zip(part, zip(said, masks, strict=True), strict=True))
        return found
