"""A last phase for the VAE's decoder alone, on latents that no longer change.

The DiT depends on the encoder only, so the decoder may go on learning motion while the DiT trains.
The encoder is never touched: latents, scaling factor and DiT stay valid.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mm_model.embedded.training.backbone import latents as latent_cache
from mm_model.embedded.training.backbone import pixels, render, vae
from mm_model.embedded.training.backbone.loop import Training, freeze, generator, rounded, run
from mm_model.embedded.training.backbone.recipe import SIZE, DecoderRecipe, VaeRecipe, digest
from mm_model.nn.cogvideox import folded_vae

if TYPE_CHECKING:
    from diffusers import AutoencoderKLCogVideoX

    from mm_model.nn.identity.face_recognizer import FaceRecognizer

_STREAM = 0xDEC


class DecoderLoss:
    """The loss of one part of a step's batch, from cached latents to cached frames."""

    def __init__(
        self,
        model: AutoencoderKLCogVideoX,
        cache: Path,
        latents: Path,
        *,
        recipe: DecoderRecipe,
        weights: VaeRecipe,
        recognizer: FaceRecognizer,
    ) -> None:
        self.model, self.recipe, self.weights = model, recipe, weights
        self.recognizer = recognizer
        self.cache_folder, self.latent_folder = cache, latents
        self._cache: render.Cache | None = None
        self._latents: latent_cache.LatentCache | None = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_cache": None, "_latents": None}

    @property
    def cache(self) -> render.Cache:
        """The cache, opened when it is first looked at."""
        if self._cache is None:
            self._cache = render.open_cache(self.cache_folder)
        return self._cache

    @property
    def latents(self) -> latent_cache.LatentCache:
        """The encoded cache, opened when it is first looked at."""
        if self._latents is None:
            self._latents = latent_cache.open_latents(self.latent_folder)
        return self._latents

    def __call__(self, step: int, part: int, parts: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng([_STREAM, self.recipe.seed, step, part])
        noise = generator(_STREAM, self.recipe.seed, step, part)
        clips, figures = self._part("clips", self.recipe.clips // parts, rng, noise)
        pictures, more = self._part("pictures", self.recipe.pictures // parts, rng, noise)
        named = {f"clip_{name}": value for name, value in figures.items()}
        return clips + 0.5 * pictures, {**more, **named}

    def _part(
        self, kind: str, batch: int, rng: np.random.Generator, noise: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        source = getattr(self.latents, kind)
        chosen = np.sort(rng.choice(len(source), batch, replace=False))
        z = torch.from_numpy(source[chosen].astype(np.float32)).movedim(2, 1)
        amount = self.recipe.noise * rng.random() * (rng.random() < 0.5)
        z = z + amount * torch.randn(z.shape, generator=noise)
        again = folded_vae.decode(self.model, z / self.model.config.scaling_factor)
        if kind == "pictures":
            chosen = chosen * latent_cache.PICTURE_STRIDE
        frames = np.asarray(self.cache[kind][chosen]).reshape(-1, SIZE, SIZE, 3)
        boxes = np.asarray(self.cache[f"{kind}_boxes"][chosen]).reshape(-1, 4)
        flat = again.movedim(2, 1).flatten(0, 1)
        mask = pixels.box_mask(boxes, SIZE, 0.1)
        goal = pixels.to_tensor(frames)
        value, figures = vae.loss(flat, goal, mask, torch.zeros(()), self.weights)
        marks = np.asarray(self.cache[f"{kind}_landmarks"][chosen]).reshape(-1, 5, 2)
        shown = np.sort(rng.choice(len(flat), batch, replace=False))
        unlike = vae.unlike(self.recognizer, flat[shown], goal[shown], marks[shown])
        figures["unlike"] = float(unlike.detach())
        return value + self.recipe.likeness_weight * unlike, figures


def train_decoder(
    model: AutoencoderKLCogVideoX,
    cache: Path,
    latents: Path,
    folder: Path,
    *,
    recipe: DecoderRecipe,
    weights: VaeRecipe,
    recognizer: FaceRecognizer,
    stop: int | None = None,
    checkpoint_every: int = 100,
) -> Training:
    """Train (or go on) up to `stop`; afterwards `model` holds the averaged decoder.

    The loss is that of the VAE's recipe `weights`, with likeness to the frozen `recognizer`.
    """
    name = digest(recipe, weights, {"latents": latent_cache.open_latents(latents).digest})
    model.decoder.requires_grad_(True)
    training = Training.create({"decoder": model.decoder}, recipe.optimisation, name)
    loss_of = DecoderLoss(
        model, cache, latents, recipe=recipe, weights=weights, recognizer=recognizer
    )
    run(training, loss_of, folder, "decoder", stop=stop, checkpoint_every=checkpoint_every)
    model.decoder.load_state_dict(training.averages["decoder"].state_dict())
    freeze(rounded(model.decoder))
    return training
