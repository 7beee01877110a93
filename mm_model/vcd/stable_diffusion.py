"""A Stable Diffusion 1.5 checkpoint in diffusers' layout, frozen: what ID tokens are learned on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mm_model.errors import UserError, first_line
from mm_model.nn.networks import files_read, load_network, without_bars
from mm_model.nn.offload import execution_device
from mm_model.settings.subject import SubjectSettings
from mm_model.store import digests
from mm_model.vcd.base import BaseValues, StartRows
from mm_model.vcd.tokens import IdTokens, TokenRows, ids_of, refuse_other_width

NETWORKS = {
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
}
PARTS = (*NETWORKS, "tokenizer", "scheduler")
FAMILY = "stable-diffusion"
PUBLISHED_RATE = 1e-3
"""Learning rate of Magic-Me's published example, which is about a twentieth of CLIP's vectors."""


@dataclass(frozen=True, eq=False)
class StableDiffusion:
    """The parts of one checkpoint on one device; none of them is ever trained."""

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any

    @property
    def device(self) -> torch.device:
        """Where it computes, also where its weights wait elsewhere."""
        return execution_device(self.unet)

    @property
    def family(self) -> str:
        """What its tokens fit."""
        return FAMILY

    @property
    def timesteps(self) -> int:
        """How many timesteps the checkpoint was trained with."""
        return self.scheduler.config.num_train_timesteps

    def chosen(self, settings: SubjectSettings, start: StartRows) -> BaseValues:
        """The section's values; the published learning rate where none is stated."""
        rate = settings.learning_rate
        return BaseValues(
            settings.size, PUBLISHED_RATE if rate == "auto" else rate, settings.noise_offset
        )

    def start(self, word: str) -> StartRows:
        """The encoder's table of words, and the pieces of `word` in it."""
        rows = self.text_encoder.get_input_embeddings().weight
        return StartRows(rows, self.tokenizer(word, add_special_tokens=False).input_ids)

    def words(self, prompts: list[str], tokens: IdTokens | None = None) -> Tensor:
        """What the UNet hears of prompts, `[B,L,width]`; gradients reach the tokens' vectors."""
        table = self.text_encoder.get_input_embeddings()
        if tokens is None:
            length = self.tokenizer.model_max_length
            given = self.tokenizer(
                prompts, padding="max_length", max_length=length, truncation=True
            ).input_ids
            return self._heard(given)
        refuse_other_width(tokens, table.embedding_dim)
        rows = TokenRows(table, tokens.vectors)
        new = range(rows.known, rows.known + len(tokens.vectors))
        given = [ids_of(self.tokenizer, text, tokens.placeholder, new) for text in prompts]
        self.text_encoder.set_input_embeddings(rows)
        try:
            return self._heard(given)
        finally:
            self.text_encoder.set_input_embeddings(table)

    def _heard(self, ids: list[list[int]]) -> Tensor:
        return self.text_encoder(torch.tensor(ids, device=self.device))[0]

    @torch.no_grad()
    def latents(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """A sample of the VAE's posterior for `pixels [B,3,S,S]` in -1..1, scaled for the UNet.

        The draw is made on the CPU, so that every device sees the same one.
        """
        found = self.vae.encode(pixels.to(self.device, self.vae.dtype)).latent_dist
        noise = torch.randn(found.mean.shape, generator=generator)
        drawn = found.mean + found.std * noise.to(found.mean.device, found.mean.dtype)
        return drawn * self.vae.config.scaling_factor

    def noisy(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """`latents` with `noise`, both `[B,C,h,w]`, at `times [B]`."""
        return self.scheduler.add_noise(latents, noise, times)

    def predict(self, noisy: Tensor, times: Tensor, words: Tensor) -> Tensor:
        """The UNet's prediction `[B,C,h,w]`."""
        return self.unet(noisy, times, words.to(noisy.dtype)).sample

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """The noise `[B,C,h,w]`, or the velocity where the checkpoint predicts that."""
        if self.scheduler.config.prediction_type == "v_prediction":
            return self.scheduler.get_velocity(latents, noise, times)
        return noise


def digest_of(folder: Path) -> str:
    """Names a checkpoint by what is read; a published folder holds much beside it.

    Raises:
        UserError: a part is missing.
    """
    if folder.is_file():
        return digests.of_file(folder)
    found = {name: digest_of_network(folder / name) for name in NETWORKS}
    others = [name for name in PARTS if name not in NETWORKS]
    return digests.of_value(found | {name: digests.of_folder(folder / name) for name in others})


def digest_of_network(folder: Path) -> str:
    """Names a network by its files that are read: of variants of its weights, one; or by its file.

    Raises:
        UserError: the folder is not there.
    """
    if folder.is_file():
        return digests.of_file(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not there: name where it lies now.")
    return digests.of_value([(path.name, digests.of_file(path)) for path in files_read(folder)])


def load_checkpoint(folder: Path, device: torch.device, dtype: torch.dtype) -> StableDiffusion:
    """The checkpoint of `folder`, every tensor of its files and no other.

    Raises:
        UserError: a part is missing or damaged, or it is of another family than 1.x.
    """
    from diffusers import DDPMScheduler
    from transformers import CLIPTokenizer

    missing = [name for name in PARTS if not (folder / name).is_dir()]
    if missing:
        raise UserError(
            f"{folder} is no Stable Diffusion checkpoint in diffusers' layout, {missing[0]} is "
            "missing: name the folder that holds model_index.json."
        )
    if (folder / "text_encoder_2").exists():
        raise UserError(
            f"{folder} has two text encoders and is of the SDXL family: name a checkpoint of "
            "Stable Diffusion 1.5."
        )
    with without_bars():
        parts = {
            name: load_network(folder / name, kind, dtype, "Stable Diffusion").to(device)
            for name, kind in NETWORKS.items()
        }
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        scheduler = DDPMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{folder} could not be read: {first_line(error)}: fetch the checkpoint again."
        ) from error
    takes = parts["unet"].config.cross_attention_dim
    if (width := parts["text_encoder"].config.hidden_size) != takes:
        raise UserError(
            f"{folder}: its sentences have {width} numbers and its UNet takes {takes}: they are "
            "not of one checkpoint."
        )
    return StableDiffusion(**parts, tokenizer=tokenizer, scheduler=scheduler)
