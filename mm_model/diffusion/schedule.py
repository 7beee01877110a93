"""The noise schedule: explicit scheduler configuration, velocity arithmetic, seeded draws.

A scheduler is only ever built from a complete configuration: the library's defaults (epsilon,
clipped samples, SNR shift 3) are wrong for CogVideoX-5B.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mm_model.errors import UserError

COGVIDEOX_5B: Mapping[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "snr_shift_scale": 1.0,
    "timestep_spacing": "trailing",
    "clip_sample": False,
    "set_alpha_to_one": True,
    "steps_offset": 0,
    "sample_max_value": 1.0,
    "clip_sample_range": 1.0,
    "trained_betas": None,
}
SCHEDULERS = {"ddim": "CogVideoXDDIMScheduler", "dpm": "CogVideoXDPMScheduler"}
_IMMATERIAL = ("sample_max_value", "clip_sample_range", "trained_betas")
REQUIRED = tuple(name for name in COGVIDEOX_5B if name not in _IMMATERIAL)


def build_scheduler(kind: str = "ddim", config: Mapping[str, Any] = COGVIDEOX_5B) -> Any:
    """A diffusers scheduler ("ddim" or "dpm") from a complete configuration.

    Raises `UserError` on an unknown kind, a field that is not stated, or another target than v.
    """
    import diffusers

    if kind not in SCHEDULERS:
        raise UserError(f"Unknown scheduler {kind!r}; choose one of {', '.join(SCHEDULERS)}.")
    missing = [name for name in REQUIRED if name not in config]
    if missing:
        raise UserError(
            f"The scheduler configuration does not state {', '.join(missing)}; add them."
        )
    if config["prediction_type"] != "v_prediction":
        raise UserError(
            f"prediction_type is {config['prediction_type']!r}; this model predicts v "
            "(v_prediction)."
        )
    cls = getattr(diffusers, SCHEDULERS[kind])
    return cls(**{name: value for name, value in config.items() if not name.startswith("_")})


def save_schedule(scheduler: Any, folder: str | Path) -> Path:
    """Write `scheduler_config.json` in diffusers' format."""
    scheduler.save_pretrained(str(folder))
    return Path(folder)


def load_schedule(folder: str | Path) -> Any:
    """The scheduler that the folder names, from its complete configuration."""
    path = Path(folder) / "scheduler_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); name a scheduler folder.") from error
    kinds = {name: kind for kind, name in SCHEDULERS.items()}
    name = config.get("_class_name")
    if name not in kinds:
        raise UserError(f"{path} names the scheduler {name!r}; expected one of {', '.join(kinds)}.")
    return build_scheduler(kinds[name], config)


class NoiseSchedule:
    """Velocity arithmetic on alpha-bar: x_t = a x0 + s eps, v = a eps - s x0, x0 = a x_t - s v.

    a = sqrt(alpha-bar), s = sqrt(1 - alpha-bar); all results in float32 or the wider input dtype.
    """

    def __init__(self, alphas_cumprod: Tensor) -> None:
        self.alphas_cumprod = alphas_cumprod.to(torch.float64)

    @classmethod
    def from_scheduler(cls, scheduler: Any) -> NoiseSchedule:
        """Take alpha-bar from a scheduler; refuses one that does not predict v."""
        if scheduler.config.prediction_type != "v_prediction":
            raise UserError(
                "The scheduler does not predict v (v_prediction); use the base's own one."
            )
        return cls(scheduler.alphas_cumprod)

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def alpha_bar(self, timestep: Tensor) -> Tensor:
        """alpha-bar `[B]` (float32) at integer `timestep [B]`."""
        return self.alphas_cumprod[timestep.cpu()].to(timestep.device, torch.float32)

    def coefficients(self, timestep: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """a, s shaped to broadcast over `like [B,...]`."""
        bar = self.alphas_cumprod[timestep.cpu()].view(-1, *[1] * (like.dim() - 1))
        dtype = torch.promote_types(like.dtype, torch.float32)
        a, s = bar.sqrt(), (1.0 - bar).clamp(min=0.0).sqrt()
        return a.to(like.device, dtype), s.to(like.device, dtype)

    def add_noise(self, x0: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
        """x_t `[B,...]`."""
        a, s = self.coefficients(timestep, x0)
        return a * x0 + s * noise

    def velocity(self, x0: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
        """The target v `[B,...]`; at zero SNR (t = 999) it is -x0."""
        a, s = self.coefficients(timestep, x0)
        return a * noise - s * x0

    def x0_hat(self, x_t: Tensor, velocity: Tensor, timestep: Tensor) -> Tensor:
        """Clean estimate `[B,...]` from noisy latents and predicted v, in float32."""
        a, s = self.coefficients(timestep, x_t)
        return a * x_t.to(a.dtype) - s * velocity.to(a.dtype)

    def sample_timesteps(
        self, batch: int, generator: torch.Generator, noisy_share: float = 0.0
    ) -> Tensor:
        """`[batch]` integers on the generator's device, uniform over all training timesteps.

        Each is drawn from the noisier half alone with probability `noisy_share`.
        """

        def draw(low: int) -> Tensor:
            return torch.randint(
                low,
                len(self),
                (batch,),
                generator=generator,
                device=generator.device,
                dtype=torch.long,
            )

        uniform = draw(0)
        if noisy_share == 0.0:
            return uniform
        chosen = torch.rand(batch, generator=generator, device=generator.device) < noisy_share
        return torch.where(chosen, draw(len(self) // 2), uniform)


def sample_noise(
    shape: tuple[int, ...],
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Standard normal noise from an explicit generator, drawn on the generator's device."""
    noise = torch.randn(shape, generator=generator, device=generator.device, dtype=dtype)
    return noise.to(device)


def correlate_frames(noise: Tensor, gamma: float, frame_dim: int = 1) -> Tensor:
    """Noise with covariance gamma^|m-n| between latent frames m, n (Magic-Me's noise prior).

    eps_0 = z_0, eps_k = gamma eps_{k-1} + sqrt(1-gamma^2) z_k: exact, unit variance. gamma = 0
    returns the input itself. Raises `UserError` outside [0, 1].
    """
    if not 0.0 <= gamma <= 1.0:
        raise UserError(f"noise_prior_gamma is {gamma}; it must lie between 0 and 1.")
    if gamma == 0.0:
        return noise
    frames = list(noise.unbind(frame_dim))
    for k in range(1, len(frames)):
        frames[k] = gamma * frames[k - 1] + (1.0 - gamma**2) ** 0.5 * frames[k]
    return torch.stack(frames, dim=frame_dim)
