"""A CogVideoX backbone, frozen: what ID tokens are learned on beside Stable Diffusion.

Tokens stand before the class word in what the text encoder says (`output`: it runs once a
sentence), or in what it is told (`input`: as published, the gradient passes it). A sentence keeps
its length. Source: Magic-Me (arXiv 2402.09368), section 4.2; its transfer is a choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mm_model.diffusion.schedule import NoiseSchedule
from mm_model.nn.cogvideox import folded_vae
from mm_model.nn.cogvideox.backbone import PARTS, load_components
from mm_model.nn.cogvideox.rotary import rotary_table
from mm_model.nn.identity.prompt import encode_text, plain_prompt
from mm_model.nn.injection.model import disable_gradients
from mm_model.nn.networks import without_bars
from mm_model.nn.offload import execution_device
from mm_model.settings.device import is_small
from mm_model.settings.subject import SubjectSettings
from mm_model.store import digests
from mm_model.vcd.base import CAPTION, BaseValues, StartRows
from mm_model.vcd.tokens import IdTokens, TokenRows, parted, refuse_other_width, too_late

FAMILY = "cogvideox"
RATE = 0.05
"""The learning rate over the size of the vectors that tokens start among, where none is stated:
about what the published rate is for CLIP's (design choice)."""

_KEPT = 64
"""Sentences whose encoding is kept: those of a learning are five, one for each prefix."""


@dataclass(frozen=True, eq=False)
class CogVideoX:
    """The parts of one backbone; none of them is ever trained.

    space: where tokens stand, `output` or `input`. size: pixels a side of a photograph.
    """

    tokenizer: Any
    text_encoder: Any
    vae: Any
    transformer: Any
    scheduler: Any
    space: str
    size: int
    _said: dict[tuple[int, ...], Tensor] = field(default_factory=dict, repr=False)

    @property
    def family(self) -> str:
        """What its tokens fit."""
        return FAMILY

    @property
    def device(self) -> torch.device:
        """Where it computes, also where its weights wait elsewhere."""
        return execution_device(self.transformer)

    @property
    def timesteps(self) -> int:
        """How many timesteps the backbone was trained with."""
        return self.scheduler.config.num_train_timesteps

    @property
    def length(self) -> int:
        """Tokens of a sentence, with and without a subject."""
        return self.transformer.config.max_text_seq_length

    @property
    def _schedule(self) -> NoiseSchedule:
        return NoiseSchedule.from_scheduler(self.scheduler)

    def chosen(self, settings: SubjectSettings, start: StartRows) -> BaseValues:
        """The section's values; the schedule ends in pure noise, so no offset is added to it."""
        rate = settings.learning_rate
        if rate == "auto":
            rate = RATE * float(start.rows.float().square().mean().sqrt())
        return BaseValues(self.size, rate, 0.0)

    @torch.no_grad()
    def start(self, word: str) -> StartRows:
        """The encoder's table of words, or what it says of the caption with `word` in it."""
        pieces = self.tokenizer(word, add_special_tokens=False).input_ids
        if self.space == "input":
            return StartRows(self.text_encoder.get_input_embeddings().weight, pieces)
        before, after = (self._pieces(part) for part in CAPTION.format("\n", word).split("\n"))
        said = self._encoded([*before, *after, self.tokenizer.eos_token_id])
        place = len(before) + len(after) - len(pieces)
        # the end's vector is among those that the transformer hears, padding's is not counted
        return StartRows(said[: len(before) + len(after) + 1], range(place, place + len(pieces)))

    def words(self, prompts: list[str], tokens: IdTokens | None = None) -> Tensor:
        """What the transformer hears of prompts, `[B,L,width]`; gradients reach the vectors.

        Raises:
            UserError: the tokens are of another width, or do not stand in a prompt once.
        """
        if tokens is None:
            ids = [plain_prompt(self.tokenizer, text, self.length).ids for text in prompts]
            said = encode_text(self.text_encoder, torch.stack(ids), self.transformer.dtype)
            return said.to(self.device)
        refuse_other_width(tokens, self.text_encoder.config.d_model)
        if self.space == "input":
            return self._told(prompts, tokens)
        return torch.stack([self._inserted(text, tokens) for text in prompts])

    def _pieces(self, text: str) -> list[int]:
        return self.tokenizer(text.strip(), add_special_tokens=False).input_ids

    def _parts(self, prompt: str, tokens: IdTokens) -> tuple[list[int], list[int]]:
        """Ids before the placeholder and from there to the end, with room for the tokens."""
        before, after = (self._pieces(part) for part in parted(prompt, tokens.placeholder))
        room = self.length - len(tokens.vectors) - 1
        if len(before) > room:
            raise too_late(tokens.placeholder)
        return before, [*after[: room - len(before)], self.tokenizer.eos_token_id]

    def _padded(self, ids: Sequence[int]) -> list[int]:
        return [*ids, *[self.tokenizer.pad_token_id] * (self.length - len(ids))]

    def _encoded(self, ids: Sequence[int]) -> Tensor:
        """What the encoder says `[L,width]` of a sentence without a subject, once for each."""
        known = tuple(ids)
        if known not in self._said:
            if len(self._said) >= _KEPT:
                self._said.clear()
            padded = torch.tensor([self._padded(ids)])
            self._said[known] = encode_text(self.text_encoder, padded)[0].to(self.device)
        return self._said[known]

    def _inserted(self, prompt: str, tokens: IdTokens) -> Tensor:
        before, after = self._parts(prompt, tokens)
        said = self._encoded([*before, *after]).to(self.transformer.dtype)
        vectors = tokens.vectors.to(said.device, said.dtype)
        return torch.cat([said[: len(before)], vectors, said[len(before) :]])[: self.length]

    def _told(self, prompts: list[str], tokens: IdTokens) -> Tensor:
        table = self.text_encoder.get_input_embeddings()
        rows = TokenRows(table, tokens.vectors)
        new = range(rows.known, rows.known + len(tokens.vectors))
        ids = []
        for prompt in prompts:
            before, after = self._parts(prompt, tokens)
            ids.append(self._padded([*before, *new, *after]))
        self.text_encoder.set_input_embeddings(rows)
        try:
            said = self.text_encoder(torch.tensor(ids, device=table.weight.device))[0]
        finally:
            self.text_encoder.set_input_embeddings(table)
        return said.to(self.device, self.transformer.dtype)

    @torch.no_grad()
    def latents(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """A sample of the VAE's posterior `[B,C,h,w]` for `pixels [B,3,S,S]` in -1..1, scaled.

        A picture is a clip of one frame. The draw is made on the CPU, so that every device sees
        the same one.
        """
        video = pixels.to(self.device, self.vae.dtype)[:, :, None]
        mean, logvar = (found[:, :, 0] for found in folded_vae.encode_posterior(self.vae, video))
        noise = torch.randn(mean.shape, generator=generator)
        drawn = mean + (0.5 * logvar).exp() * noise.to(mean.device, mean.dtype)
        return drawn * self.vae.config.scaling_factor

    def noisy(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """`latents` with `noise`, both `[B,C,h,w]`, at `times [B]`."""
        return self._schedule.add_noise(latents, noise, times).to(latents.dtype)

    def predict(self, noisy: Tensor, times: Tensor, words: Tensor) -> Tensor:
        """The transformer's velocity `[B,C,h,w]` for clips of one frame."""
        clip = noisy[:, None].to(self.transformer.dtype)
        height, width = noisy.shape[-2:]
        table = rotary_table(self.transformer.config, 1, height, width, clip.device)
        words = words.to(clip.dtype)
        return self.transformer(clip, words, times, image_rotary_emb=table).sample[:, 0]

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """The velocity `[B,C,h,w]`."""
        return self._schedule.velocity(latents, noise, times)


def digest_of(folder: Path) -> str:
    """Names a backbone by the parts that are read."""
    return digests.of_value({name: digests.of_folder(folder / name) for name in PARTS})


def load_cogvideox(
    folder: Path, device: torch.device, dtype: torch.dtype, *, space: str, size: int
) -> CogVideoX:
    """The backbone of `folder`, frozen. On a small GPU its text encoder stays on the CPU.

    Raises:
        UserError: a part is missing, damaged, or of another kind of backbone.
    """
    with without_bars():
        parts = load_components(folder, dtype, given={"identity_encoder": None})
    parts.pop("identity_encoder")
    networks = ("text_encoder", "vae", "transformer")
    disable_gradients(*(parts[name] for name in networks))
    if is_small(device):
        parts["vae"].enable_tiling()
    for name in networks:
        if name != "text_encoder" or not is_small(device):
            parts[name] = parts[name].to(device)
    return CogVideoX(**parts, space=space, size=size)
