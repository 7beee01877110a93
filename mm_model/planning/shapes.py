"""How large the model is that a profile names: tokens, FLOPs, parameters, from its configuration.

FLOPs count a multiplication and an addition as two. What the embedding layers and norms add is
under a percent and left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.nn.magic_mirror.presets import COGVIDEOX_5B_TRANSFORMER
from mm_model.settings import ModelSettings, TrainSettings

_DOWN = 8
_CLIP_TOKENS, _CLIP_WIDTH = 257, 1024
_EMBEDDING = 512
TRAINED = {
    "paper": 1.7335e9,
    "paper_wide": 1.78e9,
    "mid": 1.29e9,
    "lite": 1.073e9,
    "lean": 7.494e8,
    "tiny": 1.9e6,
}
"""Parameters of the adapter by preset; counted by tests/nn/test_paper_sizes.py."""
MODULATION = {
    "paper": 1.0807e9,
    "paper_wide": 4.2007e8,
    "mid": 6.4028e8,
    "lite": 4.2007e8,
    "lean": 2.5492e8,
    "tiny": 1.2574e6,
}
"""Those of them that predict modulation, all that `trained: modulation` teaches."""
OUTSIDE = {"paper_wide": 9.6e8, "lean": 9.82e7, "tiny": 1e6}
"""Those of them outside the blocks; `_OUTSIDE` of the other presets."""
_OUTSIDE = 2.566e8


@dataclass(frozen=True)
class Parts:
    """Parameters of what is frozen: transformer, text encoder, VAE, and the identity encoder."""

    transformer: float
    text: float
    vae: float
    identity: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.transformer + self.text + self.vae + self.identity


PUBLISHED = Parts(5.5703e9, 4.7623e9, 0.2156e9, 0.5203e9)
EMBEDDED = Parts(2.677e6, 2.02e5, 2.398e6, 1.742e6)


@dataclass(frozen=True)
class Shape:
    """The transformer's sizes for one profile's frames of `height` x `width` pixels."""

    layers: int
    width: int
    text_tokens: int
    text_width: int
    patch: int
    channels: int
    squeeze: int
    height: int
    wide: int
    parts: Parts
    adapter: float
    modulation: float
    outside: float
    down: int = _DOWN

    def latent_frames(self, frames: int) -> int:
        """Latent frames of so many frames."""
        return 1 + (frames - 1) // self.squeeze

    def cells(self, frames: int) -> int:
        """Numbers a channel of the latents of so many frames."""
        return self.latent_frames(frames) * (self.height // self.down) * (self.wide // self.down)

    def tokens(self, frames: int) -> int:
        """Text and video tokens of a sample."""
        return self.text_tokens + self.cells(frames) // self.patch**2

    def linear(self, frames: int) -> float:
        """TFLOP of one forward pass in the linear layers."""
        return self.layers * self.tokens(frames) * 24 * self.width**2 / 1e12

    def attention(self, frames: int) -> float:
        """TFLOP of one forward pass in attention."""
        return self.layers * 4 * self.tokens(frames) ** 2 * self.width / 1e12

    def forward(self, frames: int) -> float:
        """TFLOP of one forward pass of one sample."""
        return self.linear(frames) + self.attention(frames)

    def trained_sample(self, frames: int, checkpointing: bool) -> float:
        """TFLOP of one sample of a training step: no weight of the base gets a gradient."""
        again = self.forward(frames) if checkpointing else 0.0
        return self.forward(frames) + again + self.linear(frames) + 2.5 * self.attention(frames)

    def trained(self, rules: TrainSettings) -> float:
        """Numbers of the adapter that a training changes."""
        return self.modulation if rules.trained == "modulation" else self.adapter

    def pixels(self, frames: int) -> int:
        """Pixels of so many frames."""
        return frames * self.height * self.wide

    @property
    def vae_scale(self) -> float:
        """Parameters of the VAE over those of the published one."""
        return self.parts.vae / PUBLISHED.vae

    @property
    def encode_text(self) -> float:
        """TFLOP to encode one text."""
        return 2 * self.parts.text * self.text_tokens / 1e12

    def latent_numbers(self, frames: int) -> float:
        """Numbers of a posterior's mean and log-variance."""
        return 2.0 * self.channels * self.cells(frames)

    @property
    def text_numbers(self) -> float:
        """Numbers of one text's states; T5 runs on the padding too, so all of them are kept."""
        return float(self.text_tokens * self.text_width)

    @property
    def reference_numbers(self) -> float:
        """Numbers of a reference: vision tokens and its vectors."""
        return float(_CLIP_TOKENS * _CLIP_WIDTH + 3 * _EMBEDDING)


def shape_of(model: ModelSettings, backbone: Path) -> Shape:
    """The shape for a profile's section `model`; that of the preset `tiny` is read from `backbone`.

    Raises:
        UserError: the backbone's folder does not say its sizes.
    """
    small = model.preset == "tiny"
    config = _written(backbone) if small else COGVIDEOX_5B_TRANSFORMER
    return Shape(
        layers=config["num_layers"],
        width=config["num_attention_heads"] * config["attention_head_dim"],
        text_tokens=config["max_text_seq_length"],
        text_width=config["text_embed_dim"],
        patch=config["patch_size"],
        channels=config["in_channels"],
        squeeze=config["temporal_compression_ratio"],
        height=model.height,
        wide=model.width,
        parts=EMBEDDED if small else PUBLISHED,
        adapter=TRAINED[model.preset],
        modulation=MODULATION[model.preset],
        outside=OUTSIDE.get(model.preset, _OUTSIDE),
    )


def _written(backbone: Path) -> Mapping[str, Any]:
    path = backbone / "transformer" / "config.json"
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise UserError(
            f"{path} cannot be read, and says the model's size: correct backbone in params.yaml."
        ) from None
