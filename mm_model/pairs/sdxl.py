"""SDXL with PhotoMaker-V2: the checkpoint loaded strictly, and one picture of a person painted.

The way is that of the published scripts (`pipeline.py` and `inference_pmv2.py` in the repository
TencentARC/PhotoMaker): the class word stands twice for each photograph, the first
steps see the sentence alone, the LoRA is added at scale 1, Euler's scheduler samples. The loop is
diffusers' own; only the embeddings are changed on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mm_model.errors import UserError
from mm_model.nn.identity import stacked
from mm_model.nn.identity.lora import add_lora
from mm_model.nn.identity.shelf import checkpoint_in, photomaker_in
from mm_model.nn.identity.subject import parse_prompt, place_identity
from mm_model.nn.networks import load_network, without_bars
from mm_model.nn.parts import Keywords
from mm_model.settings import RunSettings
from mm_model.settings.device import device_of


@dataclass(frozen=True)
class Recipe:
    """How a picture is sampled: up to step `merge_after` (from 0) without the identity.

    size: pixels a side. guidance: 1 is none, and then `negative` is not read.
    """

    steps: int
    guidance: float
    merge_after: int
    size: int
    negative: str


@dataclass(frozen=True, eq=False)
class Photo:
    """One photograph as the identity encoder takes it.

    pixels: CLIP-normalised [3,S,S]. vector: the recogniser's raw face vector [E], not of length 1.
    """

    pixels: Tensor
    vector: np.ndarray


class Painter:
    """SDXL and the identity on one device; the same person, prompt and seed give the same picture
    on equal hardware.
    """

    def __init__(self, pipe: Any, identity: stacked.StackedIdentity) -> None:
        self.pipe = pipe
        self.identity = identity

    @property
    def image_size(self) -> int:
        """Side of what CLIP sees, in pixels."""
        return self.identity.encoder.image_size

    @torch.no_grad()
    def paint(self, prompt: str, shown: Sequence[Photo], seed: int, recipe: Recipe) -> np.ndarray:
        """A picture of who is `shown`, RGB uint8 [size,size,3]; `prompt` holds the trigger once.

        Raises `PromptError` for a prompt that cannot carry the identity.
        """
        pipe, guided = self.pipe, recipe.guidance > 1
        device = pipe.unet.device
        words, unworded, pooled, unpooled = pipe.encode_prompt(
            prompt=parse_prompt(prompt).text,
            negative_prompt=recipe.negative,
            do_classifier_free_guidance=guided,
            device=device,
        )
        person, person_pooled = self._with_identity(prompt, shown)
        if guided:
            person = torch.cat([unworded, person.to(words.dtype)])
            person_pooled = torch.cat([unpooled, person_pooled.to(pooled.dtype)])

        def after(_: Any, step: int, __: Any, known: Keywords) -> Keywords:
            if step == recipe.merge_after:
                return {"prompt_embeds": person, "add_text_embeds": person_pooled}
            return known

        picture = pipe(
            prompt_embeds=words,
            negative_prompt_embeds=unworded if guided else None,
            pooled_prompt_embeds=pooled,
            negative_pooled_prompt_embeds=unpooled if guided else None,
            height=recipe.size,
            width=recipe.size,
            num_inference_steps=recipe.steps,
            guidance_scale=recipe.guidance,
            generator=torch.Generator("cpu").manual_seed(seed),
            callback_on_step_end=after,
            callback_on_step_end_tensor_inputs=["prompt_embeds", "add_text_embeds"],
            output_type="pil",
        ).images[0]
        return np.asarray(picture.convert("RGB"))

    def _with_identity(self, prompt: str, shown: Sequence[Photo]) -> tuple[Tensor, Tensor]:
        """Embeddings `[1,L,width]` with the identity at the class word, and the pooled ones."""
        pipe, hidden, places, pooled = self.pipe, [], [], None
        for tokenizer, encoder in (
            (pipe.tokenizer, pipe.text_encoder),
            (pipe.tokenizer_2, pipe.text_encoder_2),
        ):
            length = tokenizer.model_max_length
            placed = place_identity(tokenizer, prompt, len(shown), max_length=length)
            ids = placed.ids + [tokenizer.pad_token_id] * (length - len(placed.ids))
            out = encoder(torch.tensor([ids], device=encoder.device), output_hidden_states=True)
            hidden.append(out.hidden_states[-2])
            places.append(placed.at)
            pooled = out[0]
        if pooled is None or places[0] != places[1]:
            raise UserError(
                "SDXL's two tokenizers read a prompt differently: they are not those of one "
                "checkpoint; fetch it again."
            )
        pixels = torch.stack([one.pixels for one in shown])
        vectors = torch.from_numpy(np.stack([one.vector for one in shown]))
        words = torch.cat(hidden, dim=-1)
        return self.identity(words, places[0], pixels, vectors), pooled


def load_tokenizers(folder: Path) -> tuple[Any, Any]:
    """Both tokenizers of the checkpoint in `folder`, without any weights."""
    from transformers import CLIPTokenizer

    place = checkpoint_in(folder)
    first, second = (
        CLIPTokenizer.from_pretrained(str(place / name), local_files_only=True)
        for name in ("tokenizer", "tokenizer_2")
    )
    return first, second


def load_painter(folder: Path, run: RunSettings) -> Painter:
    """The synthesiser of `folder` (`nn/identity/shelf.py`) on the profile's device, in its dtype.

    Raises:
        UserError: a file is missing, damaged, holds a tensor too many or lacks one, or the two do
            not belong together.
    """
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    device, dtype = device_of(run), getattr(torch, run.dtype)
    file = photomaker_in(folder)
    state, lora = stacked.read(file)
    identity = stacked.stacked_identity(state, file)
    place = checkpoint_in(folder)
    first, second = load_tokenizers(folder)
    with without_bars():
        parts = {
            name: load_network(place / name, kind, dtype, "SDXL") for name, kind in _CLASSES.items()
        }
        pipe = StableDiffusionXLPipeline.from_pretrained(
            str(place),
            **parts,
            tokenizer=first,
            tokenizer_2=second,
            local_files_only=True,
            use_safetensors=True,
            add_watermarker=False,
        )
    _refuse_other_width(pipe, identity, file, place)
    changed = {name: parts[name] for name in ("unet", "text_encoder", "text_encoder_2")}
    add_lora(changed, lora, file)
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    identity.encoder.cast(dtype)
    return Painter(pipe.to(device), identity.to(device, dtype))


_CLASSES = {
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
}


def _refuse_other_width(
    pipe: Any, identity: stacked.StackedIdentity, file: Path, place: Path
) -> None:
    widths = [pipe.text_encoder.config.hidden_size, pipe.text_encoder_2.config.hidden_size]
    takes = pipe.unet.config.cross_attention_dim
    if sum(widths) != takes or identity.width != takes:
        raise UserError(
            f"{file} makes identity tokens of {identity.width} numbers, but the sentences of "
            f"{place} have {sum(widths)} and its UNet takes {takes}: PhotoMaker-V2 belongs to SDXL "
            "(2048)."
        )
