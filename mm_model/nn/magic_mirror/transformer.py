"""`MagicMirrorTransformer3DModel`: CogVideoX's transformer with identity inputs.

A subclass: base weights keep their names and load by identity; adapter tensors are extra keys below
`transformer_blocks.{even}.adapter.`. Without identity inputs the base forward itself runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.utils.peft_utils import apply_lora_scale
from torch import Tensor, nn

from mm_model.errors import UserError, first_line
from mm_model.nn.injection.config import InjectionConfig
from mm_model.nn.injection.layer import AfterBlock
from mm_model.nn.magic_mirror.attention import MagicMirrorAttnProcessor
from mm_model.nn.magic_mirror.block import LayerModulation, MagicMirrorBlock, register_for_caching
from mm_model.nn.magic_mirror.modulation import (
    ModulationTable,
    build_modulation_table,
    modulation_modules,
)
from mm_model.nn.offload import execution_device, is_offloaded, present
from mm_model.nn.parts import Keywords, check_lora
from mm_model.nn.sharing import ADAPTER_PART, refuse_hooks, sharing


class Fitted(Protocol):
    """What has its place in a transformer's blocks: see `mm_model.nn.injection.port`."""

    config: InjectionConfig
    layers: nn.ModuleDict


class MagicMirrorTransformer3DModel(CogVideoXTransformer3DModel):
    """The backbone DiT with optional layer adapters; `forward` adds the face inputs as keywords.

    Takes the configuration fields of `CogVideoXTransformer3DModel` and no others; adapters are put
    in by `attach_layers`, never by the constructor.
    """

    transformer_blocks: nn.ModuleList

    _no_split_modules: ClassVar[list[str]] = ["MagicMirrorBlock", "CogVideoXPatchEmbed"]
    _repeated_blocks: ClassVar[list[str]] = ["MagicMirrorBlock"]
    _skip_layerwise_casting_patterns: ClassVar[list[str]] = ["patch_embed", "norm", "adapter"]

    def __init__(self, **base: Any) -> None:
        super().__init__(**base)
        self.transformer_blocks = nn.ModuleList(
            MagicMirrorBlock(block) for block in self.transformer_blocks
        )
        register_for_caching()

    @staticmethod
    def _get_init_keys(input_class: type[CogVideoXTransformer3DModel]) -> set[str]:
        """Configuration fields are the base class's; this constructor only passes them on."""
        keys = set(inspect.signature(input_class.__init__).parameters)
        if issubclass(input_class, MagicMirrorTransformer3DModel):
            keys |= set(inspect.signature(CogVideoXTransformer3DModel.__init__).parameters)
            keys.discard("base")
        return keys

    @classmethod
    def from_base(
        cls,
        base: CogVideoXTransformer3DModel | str | Path,
        torch_dtype: torch.dtype | None = None,
        subfolder: str | None = None,
    ) -> MagicMirrorTransformer3DModel:
        """Take over a plain CogVideoX transformer (object or diffusers folder, safetensors only).

        Tensors are shared with a given object, not copied; its attention processors and gradient
        checkpointing come along. The result is in eval mode. Raises `UserError` when the folder
        holds no such transformer, or the object is offloaded or carries LoRA layers, fused
        projections or a hook of diffusers.
        """
        if not isinstance(base, CogVideoXTransformer3DModel):
            base = _load_base(base, torch_dtype, subfolder)
        refuse_hooks(base)
        return sharing(cls, base).eval()

    def to_base(self) -> CogVideoXTransformer3DModel:
        """The plain CogVideoX transformer on the same tensors, without the adapter's.

        Raises `UserError` when this one is offloaded or carries LoRA layers or fused projections.
        """
        return sharing(CogVideoXTransformer3DModel, self).train(self.training)

    @property
    def width(self) -> int:
        """DiT width d."""
        return self.config.num_attention_heads * self.config.attention_head_dim

    def attach_layers(self, layers: Mapping[int, nn.Module]) -> None:
        """Put modules into the blocks of these numbers, and none into the others."""
        self.check_places()
        self.detach_layers()
        for number, layer in layers.items():
            self.transformer_blocks[number].adapter = layer

    def attach_adapter(self, adapter: Fitted) -> None:
        """Put the layers of an adapter that was made before into this transformer, as they are.

        Raises `UserError` when it belongs to another backbone shape.
        """
        adapter.config.check_backbone(self.config)
        self.attach_layers({int(number): layer for number, layer in adapter.layers.items()})

    def check_places(self) -> None:
        """Refuse new layers where hooks or another processor would leave them without weights.

        Raises:
            UserError: the transformer is offloaded, or an attention processor of others is in.
        """
        if is_offloaded(self):
            raise UserError(
                "The transformer is offloaded, so an adapter put in now would have no weights; "
                "load the adapter before offloading, or call remove_all_hooks() first."
            )
        self._check_processors(self.transformer_blocks)

    def _check_processors(self, blocks: Iterable[nn.Module]) -> None:
        for block in blocks:
            if not isinstance(block.attn1.processor, MagicMirrorAttnProcessor):
                raise UserError(
                    f"The attention processor is {type(block.attn1.processor).__name__}, which "
                    "would drop the attention to the face; undo fuse_qkv_projections or "
                    "set_attn_processor, or leave the identity out."
                )

    @contextmanager
    def _layers_aside(self) -> Iterator[None]:
        """Meanwhile the blocks are plain: what is told to find projections finds the base's."""
        kept = [block.adapter for block in self.transformer_blocks]
        self.detach_layers()
        try:
            yield
        finally:
            for block, layer in zip(self.transformer_blocks, kept, strict=True):
                block.adapter = layer

    def add_adapter(self, adapter_config: Any, adapter_name: str = "default") -> None:
        """Add a LoRA for training (peft); it never enters the identity adapter's projections."""
        with self._layers_aside():
            super().add_adapter(adapter_config, adapter_name)

    def load_lora_adapter(self, source: Any, *args: Any, **kwargs: Any) -> Any:
        """Load a LoRA (peft) into the base's projections, never into the identity adapter's.

        `source` is a state dict, or a folder or file of safetensors: a pickle is refused by name.
        """
        check_lora(source, kwargs.get("weight_name"))
        with self._layers_aside():
            return super().load_lora_adapter(source, *args, **{**kwargs, "use_safetensors": True})

    def detach_layers(self) -> None:
        """Remove all layer adapters; afterwards this is the plain base."""
        for block in self.transformer_blocks:
            block.adapter = None

    def base_parameters(self) -> list[nn.Parameter]:
        """Parameters of the backbone alone."""
        return [p for n, p in self.named_parameters() if ADAPTER_PART not in n]

    def time_embed(
        self, timestep: Tensor, timestep_cond: Tensor | None, dtype: torch.dtype
    ) -> Tensor:
        """Time embedding `[B,t]` of `timestep [B]`, as the base computes it."""
        return self.time_embedding(self.time_proj(timestep).to(dtype=dtype), timestep_cond)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        timestep_cond: Tensor | None = None,
        ofs: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        attention_kwargs: Keywords | None = None,
        return_dict: bool = True,
        *,
        face_tokens: Tensor | None = None,
        id_code: Tensor | None = None,
        can_scale: float = 1.0,
        ca_scale: float = 1.0,
        id_scale: float = 1.0,
        modulation: Sequence[LayerModulation] | None = None,
    ) -> Transformer2DModelOutput | tuple[Tensor]:
        """Predict v `[B,T,C,H,W]` for noisy latents `hidden_states` of that shape.

        Identity inputs: `face_tokens [B,F,d]` (x_face; of any width where modules behind a block
        read them), `id_code [B,c]` (projected, flattened
        x_id). `id_scale` multiplies the CAN shifts and the cross-attention; at 0, or without
        identity, the base forward runs untouched. `modulation` holds one `LayerModulation` a layer
        (tables).
        """
        no_identity = id_scale == 0.0 or (face_tokens is None and id_code is None)
        base_inputs = {
            "hidden_states": hidden_states,
            "encoder_hidden_states": encoder_hidden_states,
            "timestep": timestep,
            "timestep_cond": timestep_cond,
            "ofs": ofs,
            "image_rotary_emb": image_rotary_emb,
            "attention_kwargs": attention_kwargs,
        }
        if face_tokens is not None and not no_identity:
            self._check_processors(b for b in self.transformer_blocks if b.adapter is not None)
        if no_identity and modulation is None:
            # The very code of the base, so that without identity not a bit differs.
            return super().forward(**base_inputs, return_dict=return_dict)
        if no_identity:
            face_tokens = id_code = None
        sample = self._forward_identity(
            **base_inputs,
            face_tokens=face_tokens,
            id_code=id_code,
            scales=(id_scale * can_scale, id_scale * ca_scale),
            modulation=modulation,
        )
        return Transformer2DModelOutput(sample=sample) if return_dict else (sample,)

    @apply_lora_scale("attention_kwargs")
    def _forward_identity(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        timestep_cond: Tensor | None,
        ofs: Tensor | None,
        image_rotary_emb: tuple[Tensor, Tensor] | None,
        attention_kwargs: Keywords | None,
        face_tokens: Tensor | None,
        id_code: Tensor | None,
        scales: tuple[float, float],
        modulation: Sequence[LayerModulation] | None,
    ) -> Tensor:
        """The base forward with face tokens packed in front of the text tokens."""
        shape = hidden_states.shape
        temb = self.time_embed(timestep, timestep_cond, hidden_states.dtype)
        if self.ofs_embedding is not None:
            temb = temb + self.ofs_embedding(self.ofs_proj(ofs).to(dtype=hidden_states.dtype))
        states = self.embedding_dropout(self.patch_embed(encoder_hidden_states, hidden_states))
        text_length = encoder_hidden_states.shape[1]
        encoder, video = states[:, :text_length], states[:, text_length:]
        face_length, tokens = 0, None
        if face_tokens is not None and self._has_face_stream():
            face_length = face_tokens.shape[1]
            encoder = torch.cat([face_tokens.to(encoder.dtype), encoder], dim=1)
        elif face_tokens is not None:
            tokens = face_tokens.to(encoder.dtype)
        if id_code is not None:
            id_code = id_code.to(encoder.dtype)
        for index, block in enumerate(self.transformer_blocks):
            inputs: Keywords = {
                "hidden_states": video,
                "encoder_hidden_states": encoder,
                "temb": temb,
                "image_rotary_emb": image_rotary_emb,
                "attention_kwargs": attention_kwargs,
                "face_length": face_length,
                "id_code": id_code,
                "can_scale": scales[0],
                "ca_scale": scales[1],
                "modulation": modulation[index] if modulation is not None else None,
                "tokens": tokens,
            }
            if torch.is_grad_enabled() and self.gradient_checkpointing:
                # checkpointing of diffusers hands over by place alone: the order is forward's
                video, encoder = self._gradient_checkpointing_func(block, *inputs.values())
            else:
                video, encoder = block(**inputs)
        video = self.norm_out(self.norm_final(video), temb=temb)
        return self._unpatchify(self.proj_out(video), shape)

    def _has_face_stream(self) -> bool:
        """Whether face tokens run beside the text's; modules behind a block read them as given."""
        layers = [block.adapter for block in self.transformer_blocks]
        return not any(isinstance(layer, AfterBlock) for layer in layers)

    def _unpatchify(self, tokens: Tensor, shape: torch.Size) -> Tensor:
        """Tokens `[B,V,p*p*(p_t)*C]` -> `[B,T,C,H,W]`, in the base's order of patch dimensions."""
        batch, frames, _, height, width = shape
        p, p_t = self.config.patch_size, self.config.patch_size_t
        if p_t is None:
            grid = tokens.reshape(batch, frames, height // p, width // p, -1, p, p)
            return grid.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)
        steps = (frames + p_t - 1) // p_t
        grid = tokens.reshape(batch, steps, height // p, width // p, -1, p_t, p, p)
        return grid.permute(0, 1, 5, 4, 2, 6, 3, 7).flatten(6, 7).flatten(4, 5).flatten(1, 2)

    @torch.no_grad()
    def modulation_table(
        self, timesteps: Tensor, id_code: Tensor | None = None, can_scale: float = 1.0
    ) -> ModulationTable:
        """Modulation of all layers for `timesteps [T]`; `id_code [B,c]` or None for the plain base.

        Pass `table.step(i)` as `modulation`; it equals the direct path up to rounding.
        """
        device, dtype = execution_device(self), self.dtype
        with present(self):
            temb = self.time_embed(timesteps.to(device), None, dtype)
            if id_code is not None:
                id_code = id_code.to(device, dtype)
            blocks = self.transformer_blocks
            return build_modulation_table(blocks, timesteps, temb, id_code, can_scale)

    def move_modulation(self, device: torch.device | str) -> None:
        """Move the layers that a modulation table replaces (to "cpu" while sampling, then back)."""
        for module in modulation_modules(self.transformer_blocks):
            module.to(device)

    def fuse_qkv_projections(self) -> None:
        """As in CogVideoX; refused with an adapter, whose face attention it would drop."""
        if any(block.adapter is not None for block in self.transformer_blocks):
            raise UserError(
                "Fused QKV projections would drop the face attention of the adapter; leave "
                "fuse_qkv_projections out, or unload the adapter first."
            )
        super().fuse_qkv_projections()


def _load_base(
    path: str | Path, dtype: torch.dtype | None, subfolder: str | None
) -> CogVideoXTransformer3DModel:
    folder = Path(path) / (subfolder or "")
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} holds no transformer: config.json is missing there.")
    try:
        return CogVideoXTransformer3DModel.from_pretrained(
            str(folder), torch_dtype=dtype, use_safetensors=True, local_files_only=True
        )
    except OSError as error:
        raise UserError(
            f"{folder} could not be loaded as a CogVideoX transformer from safetensors files: "
            f"{first_line(error)}"
        ) from error
