"""What one call of the pipeline asks for: CogVideoX's arguments under their names, and ours.

Refuses what no path could answer, before any work. Knows no weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from diffusers import CogVideoXPipeline
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from torch import Tensor

from mm_model.diffusion.frames import check_frame_count
from mm_model.errors import UserError
from mm_model.generation import plausible
from mm_model.generation.guidance import check_guidance
from mm_model.nn.injection.condition import IdentityCondition
from mm_model.nn.parts import Keywords

_ARGUMENTS = inspect.signature(CogVideoXPipeline.__call__).parameters
STOCK = tuple(_ARGUMENTS)[1:]
"""Names of the stock pipeline's arguments, in their order."""
TEXT_LENGTH: int = _ARGUMENTS["max_sequence_length"].default
OUTPUTS = ("pil", "np", "pt", "latent")
_OWN = frozenset(("face_length", "face_attention", "ca_scale", "mode", "face_gate"))
_TEXTS = ("prompt_embeds", "negative_prompt_embeds")


@dataclass(frozen=True)
class Asked:
    """The arguments of `MagicMirrorPipeline.__call__`."""

    prompt: str | list[str] | None
    negative_prompt: str | list[str] | None
    height: int | None
    width: int | None
    num_frames: int | None
    num_inference_steps: int
    timesteps: list[int] | None
    guidance_scale: float
    use_dynamic_cfg: bool
    num_videos_per_prompt: int
    eta: float
    generator: torch.Generator | list[torch.Generator] | None
    latents: Tensor | None
    prompt_embeds: Tensor | None
    negative_prompt_embeds: Tensor | None
    output_type: str
    return_dict: bool
    attention_kwargs: Keywords | None
    callback_on_step_end: Callable[..., Keywords] | None
    callback_on_step_end_tensor_inputs: list[str] | None
    max_sequence_length: int
    reference_images: Any
    faces: Sequence[Any] | None
    detect: Callable[..., Any] | None
    identity: IdentityCondition | None
    identity_mask: Tensor | None
    id_scale: float
    ca_scale: float
    can_scale: float
    face_guidance: str
    id_guidance_scale: float | None
    face_start_step: int
    noise_prior_gamma: float

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Asked:
        """From the arguments by name; other names are left out."""
        return cls(**{part.name: given[part.name] for part in fields(cls)})

    def stock(self) -> Keywords:
        """What the stock pipeline knows, as it was given."""
        return {name: getattr(self, name) for name in STOCK}

    @property
    def plain(self) -> bool:
        """Whether no identity is asked for: the stock pipeline answers."""
        return self.id_scale == 0.0 or (self.identity is None and self.reference_images is None)

    @property
    def guided(self) -> bool:
        """Whether there is an unconditional branch; settled when the call begins, as in stock."""
        return self.guidance_scale > 1.0

    @property
    def prompts(self) -> list[str] | None:
        """The prompts as a list, or None where embeddings are given instead."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt

    @property
    def rows(self) -> int:
        """How many texts there are, as prompts or as embeddings."""
        texts = self.prompts if self.prompt_embeds is None else self.prompt_embeds
        if texts is None:
            raise UserError("Neither prompt nor prompt_embeds was given: give one of them.")
        return len(texts)

    @property
    def embedded(self) -> tuple[Tensor, Tensor] | None:
        """`prompt_embeds` and their `identity_mask`, or None where prompts are given instead."""
        if self.prompt_embeds is None or self.identity_mask is None:
            return None
        return self.prompt_embeds, self.identity_mask

    @property
    def watched(self) -> list[str]:
        """Tensors that the callback wants to see."""
        callback = self.callback_on_step_end
        if isinstance(callback, PipelineCallback | MultiPipelineCallbacks):
            return list(callback.tensor_inputs)
        return list(self.callback_on_step_end_tensor_inputs or ())

    def check(self) -> None:
        """Raise `UserError` on what neither path can do."""
        plausible.check(self, plausible.OURS)
        check_guidance(self.face_guidance, self.id_guidance_scale)
        self._check_subject()
        if self.timesteps is None:
            plausible.check_steps(self.num_inference_steps)
        if not self.plain:
            plausible.check(self, plausible.STOCK)
        if self.output_type not in OUTPUTS:
            raise UserError(
                f"output_type is {self.output_type!r}; choose one of {', '.join(OUTPUTS)}."
            )
        negative = self.negative_prompt
        each = negative if isinstance(negative, list) else [negative]
        if not all(text is None or isinstance(text, str) for text in each):
            raise UserError(
                "negative_prompt is a text or a list of texts; pictures go by name into "
                "reference_images=..."
            )

    def _check_subject(self) -> None:
        """Raise `UserError` where a part of the identity would be left out silently."""
        if self.identity is not None and self.reference_images is not None:
            raise UserError("identity and reference_images both say who is shown; give one.")
        if self.faces is not None and self.reference_images is None:
            raise UserError(
                "faces are those of reference_images, of which there are none; give the pictures "
                "too, or leave faces out."
            )
        if self.identity_mask is not None and self.prompt_embeds is None:
            raise UserError(
                "identity_mask marks places in prompt_embeds, of which there are none; a prompt "
                "needs no mask: leave it out."
            )

    def check_identity(self, width: int) -> None:
        """Raise `UserError` on what cannot be done with an identity.

        `width` is that of a text's embedding in the backbone.
        """
        if self.identity is not None:
            plausible.check_condition(self.identity)
        if ours := sorted(set(self.attention_kwargs or ()) & _OWN):
            raise UserError(
                f"attention_kwargs holds {ours[0]}, which the identity sets itself; leave it out "
                "(ca_scale is an argument of the call)."
            )
        times = self.num_videos_per_prompt
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise UserError(f"num_videos_per_prompt is {times!r}; give a whole number from 1 on.")
        if self.prompt_embeds is not None:
            if self.identity_mask is None:
                raise UserError(
                    "prompt_embeds do not say where the subject is: make them with "
                    "encode_identity_prompt(prompt, identity) and give its identity_mask too."
                )
            rows, length, own = self.prompt_embeds.shape
            if own != width:
                raise UserError(
                    f"prompt_embeds are {own} wide, but this backbone reads texts of {width}; make "
                    "them with encode_identity_prompt of this pipeline."
                )
            if tuple(self.identity_mask.shape) != (rows, length):
                raise UserError(
                    f"identity_mask is {list(self.identity_mask.shape)}, but prompt_embeds are of "
                    f"{rows} texts of {length} tokens; give both as encode_identity_prompt does."
                )
        if self.face_start_step > 0 and set(self.watched) & set(_TEXTS):
            raise UserError(
                "A callback cannot exchange prompt_embeds while face_start_step changes them "
                "too; leave one of them out."
            )

    def size(self, config: Mapping[str, Any], factor: int) -> tuple[int, int, int]:
        """Frames, height and width with the backbone's defaults filled in, or `UserError`.

        `config` is the transformer's, `factor` the VAE's pixels in a latent cell.
        """
        longest = config["sample_frames"]
        frames = check_frame_count(self.num_frames or longest, longest)
        height = self.height or config["sample_height"] * factor
        width = self.width or config["sample_width"] * factor
        unit = factor * config["patch_size"]
        if height % unit or width % unit:  # negative ones were refused before
            raise UserError(
                f"{width}x{height} is not possible: both sides must be multiples of {unit} pixels."
            )
        return frames, height, width

    def negative_texts(self, rows: int) -> list[str]:
        """The negative prompt of each of `rows` prompts, or one for all; raises `UserError`."""
        negative = self.negative_prompt or ""
        if isinstance(negative, str):
            return [negative]
        if len(negative) != rows:
            raise UserError(
                f"{len(negative)} negative prompts for {rows} prompts; give one text, or one for "
                "each prompt."
            )
        return [text or "" for text in negative]


def text_length(asked: int, longest: int) -> int:
    """Tokens of the text beside an identity, for a backbone that was trained with `longest`.

    The stock default stands for the backbone's own length where that is shorter. Raises `UserError`
    where more is asked for.
    """
    if asked > longest and asked != TEXT_LENGTH:
        raise UserError(
            f"max_sequence_length is {asked}, but this backbone reads {longest} tokens "
            f"(max_text_seq_length); give {longest} or less."
        )
    return min(asked, longest)
