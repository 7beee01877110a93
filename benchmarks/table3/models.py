"""The networks of table 3 with random weights, made where they compute, and what goes into them.

Nothing is zero: a fresh adapter adds nothing, and would hide an error in what is compared, and
products with zeros run faster than others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mm_model.generation.guidance import stack_conditions
from mm_model.nn.cogvideox.rotary import rotary_table
from mm_model.nn.identity.photomaker import meta_parts
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.modulation import ModulationTable
from mm_model.nn.magic_mirror.presets import (
    CLIP_VIT_L14,
    COGVIDEOX_5B_TRANSFORMER,
    ID_PERCEIVER_V2,
    T5_XXL_ENCODER,
    adapter_config,
)
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel

STEPS = 50
_STD = 0.02
_GUIDED = 2
_VAE: Mapping[str, Any] = {
    "down_block_types": ("CogVideoXDownBlock3D",) * 4,
    "up_block_types": ("CogVideoXUpBlock3D",) * 4,
    "scaling_factor": 0.7,
}


@dataclass(frozen=True)
class Dimensions:
    """The configurations of all parts, and the latents `[frames, height, width]` of a clip."""

    transformer: Mapping[str, Any]
    vae: Mapping[str, Any]
    text: Mapping[str, Any]
    vision: Mapping[str, Any]
    perceiver: dict[str, int]
    preset: str
    latents: tuple[int, int, int]

    @classmethod
    def of(cls, size: str, preset: str) -> "Dimensions":
        """Those of CogVideoX-5B's published layout, or small ones of the same classes."""
        if size == "full":
            vae = {"block_out_channels": (128, 256, 256, 512), "latent_channels": 16}
            vae |= {"layers_per_block": 3, "sample_height": 480, "sample_width": 720}
            return cls(
                COGVIDEOX_5B_TRANSFORMER,
                {**_VAE, **vae},
                T5_XXL_ENCODER,
                CLIP_VIT_L14,
                ID_PERCEIVER_V2,
                preset,
                (13, 60, 90),
            )
        return _SMALL


_SMALL = Dimensions(
    transformer={
        **COGVIDEOX_5B_TRANSFORMER,
        "num_layers": 4,
        "num_attention_heads": 2,
        "attention_head_dim": 16,
        "in_channels": 8,
        "out_channels": 8,
        "time_embed_dim": 32,
        "text_embed_dim": 32,
        "max_text_seq_length": 16,
        "sample_width": 8,
        "sample_height": 8,
        "sample_frames": 9,
    },
    vae={
        **_VAE,
        "block_out_channels": (8, 8, 8, 8),
        "latent_channels": 8,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "sample_height": 64,
        "sample_width": 64,
    },
    text={
        "d_model": 32,
        "d_kv": 8,
        "num_heads": 4,
        "d_ff": 64,
        "num_layers": 2,
        "feed_forward_proj": "gated-gelu",
        "vocab_size": 64,
    },
    vision={
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "patch_size": 14,
        "image_size": 28,
        "projection_dim": 16,
    },
    perceiver={
        "embedding_dim": 16,
        "dim": 32,
        "depth": 2,
        "heads": 2,
        "head_dim": 16,
        "context_dim": 24,
    },
    preset="tiny",
    latents=(3, 8, 8),
)


def count(*modules: nn.Module) -> int:
    """Parameters of all of them, each once."""
    found = {id(p): p.numel() for module in modules for p in module.parameters()}
    return sum(found.values())


@torch.no_grad()
def made(module: nn.Module, device: torch.device, dtype: torch.dtype, seed: int) -> nn.Module:
    """A meta module with random weights on the device: norms about one, all else small."""
    nn.Module.to(module, dtype).to_empty(device=device)
    if hasattr(module, "tie_weights"):
        module.tie_weights()
    generator = torch.Generator(device).manual_seed(seed)
    for name, parameter in module.named_parameters():
        # 0.02 in the 5B model's width: each layer's result is about as large as what it was given
        fan_in = parameter[0].numel() if parameter.ndim > 1 else None
        std = fan_in**-0.5 if fan_in else _STD
        parameter.normal_(0.0, std, generator=generator)
        if "norm" in name and name.endswith("weight") and parameter.ndim == 1:
            parameter.add_(1.0)
    return module.requires_grad_(False).eval()


def meta_networks(sizes: Dimensions) -> tuple[MagicMirrorTransformer3DModel, MagicMirrorAdapter]:
    """Our transformer and its adapter, without storage."""
    with torch.device("meta"):
        ours = MagicMirrorTransformer3DModel(**sizes.transformer)
    clip, dim = sizes.perceiver["context_dim"], sizes.perceiver["dim"]
    return ours, MagicMirrorAdapter.create(
        ours, adapter_config(sizes.preset, ours.config, clip, dim)
    )


def meta_text(sizes: Dimensions) -> nn.Module:
    """T5's encoder, without storage."""
    from transformers import T5Config, T5EncoderModel

    with torch.device("meta"):
        return T5EncoderModel(T5Config(**sizes.text))


def meta_vae(sizes: Dimensions) -> nn.Module:
    """The VAE, without storage."""
    from diffusers import AutoencoderKLCogVideoX

    with torch.device("meta"):
        return AutoencoderKLCogVideoX(**sizes.vae)


def meta_identity(sizes: Dimensions) -> nn.ModuleList:
    """CLIP and the identity perceiver, without storage."""
    return nn.ModuleList(meta_parts(sizes.vision, sizes.perceiver))


class Pair:
    """The plain base and ours on the same tensors, and Gaussian inputs that both are given.

    Both sides of guidance are one batch of two, as in the pipeline.
    """

    def __init__(self, sizes: Dimensions, device: torch.device, dtype: torch.dtype) -> None:
        self.sizes, self.device, self.dtype = sizes, device, dtype
        self.ours, self.adapter = meta_networks(sizes)
        made(self.adapter, device, dtype, 1)  # its layers' storage is made anew with the next line
        made(self.ours, device, dtype, 2)
        self.base = self.ours.to_base()
        frames, height, width = sizes.latents
        config, generator = self.ours.config, torch.Generator(device).manual_seed(3)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, device=device).to(dtype)

        shape = (1, frames, config["in_channels"], height, width)
        self.latents = [drawn(*shape) for _ in range(STEPS)]
        self.text = drawn(_GUIDED, config["max_text_seq_length"], config["text_embed_dim"])
        self.timesteps = torch.arange(999, -1, -1000 // STEPS, device=device)
        self.rotary = rotary_table(config, frames, height, width, device)
        patches = (sizes.vision["image_size"] // sizes.vision["patch_size"]) ** 2 + 1
        self.features = IdentityFeatures(
            drawn(1, 1, 2, sizes.perceiver["dim"]),
            drawn(1, 1, patches, sizes.vision["hidden_size"]),
            torch.ones(1, 1, dtype=torch.bool, device=device),
        )
        self.condition = self.identity()

    @torch.no_grad()
    def identity(self) -> dict[str, Tensor]:
        """What the transformer is told of the person, and of nobody in the other half."""
        null = self.adapter.null_condition(1, dtype=self.dtype)
        both = stack_conditions([null, self.adapter.encode_identity(self.features)])
        return {
            name: value for name, value in both.transformer_inputs().items() if value is not None
        }

    def table(self) -> ModulationTable:
        """Modulation of all steps."""
        return self.ours.modulation_table(self.timesteps, self.condition["id_code"])

    @torch.no_grad()
    def base_step(self, number: int) -> Tensor:
        """The plain base's prediction for a step's latents."""
        return self.base(**self._asked(number), return_dict=False)[0]

    @torch.no_grad()
    def our_step(self, number: int, table: ModulationTable | None = None) -> Tensor:
        """Ours, for the same latents; a table replaces the modulation layers."""
        modulation = table.step(number) if table is not None else None
        asked = {**self._asked(number), **self.condition, "modulation": modulation}
        return self.ours(**asked, return_dict=False)[0]

    def _asked(self, number: int) -> dict[str, Any]:
        return {
            "hidden_states": torch.cat([self.latents[number % STEPS]] * _GUIDED),
            "encoder_hidden_states": self.text,
            "timestep": self.timesteps[number % STEPS].expand(_GUIDED),
            "image_rotary_emb": self.rotary,
        }
