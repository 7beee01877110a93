"""What the phases of a proof share: what was asked for, and what earlier phases made."""

from __future__ import annotations

import json
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from mm_model.diffusion.frames import check_frame_count
from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.generation.clips import Size, pipeline_of
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.parts import Keywords
from mm_model.proving.sample import DrawnSample, drawn
from mm_model.settings.device import device_named

_PUBLISHED_WIDTH = 1920
"""Width of the smallest published transformer; narrower ones take the small adapter."""


@dataclass(frozen=True)
class ProofOptions:
    """What is asked of a proof. None leaves a value to the weights: the size they were trained at,
    `paper` (or `tiny` for small weights), bfloat16 on CUDA and float32 on a CPU.
    """

    weights: Path
    _: KW_ONLY
    preset: str | None = None
    device: str = "auto"
    dtype: str | None = None
    frames: int | None = None
    size: tuple[int, int] | None = None
    sampling_steps: int = 10
    training_steps: int = 20
    learning_rate: float = 1e-5
    seed: int = 0

    def as_dict(self) -> Keywords:
        """JSON-ready, without the folder's place."""
        names = ("preset", "device", "dtype", "frames", "size", "sampling_steps", "training_steps")
        return {name: getattr(self, name) for name in (*names, "learning_rate", "seed")}


@dataclass(eq=False)
class Workbench:
    """Grows from phase to phase; what a phase needs of an earlier one stands here."""

    options: ProofOptions
    clip: Path
    """Where the clip is written."""
    parts: dict[str, Backbone | MagicMirrorAdapter] = field(default_factory=dict)
    features: IdentityFeatures | None = None
    texts: dict[str, Tensor] = field(default_factory=dict)
    latents: Tensor | None = None
    """Scaled latents of the drawn picture, `[1,1,C,h,w]`."""

    @cached_property
    def device(self) -> torch.device:
        """Where it computes."""
        return device_named(self.options.device, "--device")

    @cached_property
    def dtype(self) -> torch.dtype:
        """What the frozen parts compute in."""
        usual = "bfloat16" if self.device.type == "cuda" else "float32"
        return getattr(torch, self.options.dtype or usual)

    @property
    def backbone(self) -> Backbone:
        """The loaded backbone."""
        found = self.parts["backbone"]
        assert isinstance(found, Backbone)
        return found

    @property
    def adapter(self) -> MagicMirrorAdapter:
        """The fresh adapter."""
        found = self.parts["adapter"]
        assert isinstance(found, MagicMirrorAdapter)
        return found

    @property
    def preset(self) -> str:
        """Sizes of the adapter."""
        wide = self.backbone.transformer.width >= _PUBLISHED_WIDTH
        return self.options.preset or ("paper" if wide else "tiny")

    @cached_property
    def size(self) -> Size:
        """Of the clip. Raises `UserError` where the model could not make it."""
        return _size(self.options, self.backbone.transformer.config, self.backbone.latent_factor)

    @cached_property
    def sample(self) -> DrawnSample:
        """The drawn person in a frame of that size."""
        return drawn(self.size.height, self.size.width, self.options.seed)

    def pipeline(self) -> Any:
        """Ours over the loaded parts; texts come as embeddings, so that T5 need not stay."""
        return pipeline_of(replace(self.backbone, text_encoder=None), self.adapter)

    def call(self, steps: int) -> Keywords:
        """Arguments of one call of a pipeline, ours or the stock one."""
        return {
            "prompt_embeds": self.texts["prompt"],
            "negative_prompt_embeds": self.texts["empty"],
            "num_frames": self.size.num_frames,
            "height": self.size.height,
            "width": self.size.width,
            "num_inference_steps": steps,
            "generator": torch.Generator().manual_seed(self.options.seed),
            "max_sequence_length": self.backbone.text_length,
            "output_type": "latent",
            "return_dict": False,
        }

    def identity(self) -> Keywords:
        """Further arguments of ours: who is shown."""
        assert self.features is not None
        adapter = self.adapter
        with torch.no_grad():
            found = adapter.encode_identity(self.features.to(self.device, adapter.dtype))
        return {"identity": found, "identity_mask": self.texts["mask"]}


def check_options(options: ProofOptions) -> None:
    """Before anything is loaded, by the folder's configurations alone.

    Raises:
        UserError: there is no such preset, or the model could not make a clip of that size. Where
            the folder does not say its sizes, the proof's first phases tell that.
    """
    if options.preset not in (None, *MagicMirrorAdapter.PRESETS):
        raise UserError(
            f"--preset is {options.preset!r}: choose one of "
            f"{', '.join(MagicMirrorAdapter.PRESETS)}."
        )
    folders = [options.weights / part for part in ("transformer", "vae")]
    if not all((folder / "config.json").is_file() for folder in folders):
        return
    try:
        config, vae = (json.loads((folder / "config.json").read_bytes()) for folder in folders)
        factor = 2 ** (len(vae["block_out_channels"]) - 1)
        _size(options, SimpleNamespace(**config), factor)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # the phase `files` names what is wrong
        return


def _size(options: ProofOptions, config: Any, factor: int) -> Size:
    """The clip's size, of a transformer's `config` and pixels per latent cell."""
    usual = (config.sample_height * factor, config.sample_width * factor)
    height, width = options.size or usual
    cells = factor * config.patch_size
    if height % cells or width % cells or min(height, width) < 32:
        raise UserError(
            f"--size is {height}x{width}: height and width must be multiples of {cells}, and "
            "at least 32."
        )
    longest = config.sample_frames
    wanted = longest if options.frames is None else options.frames
    return Size(num_frames=check_frame_count(wanted, longest), height=height, width=width)
