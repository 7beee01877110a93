"""Clips of one person by a ConsisID checkpoint; the steps are those of diffusers' pipeline.

Noise may be correlated over latent frames (Magic-Me's noise prior).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import ConsisIDPipeline

from mm_model.consisid.faces import ConsisFace
from mm_model.diffusion.frames import check_frame_count
from mm_model.diffusion.schedule import correlate_frames
from mm_model.errors import UserError
from mm_model.generation import memory
from mm_model.generation.clips import telling
from mm_model.nn.cogvideox.tokenizer import load_tokenizer
from mm_model.nn.networks import load_network, without_bars
from mm_model.progress import OnStep
from mm_model.store import digests
from mm_model.vcd.animate import Take

FPS, STEPS, GUIDANCE = 8, 50, 6.0
"""Those of the published example."""

NETWORKS = {
    "text_encoder": ("transformers", "T5EncoderModel"),
    "transformer": ("diffusers", "ConsisIDTransformer3DModel"),
    "vae": ("diffusers", "AutoencoderKLCogVideoX"),
}
PARTS = (*NETWORKS, "tokenizer", "scheduler", "face_encoder")
_SCHEDULERS = ("CogVideoXDPMScheduler", "CogVideoXDDIMScheduler")


class _Correlating(ConsisIDPipeline):
    """The library's pipeline; what it draws as noise is correlated over latent frames."""

    gamma = 0.0

    def prepare_latents(self, *args: Any, **keywords: Any) -> Any:
        noise, picture = super().prepare_latents(*args, **keywords)
        for hook in getattr(self, "_all_hooks", ()):
            if hook.model is self.vae:  # it read the picture, and would stay beside the transformer
                hook.offload()
        return correlate_frames(noise, self.gamma, frame_dim=1), picture


@dataclass(frozen=True)
class ConsisSize:
    """Frames and pixels that a checkpoint was made for."""

    frames: int
    height: int
    width: int


class ConsisAnimator:
    """A ConsisID checkpoint on one device."""

    def __init__(self, pipe: ConsisIDPipeline) -> None:
        self._pipe = pipe
        pipe.set_progress_bar_config(disable=True)

    @property
    def pipe(self) -> Any:
        """The library's pipeline."""
        return self._pipe

    @property
    def own(self) -> ConsisSize:
        """What it makes where nothing is asked for."""
        config, factor = self._pipe.transformer.config, self._pipe.vae_scale_factor_spatial
        return ConsisSize(
            config.sample_frames, config.sample_height * factor, config.sample_width * factor
        )

    @torch.no_grad()
    def clip(self, take: Take, face: ConsisFace, on_step: OnStep | None = None) -> np.ndarray:
        """Frames uint8 `[F,H,W,3]` of the prompt, showing the face.

        Raises:
            UserError: a number of frames or a size that the checkpoint cannot make.
        """
        self.refuse(take)
        self._pipe.gamma = take.gamma
        made = self._pipe(
            image=face.picture,
            prompt=take.prompt,
            negative_prompt=take.negative or None,
            num_frames=take.frames,
            height=take.height,
            width=take.width,
            num_inference_steps=take.steps,
            guidance_scale=take.guidance,
            generator=torch.Generator("cpu").manual_seed(take.seed),
            id_cond=face.cond,
            id_vit_hidden=list(face.hidden),
            kps_cond=face.points,
            max_sequence_length=self._pipe.transformer.config.max_text_seq_length,
            output_type="np",
            callback_on_step_end=telling(on_step, 0, take.steps),
        ).frames[0]
        return (np.nan_to_num(np.asarray(made)).clip(0, 1) * 255).round().astype(np.uint8)

    def refuse(self, take: Take) -> None:
        """Raises `UserError` as `clip` does."""
        config = self._pipe.transformer.config
        if take.frames == 1:
            raise UserError("ConsisID makes clips, not pictures: ask for 9 frames or more.")
        check_frame_count(take.frames, config.sample_frames)
        unit = self._pipe.vae_scale_factor_spatial * config.patch_size
        if take.height % unit or take.width % unit or min(take.height, take.width) < unit:
            raise UserError(
                f"{take.width}x{take.height} pixels were asked for: give multiples of {unit}."
            )


def digest_of(folder: Path) -> str:
    """Names a checkpoint by all its parts, the encoders of faces among them.

    Raises:
        UserError: a part is missing.
    """
    refuse_other(folder)
    return digests.of_value({name: digests.of_folder(folder / name) for name in PARTS})


def refuse_other(folder: Path) -> None:
    """Raises `UserError` where a folder is no ConsisID checkpoint."""
    missing = [name for name in PARTS if not (folder / name).is_dir()]
    if missing:
        raise UserError(
            f"{folder} is no ConsisID checkpoint (it lacks {', '.join(missing)}): name the "
            "published folder with --weights."
        )


def load_consisid(
    folder: Path, device: torch.device, dtype: torch.dtype, low_memory: bool = False
) -> ConsisAnimator:
    """The checkpoint of `folder` in diffusers' layout, frozen.

    Raises:
        UserError: a part is missing, damaged, a pickle or of another kind.
    """
    refuse_other(folder)
    with without_bars():
        networks = {
            name: load_network(folder / name, kind, dtype, "ConsisID")
            for name, kind in NETWORKS.items()
        }
        tokenizer = load_tokenizer(folder / "tokenizer")
    pipe = _Correlating(tokenizer=tokenizer, scheduler=_scheduler(folder / "scheduler"), **networks)
    if low_memory:
        memory.spare(pipe, device)
    else:
        pipe.to(device)
    return ConsisAnimator(pipe)


def _scheduler(folder: Path) -> Any:
    """The one that the checkpoint names."""
    import diffusers

    path = folder / "scheduler_config.json"
    try:
        name = json.loads(path.read_text("utf-8"))["_class_name"]
        if name not in _SCHEDULERS:
            raise ValueError(name)
        return getattr(diffusers, name).from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no scheduler of ConsisID ({error}): fetch the checkpoint again."
        ) from error
