"""`MagicMirrorPipeline`: text and reference pictures to video, on a diffusers CogVideoX backbone.

Without references, or with `id_scale=0`, the stock pipeline itself runs. Face detection is the
caller's, the cut around a face is made here by the adapter's margin; weights are read from
safetensors only. Import this module lazily: it costs seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXPipeline
from diffusers.pipelines.cogvideo.pipeline_output import CogVideoXPipelineOutput
from torch import Tensor

from mm_model.diffusion.branches import BranchRunner, Scales
from mm_model.diffusion.frames import check_frame_count
from mm_model.diffusion.guidance import (
    Texts,
    base_branches,
    check_guidance,
    combine,
    expand_condition,
    plan_branches,
)
from mm_model.diffusion.schedule import correlate_frames
from mm_model.errors import UserError
from mm_model.nn import folded_vae
from mm_model.nn.adapter import MagicMirrorAdapter
from mm_model.nn.backbone import load_components
from mm_model.nn.condition import IdentityCondition
from mm_model.nn.identity_encoder import IdentityEncoder
from mm_model.nn.prompt import clean_prompt, encode_prompts, encode_text, plain_prompt
from mm_model.nn.references import Detect, IdentityInput, batch_references, prepare_references


class MagicMirrorPipeline(CogVideoXPipeline):
    """CogVideoX with an identity encoder and an adapter (both optional components).

    `modulation_tables` (default True) precomputes what depends on time and identity only.
    """

    _optional_components: ClassVar[list[str]] = ["identity_encoder", "adapter"]
    model_cpu_offload_seq = "identity_encoder->text_encoder->transformer->vae"
    modulation_tables = True

    def __init__(
        self,
        tokenizer: Any,
        text_encoder: Any,
        vae: Any,
        transformer: Any,
        scheduler: Any,
        identity_encoder: IdentityEncoder | None = None,
        adapter: MagicMirrorAdapter | None = None,
    ) -> None:
        super().__init__(tokenizer, text_encoder, vae, transformer, scheduler)
        self.register_modules(identity_encoder=identity_encoder, adapter=adapter)
        if transformer.config.patch_size_t is not None:
            raise UserError(
                "CogVideoX 1.5 backbones (patch_size_t) are not supported; use CogVideoX 1.0."
            )
        for part in (text_encoder, vae, transformer):
            part.requires_grad_(False).eval()

    @classmethod
    def from_pretrained(
        cls,
        base: str | Path,
        adapter: str | Path | None = None,
        identity_encoder: IdentityEncoder | None = None,
        torch_dtype: torch.dtype | None = None,
    ) -> MagicMirrorPipeline:
        """Load a backbone folder (diffusers layout, plus `identity_encoder/`) and an adapter
        folder.

        `identity_encoder` replaces the folder's own, for instance one from a PhotoMaker-V2 file.
        Raises `UserError` when something is missing or the adapter does not fit the backbone.
        """
        parts = load_components(base, torch_dtype)
        if identity_encoder is not None:
            parts["identity_encoder"] = identity_encoder
        pipe = cls(**parts)
        if adapter is not None:
            pipe.load_adapter(adapter)
        return pipe

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """Refused: the base stays in its own folder and the adapter in its own."""
        raise UserError(
            "The pipeline is not saved as a whole; write the adapter with save_adapter(folder) and "
            "keep "
            "the backbone folder."
        )

    def load_adapter(self, folder: str | Path) -> None:
        """Put the adapter of `folder` in (replacing another one).

        Refuses other layers, width, base family or another conditioning recogniser.
        """
        digest = self.identity_encoder.recognizer_sha256 if self.identity_encoder else None
        adapter = MagicMirrorAdapter.from_pretrained(folder, self.transformer, digest)
        self.register_modules(adapter=adapter)

    def save_adapter(self, folder: str | Path) -> Path:
        """Write the adapter folder (no base weights)."""
        return self._require_adapter().save_pretrained(folder)

    def unload_adapter(self) -> None:
        """Take the adapter out; afterwards the pipeline is the plain base."""
        self.transformer.detach_layers()
        self.register_modules(adapter=None)

    def _require_adapter(self) -> MagicMirrorAdapter:
        if self.adapter is None:
            raise UserError(
                "No adapter is loaded; call load_adapter(folder) first, or leave the references "
                "out."
            )
        return self.adapter

    @torch.no_grad()
    def encode_references(
        self,
        references: Any,
        faces: Sequence[Any] | None = None,
        detect: Detect | None = None,
    ) -> IdentityCondition:
        """Identity of references, to be passed as `identity=` for any number of prompts.

        `references`: a picture or a list of pictures (one subject), a list of such lists (one
        subject a row), or `IdentityInput`s (one subject each). `faces`, nested alike, are the faces
        in the pixels of the upright pictures; without them `detect` finds each. The portrait is cut
        here, as `config.reference_margin` of the adapter says.
        """
        adapter = self._require_adapter()
        if self.identity_encoder is None:
            raise UserError(
                "This backbone has no identity_encoder folder; pass identity_encoder=... when "
                "loading."
            )
        encoder = self.identity_encoder
        margin, size = adapter.config.reference_margin, encoder.image_size
        if not isinstance(references, list | tuple):
            references = [references]
            faces = None if faces is None else [faces]
        if not references:
            raise UserError(
                "No reference picture was given; give one to four pictures of one person."
            )
        if isinstance(references[0], IdentityInput):
            subjects = list(references)
        elif isinstance(references[0], list | tuple):
            rows = faces or [None] * len(references)
            subjects = [
                prepare_references(pictures, row, margin, size, detect)
                for pictures, row in zip(references, rows, strict=True)
            ]
        else:
            subjects = [prepare_references(references, faces, margin, size, detect)]
        pixels, raw, mask = batch_references(subjects, encoder.embed)
        features = encoder.features(pixels, raw, mask)
        return adapter.encode_identity(features.to(adapter.device, self.transformer.dtype))

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str],
        reference_images: Any = None,
        negative_prompt: str | None = None,
        num_frames: int | None = None,
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int = 50,
        guidance_scale: float = 6.0,
        id_scale: float = 1.0,
        ca_scale: float = 1.0,
        can_scale: float = 1.0,
        face_guidance: str = "null",
        id_guidance_scale: float | None = None,
        face_start_step: int = 0,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: Tensor | None = None,
        identity: IdentityCondition | None = None,
        noise_prior_gamma: float = 0.0,
        output_type: str = "pil",
        callback_on_step_end: Callable[..., dict[str, Any]] | None = None,
        attention_kwargs: dict[str, Any] | None = None,
        faces: Sequence[Any] | None = None,
        detect: Detect | None = None,
        return_dict: bool = True,
    ) -> CogVideoXPipelineOutput | tuple[Any]:
        """Generate a clip of `prompt` with the identity of `reference_images` (or `identity`).

        The subject's word is marked by the trigger (`a man img walks`) or found in a word list.
        `output_type`: pil, np, pt or latent `[B,T,C,h,w]`. `face_start_step` steps run without
        identity first. Raises `UserError` for impossible sizes, frame counts, prompts and
        references.
        """
        check_guidance(face_guidance, id_guidance_scale)
        frames, height, width = self._check_size(num_frames, height, width)
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        noise = self._initial_latents(
            len(prompts), frames, height, width, generator, latents, noise_prior_gamma
        )
        if id_scale == 0.0 or (identity is None and reference_images is None):
            return super().__call__(
                [clean_prompt(text) for text in prompts],
                [negative_prompt or ""] * len(prompts),
                height=height,
                width=width,
                num_frames=frames,
                num_inference_steps=num_inference_steps,
                guidance_scale=guidance_scale,
                generator=generator,
                latents=noise,
                output_type=output_type,
                callback_on_step_end=callback_on_step_end,
                attention_kwargs=attention_kwargs,
                max_sequence_length=self.transformer.config.max_text_seq_length,
                return_dict=return_dict,
            )
        self._require_adapter()
        if identity is None:
            identity = self.encode_references(reference_images, faces, detect)
        identity = expand_condition(identity, len(prompts)).to(self._execution_device)
        scales = Scales(guidance_scale, id_guidance_scale, id_scale, ca_scale, can_scale)
        texts = self._encode_texts(prompts, negative_prompt, identity, scales)
        result = self._denoise(
            noise,
            texts,
            identity,
            scales,
            num_inference_steps,
            face_guidance,
            face_start_step,
            generator,
            callback_on_step_end,
            attention_kwargs,
        )
        video = result
        if output_type != "latent":
            video = self.video_processor.postprocess_video(self.decode_latents(result), output_type)
        self.maybe_free_model_hooks()
        return CogVideoXPipelineOutput(frames=video) if return_dict else (video,)

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Frames `[B,3,T,H,W]` in [-1,1] of scaled latents `[B,t,C,h,w]`."""
        unscaled = latents.permute(0, 2, 1, 3, 4) / self.vae_scaling_factor_image
        return folded_vae.decode_best(self.vae, unscaled)

    def _check_size(
        self, frames: int | None, height: int | None, width: int | None
    ) -> tuple[int, int, int]:
        """Frames, height and width with the backbone's defaults filled in, or `UserError`."""
        config = self.transformer.config
        factor = self.vae_scale_factor_spatial
        frames = check_frame_count(frames or config.sample_frames, config.sample_frames)
        height = height or config.sample_height * factor
        width = width or config.sample_width * factor
        unit = factor * config.patch_size
        if height % unit or width % unit or min(height, width) < unit:
            raise UserError(
                f"{width}x{height} is not possible: both sides must be multiples of {unit} pixels."
            )
        return frames, height, width

    def _initial_latents(
        self,
        batch: int,
        frames: int,
        height: int,
        width: int,
        generator: torch.Generator | list[torch.Generator] | None,
        latents: Tensor | None,
        gamma: float,
    ) -> Tensor:
        """Starting noise `[B,T,C,h,w]`; the stock draw, correlated over frames when gamma > 0."""
        sigma = self.scheduler.init_noise_sigma
        if latents is None:
            channels, dtype = self.transformer.config.in_channels, self.transformer.dtype
            device = self._execution_device
            latents = self.prepare_latents(
                batch, channels, frames, height, width, dtype, device, generator
            )
            latents = latents / sigma  # prepare_latents scales; the stock call scales again
        return correlate_frames(latents.to(self._execution_device), gamma)

    def _encode_texts(
        self,
        prompts: list[str],
        negative: str | None,
        identity: IdentityCondition,
        scales: Scales,
    ) -> Texts:
        """T5 outputs of the expanded prompts, with and without identity, and of the negative
        prompt.
        """
        length, dtype = self.transformer.config.max_text_seq_length, self.transformer.dtype
        trigger = self.adapter.config.trigger
        ids, mask = encode_prompts(
            self.tokenizer, prompts, identity.references, length, trigger=trigger
        )
        plain = encode_text(self.text_encoder, ids.to(self._execution_device), dtype)
        mask = mask.to(plain.device)
        fused = self.adapter.fuse_text(plain, mask, identity, scales.identity)
        uncond = None
        if scales.guidance > 1.0:
            row = plain_prompt(self.tokenizer, negative or "", length).ids[None]
            uncond = encode_text(self.text_encoder, row.to(plain.device), dtype)
            uncond = uncond.expand(len(prompts), -1, -1)
        return Texts(fused, plain, uncond)

    def _denoise(
        self,
        latents: Tensor,
        texts: Texts,
        identity: IdentityCondition,
        scales: Scales,
        steps: int,
        mode: str,
        start: int,
        generator: torch.Generator | list[torch.Generator] | None,
        callback: Callable[..., dict[str, Any]] | None,
        attention_kwargs: dict[str, Any] | None,
    ) -> Tensor:
        """The sampling loop; same scheduler calls and callback protocol as the stock pipeline."""
        guided = scales.guidance > 1.0
        self._guidance_scale, self._attention_kwargs = scales.guidance, attention_kwargs
        self._interrupt = False
        self.scheduler.set_timesteps(steps, device=latents.device)
        timesteps = self.scheduler.timesteps
        self._num_timesteps = len(timesteps)
        null = self.adapter.null_condition(len(latents), dtype=identity.x_id.dtype)
        branches = plan_branches(mode, guided, texts, identity, null)
        runner = BranchRunner(self, branches, timesteps, latents, scales, attention_kwargs)
        early = BranchRunner(
            self, base_branches(guided, texts), timesteps, latents, scales, attention_kwargs
        )
        extra = self.prepare_extra_step_kwargs(generator, 0.0)
        latents = latents * self.scheduler.init_noise_sigma
        previous = None
        with self.progress_bar(total=len(timesteps)) as progress:
            for index, t in enumerate(timesteps):
                if self.interrupt:
                    continue
                self._current_timestep = t
                current = runner if index >= start else early
                model_input = self.scheduler.scale_model_input(latents, t)
                velocity = combine(current(model_input, index), scales.guidance, scales.id_guidance)
                if isinstance(self.scheduler, CogVideoXDPMScheduler):
                    before = timesteps[index - 1] if index > 0 else None
                    stepped, previous = self.scheduler.step(
                        velocity, previous, t, before, latents, **extra, return_dict=False
                    )
                else:
                    stepped = self.scheduler.step(velocity, t, latents, **extra, return_dict=False)[
                        0
                    ]
                latents = stepped.to(texts.plain.dtype)
                if callback is not None:
                    latents = callback(self, index, t, {"latents": latents}).pop("latents", latents)
                progress.update()
        self._current_timestep = None
        return latents
