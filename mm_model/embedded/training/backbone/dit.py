"""Training of the tiny `CogVideoXTransformer3DModel` with its text encoder, without any identity.

v-prediction on cached latents of pictures and clips under captions of class word and action. The
identity adapter is none of its business; only the class word's repetition of identity prompts is
shown to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mm_model.diffusion.face_mask import latent_face_mask
from mm_model.diffusion.schedule import NoiseSchedule, build_scheduler
from mm_model.embedded.people import people
from mm_model.embedded.training.backbone import latents as latent_cache
from mm_model.embedded.training.backbone import render, text
from mm_model.embedded.training.backbone.loop import Training, generator, run
from mm_model.embedded.training.backbone.recipe import FRAMES, SIZE, DitRecipe, digest
from mm_model.nn.cogvideox.rotary import rotary_table

if TYPE_CHECKING:
    from diffusers import CogVideoXTransformer3DModel
    from transformers import T5EncoderModel

_STREAM = 0xD17


def build_transformer(recipe: DitRecipe, latent_channels: int) -> CogVideoXTransformer3DModel:
    """A seeded random DiT; output and gates as the class initialises them."""
    from diffusers import CogVideoXTransformer3DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = CogVideoXTransformer3DModel(
            num_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            attention_head_dim=recipe.head_dim,
            in_channels=latent_channels,
            out_channels=latent_channels,
            time_embed_dim=recipe.time_dim,
            text_embed_dim=recipe.text.d_model,
            patch_size=recipe.patch,
            sample_width=SIZE // 8,
            sample_height=SIZE // 8,
            sample_frames=FRAMES,
            max_text_seq_length=recipe.text.max_length,
            use_rotary_positional_embeddings=True,
        )
        _start_quiet(model)
    return model


def _start_quiet(model: CogVideoXTransformer3DModel) -> None:
    """adaLN-Zero start: every block begins as the identity, the output as zero (design choice)."""
    for block in model.transformer_blocks:
        for norm in (block.norm1, block.norm2):
            torch.nn.init.zeros_(norm.linear.weight)
            torch.nn.init.zeros_(norm.linear.bias)
    torch.nn.init.zeros_(model.proj_out.weight)
    torch.nn.init.zeros_(model.proj_out.bias)


class DitLoss:
    """The v loss of one part of a step's batch; opens the latents by itself in every process."""

    def __init__(
        self,
        transformer: CogVideoXTransformer3DModel,
        text_encoder: T5EncoderModel,
        cache: Path,
        latents: Path,
        recipe: DitRecipe,
    ) -> None:
        self.transformer, self.text_encoder = transformer, text_encoder
        self.cache_folder, self.latent_folder, self.recipe = cache, latents, recipe
        self._cache: render.Cache | None = None
        self._opened = False

    def __getstate__(self) -> dict:
        keep = ("transformer", "text_encoder", "cache_folder", "latent_folder", "recipe")
        return {**{name: self.__dict__[name] for name in keep}, "_cache": None, "_opened": False}

    @property
    def cache(self) -> render.Cache:
        """The cache, opened when it is first looked at."""
        if self._cache is None:
            self._cache = render.open_cache(self.cache_folder)
        return self._cache

    def _open(self) -> None:
        self._opened = True
        self.latents = latent_cache.open_latents(self.latent_folder)
        self.tokenizer = text.make_tokenizer(self.recipe.text.max_length)
        self.schedule = NoiseSchedule.from_scheduler(build_scheduler("ddim"))
        config = self.transformer.config
        side = (SIZE // 8, SIZE // 8)
        self.rotary = {frames: rotary_table(config, frames, *side) for frames in (1, 3)}

    def __call__(self, step: int, part: int, parts: int) -> tuple[Tensor, dict[str, float]]:
        if not self._opened:
            self._open()
        recipe = self.recipe
        together = np.random.default_rng([_STREAM, recipe.seed, step])
        kind = "clips" if together.random() < recipe.clip_share else "pictures"
        batch = (recipe.clip_batch if kind == "clips" else recipe.image_batch) // parts
        rng = np.random.default_rng([_STREAM, recipe.seed, step, part])
        source = getattr(self.latents, kind)
        chosen = np.sort(rng.choice(len(source), batch, replace=batch > len(source)))
        x0 = torch.from_numpy(source[chosen].astype(np.float32))
        stride = latent_cache.PICTURE_STRIDE if kind == "pictures" else 1
        ids = self._ids(kind, chosen * stride, rng)
        noise_key = generator(_STREAM, recipe.seed, step, part, 1)
        timestep = self._timesteps(batch, noise_key)
        noise = torch.randn(x0.shape, generator=noise_key)
        predicted = self.transformer(
            hidden_states=self.schedule.add_noise(x0, noise, timestep),
            encoder_hidden_states=self.text_encoder(ids)[0],
            timestep=timestep,
            image_rotary_emb=self.rotary[x0.shape[1]],
            return_dict=False,
        )[0]
        error = (predicted - self.schedule.velocity(x0, noise, timestep)).square()
        weight = self._weight(kind, chosen * stride, x0.shape[1])
        plain = float(error.detach().mean())
        return (error * weight).mean(), {f"v_{kind}": plain}

    def _weight(self, kind: str, chosen: np.ndarray, frames: int) -> Tensor:
        """`[B,T,1,h,w]` with mean 1: `face_weight` where a face is, 1 elsewhere."""
        boxes = np.asarray(self.cache[f"{kind}_boxes"][chosen], np.float32)
        boxes = torch.from_numpy(boxes).reshape(len(chosen), -1, 4)
        known, side = torch.ones(boxes.shape[1], dtype=torch.bool), (SIZE // 8, SIZE // 8)
        masks = torch.stack([latent_face_mask(one, known, side) for one in boxes])
        weight = 1 + (self.recipe.face_weight - 1) * masks[:, :frames, None]
        return weight / weight.mean()

    def _timesteps(self, batch: int, noise_key: torch.Generator) -> Tensor:
        """Stratified uniform draws over all training timesteps: less noise in the gradient."""
        places = (torch.arange(batch) + torch.rand(batch, generator=noise_key)) / batch
        order = torch.randperm(batch, generator=noise_key)
        return (places[order] * len(self.schedule)).long().clamp(max=len(self.schedule) - 1)

    def _ids(self, kind: str, chosen: np.ndarray, rng: np.random.Generator) -> Tensor:
        captions, copies = [], []
        for index in chosen:
            category = people.person(int(self.cache[f"{kind}_seeds"][index])).category
            caption = text.vary(self.cache.caption(kind, int(index)), category, rng)
            captions.append("" if rng.random() < self.recipe.drop_text else caption)
            repeated = rng.random() < self.recipe.copies_share
            copies.append(2 * int(rng.integers(1, 5)) if repeated else 1)
        return text.encode(self.tokenizer, captions, copies, self.recipe.text.max_length)


def train_dit(
    cache: Path,
    latents: Path,
    folder: Path,
    recipe: DitRecipe,
    stop: int | None = None,
    checkpoint_every: int = 400,
    start: Path | None = None,
) -> Training:
    """Train (or go on) up to `stop`; modules `transformer` and `text_encoder`.

    `start` names the folder of an earlier training whose averages are the first weights.
    """
    encoded = latent_cache.open_latents(latents)
    transformer = build_transformer(recipe, encoded.pictures.shape[2]).train()
    vocabulary = len(text.make_tokenizer(recipe.text.max_length))
    text_encoder = text.build_text_encoder(recipe.text, vocabulary, recipe.seed).train()
    modules = {"transformer": transformer, "text_encoder": text_encoder}
    name = digest(recipe, {"latents": encoded.digest})
    training = Training.create(modules, recipe.optimisation, name)
    if start is not None:
        training.start_from(start)
    loss_of = DitLoss(transformer, text_encoder, cache, latents, recipe)
    run(training, loss_of, folder, "dit", stop=stop, checkpoint_every=checkpoint_every)
    return training
