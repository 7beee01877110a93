"""`MagicMirrorPipeline`: text and reference pictures to video, on a diffusers CogVideoX backbone.

Without references, or with `id_scale=0`, the stock pipeline itself runs. Face detection is the
caller's, the cut around a face is made here by the adapter's margin; weights are read from
safetensors only. What works of diffusers and what is refused: docs/diffusers.md. Import this module
lazily: it costs seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXPipeline, CogVideoXTransformer3DModel
from diffusers.pipelines.cogvideo.pipeline_output import CogVideoXPipelineOutput
from diffusers.utils.torch_utils import unwrap_module
from torch import Tensor
from transformers import T5EncoderModel, T5Tokenizer

from mm_model.errors import UserError
from mm_model.generation import inputs, plausible, saving
from mm_model.generation.asked import TEXT_LENGTH, Asked, text_length
from mm_model.generation.caches import check_caches
from mm_model.generation.guidance import Texts, expand_condition, repeat_condition
from mm_model.generation.placed import PlacedPipeline
from mm_model.generation.references import Detect, IdentityInput, batch_references, subjects_of
from mm_model.generation.sampling import Sampler
from mm_model.nn import parts
from mm_model.nn.cogvideox import folded_vae
from mm_model.nn.cogvideox.backbone import check_parts, load_components, taken_over
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.prompt import encode_prompts, encode_text
from mm_model.nn.identity.subject import clean_prompt
from mm_model.nn.injection import table as injections
from mm_model.nn.injection.condition import IdentityCondition
from mm_model.nn.injection.port import IdentityInjection
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.nn.offload import layers_of_blocks
from mm_model.nn.parts import Keywords

Generators: TypeAlias = torch.Generator | list[torch.Generator] | None
OF_FOLDER = "of the folder"
"""Stands for a part that the backbone's folder may hold: what lies there is loaded."""


class MagicMirrorPipeline(PlacedPipeline):
    """CogVideoX with an identity encoder and an adapter (both optional components).

    A plain CogVideoX transformer is taken over, its tensors shared; nothing is frozen and no mode
    is changed, so a pipeline may be built beside a training. `modulation_tables` (default True)
    precomputes what depends on time and identity only.
    """

    _optional_components: ClassVar[list[str]] = ["identity_encoder", "adapter"]
    model_cpu_offload_seq = "identity_encoder->text_encoder->transformer->vae"
    modulation_tables = True

    def __init__(
        self,
        tokenizer: T5Tokenizer,
        text_encoder: T5EncoderModel,
        vae: AutoencoderKLCogVideoX,
        transformer: CogVideoXTransformer3DModel | MagicMirrorTransformer3DModel,
        scheduler: Any,
        identity_encoder: IdentityEncoder | None = None,
        adapter: IdentityInjection | None = None,
    ) -> None:
        check_parts(tokenizer=tokenizer, text_encoder=text_encoder, vae=vae, scheduler=scheduler)
        check_parts(identity_encoder=identity_encoder, adapter=adapter)
        if transformer is not None:
            transformer = taken_over(transformer, vae)
        super().__init__(tokenizer, text_encoder, vae, transformer, scheduler)
        self.register_modules(identity_encoder=identity_encoder, adapter=None)
        if adapter is not None:
            self._put_in(adapter)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        adapter: str | Path | IdentityInjection | None = OF_FOLDER,
        identity_encoder: IdentityEncoder | str | None = OF_FOLDER,
        torch_dtype: parts.Dtypes = None,
        *,
        variant: str | None = None,
        **components: Any,
    ) -> MagicMirrorPipeline:
        """Load a backbone folder (diffusers layout) with its `identity_encoder/` and `adapter/`.

        `adapter` may be another folder, `identity_encoder` another encoder (for instance one from a
        PhotoMaker-V2 file); None leaves either out. `torch_dtype` is a dtype, its name, or a dict
        by component; `components` replaces parts by name (`vae=...`, `text_encoder=None`). Raises
        `UserError` when something is missing, the adapter does not fit, or an argument is unknown.
        """
        base = parts.path_of(pretrained_model_name_or_path, "pretrained_model_name_or_path")
        given = saving.components_given(components, identity_encoder, OF_FOLDER)
        dtypes = saving.dtype_given(torch_dtype, components)
        pipe = cls(**load_components(base, dtypes, variant, given))
        if isinstance(adapter, str) and adapter == OF_FOLDER:
            own = base / saving.ADAPTER_FOLDER
            adapter = own if own.is_dir() else None
        if isinstance(adapter, IdentityInjection):
            pipe._put_in(adapter)
        elif adapter is not None:
            pipe.load_adapter(adapter, parts.dtypes_by_part(dtypes)["adapter"])
        return pipe

    @classmethod
    def from_pipe(cls, pipeline: Any, **kwargs: Any) -> MagicMirrorPipeline:
        """As in diffusers, on the parts of `pipeline`; `torch_dtype` may also be a dtype's name."""
        return super().from_pipe(pipeline, **saving.of_pipe(pipeline, kwargs))

    def _put_in(self, adapter: IdentityInjection) -> None:
        """Take over an adapter that was made before, on this transformer or on another."""
        transformer = self._own_transformer()
        if self.identity_encoder is not None:
            adapter.config.check_recognizer(self.identity_encoder.recognizer_sha256)
        if not adapter.is_in(transformer):
            transformer.attach_adapter(adapter)
        self.register_modules(adapter=adapter)

    def save_pretrained(
        self,
        save_directory: str | Path,
        safe_serialization: bool = True,
        variant: str | None = None,
        max_shard_size: int | str | None = None,
        push_to_hub: bool = False,
    ) -> None:
        """Write a folder that both this class and the stock pipeline read.

        Below the stock layout lie `identity_encoder/` and `adapter/`. Raises `UserError` for
        pickles, an upload, a folder that holds something already, and what cannot be written.
        """
        folder = parts.path_of(save_directory, "save_directory")
        saving.save(
            self,
            folder,
            safe_serialization,
            push_to_hub,
            variant=variant,
            max_shard_size=max_shard_size,
        )

    def load_adapter(self, folder: str | Path, torch_dtype: parts.Dtype = None) -> None:
        """Put the adapter of `folder` in (replacing another one), in the backbone's dtype.

        Refuses other layers, width, base family or another conditioning recogniser.
        """
        parts.refuse_pickles(folder)
        digest = self.identity_encoder.recognizer_sha256 if self.identity_encoder else None
        transformer, dtype = self._own_transformer(), parts.dtype_named(torch_dtype)
        adapter = injections.read(folder, transformer, digest, dtype)
        self.register_modules(adapter=adapter)

    def save_adapter(self, folder: str | Path) -> Path:
        """Write the adapter folder (no base weights)."""
        return self._require_adapter().save_pretrained(parts.path_of(folder))

    def unload_adapter(self) -> None:
        """Take the adapter out; afterwards the pipeline is the plain base."""
        self._own_transformer().detach_layers()
        self.register_modules(adapter=None)

    @classmethod
    def lora_state_dict(cls, source: Any, **kwargs: Any) -> Any:
        """As in diffusers, from local safetensors only; a pickle file is refused by name."""
        parts.check_lora(source, kwargs.get("weight_name"))
        return super().lora_state_dict(source, **{**kwargs, "use_safetensors": True})

    def enable_sequential_cpu_offload(self, *args: Any, **kwargs: Any) -> None:
        """As in diffusers; the adapter's layers are fetched with the blocks that hold them."""
        with layers_of_blocks(self.adapter):
            super().enable_sequential_cpu_offload(*args, **kwargs)

    def enable_group_offload(self, *args: Any, **kwargs: Any) -> None:
        """As in diffusers without identity encoder and adapter; refused with them."""
        if self.adapter is not None or self.identity_encoder is not None:
            raise UserError(
                "Group offloading moves weights by block while the adapter reads some outside of "
                "it; use enable_model_cpu_offload or enable_sequential_cpu_offload."
            )
        super().enable_group_offload(*args, **kwargs)

    def _require_transformer(self) -> MagicMirrorTransformer3DModel:
        """The transformer itself, also where it was compiled."""
        if self.transformer is None:
            raise UserError("This pipeline has no transformer; give transformer=... when loading.")
        return unwrap_module(self.transformer)

    def _own_transformer(self) -> MagicMirrorTransformer3DModel:
        """The transformer as one of ours: a plain one that was assigned is taken over now."""
        if not isinstance(self._require_transformer(), MagicMirrorTransformer3DModel):
            self.register_modules(transformer=taken_over(self.transformer, self.vae))
        return self._require_transformer()

    def _require_adapter(self) -> IdentityInjection:
        if self.adapter is None:
            raise UserError(
                "No adapter is loaded; call load_adapter(folder) first, or leave the references "
                "out."
            )
        self.adapter.require_in(self._require_transformer())
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
        adapter, encoder = self._require_adapter(), self.identity_encoder
        if encoder is None:
            raise UserError(
                "This backbone has no identity_encoder folder; pass identity_encoder=... when "
                "loading."
            )
        adapter.config.check_recognizer(encoder.recognizer_sha256)
        margin = adapter.config.reference_margin
        subjects: list[IdentityInput] = subjects_of(
            references, faces, margin, encoder.image_size, detect
        )
        features = encoder.features(*batch_references(subjects, encoder.embed))
        device, dtype = self._execution_device, self.transformer.dtype
        return adapter.encode_identity(features.to(device, dtype))

    @torch.no_grad()
    def encode_identity_prompt(
        self,
        prompt: str | list[str],
        identity: IdentityCondition,
        max_sequence_length: int = TEXT_LENGTH,
    ) -> tuple[Tensor, Tensor]:
        """`prompt_embeds [B,L,D]` and `identity_mask [B,L]` of prompts with room for `identity`.

        Both go into a later call, which then needs no text encoder. The mask marks where the
        subject's word stands, two places for each reference.
        """
        plausible.check_encoding(prompt, identity, max_sequence_length)
        prompts = [prompt] if isinstance(prompt, str) else prompt
        longest = self._require_transformer().config.max_text_seq_length
        length = text_length(max_sequence_length, longest)
        counts = expand_condition(identity, len(prompts)).references
        trigger, device = self._require_adapter().config.trigger, self._execution_device
        self._require_text_encoder()
        ids, mask = encode_prompts(self.tokenizer, prompts, counts, length, trigger=trigger)
        embeds = encode_text(self.text_encoder, ids.to(device), self.transformer.dtype)
        return embeds.to(device), mask.to(device)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str] | None = None,
        negative_prompt: str | list[str] | None = None,
        height: int | None = None,
        width: int | None = None,
        num_frames: int | None = None,
        num_inference_steps: int = 50,
        timesteps: list[int] | None = None,
        guidance_scale: float = 6,
        use_dynamic_cfg: bool = False,
        num_videos_per_prompt: int = 1,
        eta: float = 0.0,
        generator: Generators = None,
        latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        attention_kwargs: Keywords | None = None,
        callback_on_step_end: Callable[..., Keywords] | None = None,
        callback_on_step_end_tensor_inputs: list[str] = ["latents"],  # noqa: B006
        max_sequence_length: int = TEXT_LENGTH,
        *,
        reference_images: Any = None,
        faces: Sequence[Any] | None = None,
        detect: Detect | None = None,
        identity: IdentityCondition | None = None,
        identity_mask: Tensor | None = None,
        id_scale: float = 1.0,
        ca_scale: float = 1.0,
        can_scale: float = 1.0,
        face_guidance: str = "null",
        id_guidance_scale: float | None = None,
        face_start_step: int = 0,
        noise_prior_gamma: float = 0.0,
    ) -> CogVideoXPipelineOutput | tuple[Any]:
        """Generate a clip of `prompt` with the identity of `reference_images` (or `identity`).

        The arguments before `reference_images` are the stock pipeline's and mean what they mean
        there. The subject's word is marked by the trigger (`a man img walks`) or found in a word
        list. `face_start_step` steps run without identity first. Raises `UserError` for what cannot
        be, and for what docs/diffusers.md says is refused.
        """
        asked = Asked.of(locals())
        asked.check()
        self._require_parts(asked)
        try:
            return self._plain(asked) if asked.plain else self._with_identity(asked)
        except BaseException:
            self.maybe_free_model_hooks()  # nothing that a call remembers reaches the next one
            raise

    def _plain(self, asked: Asked) -> CogVideoXPipelineOutput | tuple[Any]:
        """The stock pipeline; with an adapter the trigger is taken out of the prompts."""
        given, prompts = asked.stock(), asked.prompts
        if self.adapter is not None and isinstance(prompts, list):
            given["prompt"] = [clean_prompt(text, self.adapter.config.trigger) for text in prompts]
        if asked.noise_prior_gamma != 0.0:
            size = self._size(asked)
            noise = inputs.noise(self, asked, asked.rows, size)
            given["latents"] = noise / self.scheduler.init_noise_sigma  # the stock call scales too
        return super().__call__(**given)

    def _with_identity(self, asked: Asked) -> CogVideoXPipelineOutput | tuple[Any]:
        """The stock pipeline's steps in their order, with the identity's branches."""
        adapter, count = self._require_adapter(), asked.num_videos_per_prompt
        asked.check_identity(self.transformer.config.text_embed_dim)
        frames, height, width = self._size(asked)
        self.check_inputs(
            asked.prompt,
            height,
            width,
            asked.negative_prompt,
            asked.watched,
            asked.prompt_embeds,
            asked.negative_prompt_embeds,
        )
        transformer, start = self._require_transformer(), asked.face_start_step
        check_caches(transformer, asked.face_guidance, asked.guided, start)
        rows = asked.rows
        noise = inputs.noise(self, asked, rows * count, (frames, height, width))
        identity = asked.identity
        if identity is None:
            identity = self.encode_references(asked.reference_images, asked.faces, asked.detect)
        identity = expand_condition(identity, rows).to(self._execution_device)
        plain, mask, negative = inputs.texts(self, asked, identity)
        identity = repeat_condition(identity, count)
        fused = adapter.fuse_text(plain, mask, identity, asked.id_scale)
        latents = Sampler(self, asked, noise, Texts(fused, plain, negative), identity).run()
        video: Any = latents
        if asked.output_type != "latent":
            video = self.to_frames(latents, asked.output_type)
        self.maybe_free_model_hooks()
        return CogVideoXPipelineOutput(frames=video) if asked.return_dict else (video,)

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Frames `[B,3,T,H,W]` in [-1,1] of scaled latents `[B,t,C,h,w]`, as the stock does."""
        return super().decode_latents(latents.to(self.vae.dtype))

    def to_frames(self, latents: Tensor, output_type: str = "np") -> Any:
        """Frames (`np`, `pt` or `pil`) of scaled latents `[B,t,C,h,w]`, by the faster decoder."""
        latents = latents.to(self.vae.dtype)
        unscaled = latents.permute(0, 2, 1, 3, 4) / self.vae_scaling_factor_image
        video = folded_vae.decode_best(self.vae, unscaled)
        return self.video_processor.postprocess_video(video, output_type)

    @wraps(CogVideoXPipeline.encode_prompt)
    def encode_prompt(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        # as in the stock pipeline, in the dtype of the transformer that reads it
        if self.transformer is not None:
            kwargs.setdefault("dtype", self.transformer.dtype)
        return super().encode_prompt(*args, **kwargs)

    def _size(self, asked: Asked) -> tuple[int, int, int]:
        return asked.size(self.transformer.config, self.vae_scale_factor_spatial)

    def _require_parts(self, asked: Asked) -> None:
        """Raise `UserError` before any work where a part is missing that it will need."""
        self._require_transformer()
        if self.vae is None and asked.output_type != "latent":
            raise UserError("This pipeline has no VAE; ask for output_type='latent'.")
        if asked.prompt is not None or (asked.guided and asked.negative_prompt_embeds is None):
            self._require_text_encoder()

    def _require_text_encoder(self) -> None:
        if self.text_encoder is None or self.tokenizer is None:
            raise UserError(
                "This pipeline has no text encoder: give prompt_embeds, and negative_prompt_embeds "
                "where guidance_scale is above 1."
            )
