"""Sizes and training lengths of the tiny backbone as data.

Frozen dataclasses only; their digest names a checkpoint, so that a run never resumes from another
recipe. All values are design choices; those found by measurement say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mm_model.store import digests
from mm_model.store.atomic import Document

SIZE = 64
"""Side of a frame in pixels."""

FRAMES = 9
"""Frames of a clip; legal counts are 1 and 8k+1."""

FPS = 8
"""Frames per second of a clip."""


@dataclass(frozen=True)
class CacheRecipe:
    """What is rendered once: people of a split, pictures and portraits of each, clips."""

    split: str = "weights"
    seed: int = 0
    people: int = 1400
    pictures_each: int = 10
    portraits_each: int = 0
    clips: int = 10_500


PORTRAITS = CacheRecipe("encoder", people=30_000, pictures_each=0, portraits_each=2, clips=0)
"""Reference portraits for the identity encoder: many people, two portraits of each."""


@dataclass(frozen=True)
class Optimisation:
    """Muon and AdamW at one rate: linear warm-up, then cosine decay to `final_share` of it.

    The cosine runs over `horizon` steps (None: all of them). A second phase may follow: from step
    `second_from` on, the rate falls linearly from `second_rate` to nothing at the end. `workers`
    single-threaded processes share each batch; their number is part of the result.
    """

    steps: int
    learning_rate: float
    warmup: int = 100
    final_share: float = 0.02
    weight_decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0
    ema: float = 0.995
    workers: int = 2
    horizon: int | None = None
    second_from: int | None = None
    second_rate: float = 0.0


@dataclass(frozen=True)
class VaeRecipe:
    """`AutoencoderKLCogVideoX` and its two phases: single pictures (folded to 2-D), then clips.

    `face_weight` multiplies the error inside the face box, where identity lives; `likeness_weight`
    is that of 1 - cosine between a face and its copy, to the conditioning recogniser.
    """

    seed: int = 1
    channels: tuple[int, ...] = (24, 48, 56, 56)
    latent_channels: int = 16
    layers: int = 1
    groups: int = 8
    picture_steps: int = 1000
    picture_batch: int = 8
    clip_batch: int = 2
    mixed_pictures: int = 2
    face_weight: float = 3.0
    edge_weight: float = 0.5
    kl_weight: float = 1e-6
    likeness_weight: float = 0.0
    optimisation: Optimisation = Optimisation(
        steps=1330,
        learning_rate=2.5e-3,
        betas=(0.9, 0.95),
        ema=0.99,
        horizon=1800,
        second_from=1000,
        second_rate=2.5e-3,
    )

    def config(self) -> Document:
        """Keyword arguments of `AutoencoderKLCogVideoX`; scaling is set after training."""
        return {
            "block_out_channels": list(self.channels),
            "latent_channels": self.latent_channels,
            "layers_per_block": self.layers,
            "norm_num_groups": self.groups,
            "sample_height": SIZE,
            "sample_width": SIZE,
            "scaling_factor": 1.0,
        }


POLISH = VaeRecipe(
    seed=5,
    picture_steps=0,
    clip_batch=4,
    mixed_pictures=4,
    likeness_weight=0.15,
    optimisation=Optimisation(
        steps=1800, learning_rate=2e-3, warmup=50, betas=(0.9, 0.95), ema=0.995, workers=4
    ),
)
"""The VAE's second training, from the averages of the first: clips and likeness."""


@dataclass(frozen=True)
class DecoderRecipe:
    """The VAE's last phase: its decoder alone, on frozen latents, while the DiT may train.

    Half of the batches get noise of up to `noise` deviations, because what the DiT draws is never
    quite what the encoder would have said. `likeness_weight` as in `VaeRecipe`.
    """

    seed: int = 4
    clips: int = 4
    pictures: int = 4
    noise: float = 0.1
    likeness_weight: float = 0.3
    optimisation: Optimisation = Optimisation(
        steps=1000, learning_rate=1e-3, warmup=50, betas=(0.9, 0.95), ema=0.99, workers=4
    )


@dataclass(frozen=True)
class TextRecipe:
    """`T5EncoderModel` sizes; `max_length` is the padded length the DiT is trained with."""

    d_model: int = 96
    d_kv: int = 24
    d_ff: int = 192
    layers: int = 2
    heads: int = 4
    max_length: int = 32


@dataclass(frozen=True)
class DitRecipe:
    """`CogVideoXTransformer3DModel` with its text encoder.

    `image_batch` single pictures or `clip_batch` clips a step; `clip_share` of the steps are clips.
    `copies_share` of the captions repeat the class word 2R times, as identity prompts do.
    `face_weight` multiplies the error in latent cells that a face touches: backgrounds are many and
    would take most of a small model.
    """

    seed: int = 6
    layers: int = 6
    heads: int = 5
    head_dim: int = 32
    time_dim: int = 64
    patch: int = 2
    image_batch: int = 64
    clip_batch: int = 48
    clip_share: float = 0.65
    face_weight: float = 2.5
    drop_text: float = 0.1
    copies_share: float = 0.3
    text: TextRecipe = field(default_factory=TextRecipe)
    optimisation: Optimisation = Optimisation(
        steps=16_800, learning_rate=2e-3, warmup=200, ema=0.998, weight_decay=1e-2, workers=4
    )


@dataclass(frozen=True)
class IdentityRecipe:
    """CLIP-shaped vision encoder and identity perceiver, trained without the video DiT.

    The recogniser's vectors get noise of up to `blur` deviations and are withheld for `withhold` of
    the rows, so that the perceiver must look at the picture too.
    """

    seed: int = 3
    image: int = SIZE
    patch: int = 8
    hidden: int = 128
    mlp: int = 256
    layers: int = 4
    heads: int = 4
    id_dim: int = 128
    id_depth: int = 2
    batch: int = 48
    blur: float = 0.8
    withhold: float = 0.3
    optimisation: Optimisation = Optimisation(
        steps=6000, learning_rate=3e-3, warmup=100, weight_decay=0.02, betas=(0.9, 0.98), workers=3
    )


@dataclass(frozen=True)
class BackboneRecipe:
    """The whole backbone."""

    cache: CacheRecipe = field(default_factory=CacheRecipe)
    portraits: CacheRecipe = PORTRAITS
    vae: VaeRecipe = field(default_factory=VaeRecipe)
    polish: VaeRecipe = POLISH
    decoder: DecoderRecipe = field(default_factory=DecoderRecipe)
    dit: DitRecipe = field(default_factory=DitRecipe)
    identity: IdentityRecipe = field(default_factory=IdentityRecipe)


def digest(*parts: Any) -> str:
    """Hex digest of recipes and plain values, for the name of a checkpoint."""
    return digests.of_value([p if isinstance(p, (str, Mapping)) else asdict(p) for p in parts])
