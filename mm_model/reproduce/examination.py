"""What an adapter knows of people whom it never saw: errors of its prediction, region by region."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mm_model.diffusion.objective import velocity_loss
from mm_model.generation.backbone import Backbone
from mm_model.nn.cogvideox.rotary import rotary_table
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.precompute.sample import TrainingSample
from mm_model.train.randomness import generator_of

TIMESTEPS = (500, 700, 900)
"""In the noisier half, where it is decided who a picture shows."""

CATEGORIES = 7
"""People this far apart are of one category, so a stranger differs in looks and not in age."""


class HeldOut:
    """A fixed examination: held-out pictures at fixed noise and `TIMESTEPS`, two references each.

    The errors are means of |v_hat - v|^2 a latent number: `face` on the cells of the face, `hair`
    on those above it, and `stranger` on the face where the references show somebody else of the
    same category. What separates `stranger` from `face` is what the adapter tells of a person.
    """

    def __init__(self, backbone: Backbone, samples: Sequence[TrainingSample]) -> None:
        self.backbone = backbone
        scaling = backbone.vae.config.scaling_factor
        copies = [one for _ in TIMESTEPS for one in samples]
        self.clean = torch.stack([one.mean for one in copies]).float() * scaling
        self.noise = torch.randn(self.clean.shape, generator=generator_of(0, 0, "held out"))
        self.timestep = torch.tensor([t for t in TIMESTEPS for _ in samples])
        self.text = torch.stack([one.text[-1] for one in copies])
        self.text_mask = torch.stack([one.text_mask[-1] for one in copies])
        self.masks = {
            "face": torch.stack([one.mask for one in copies]).float(),
            "hair": torch.stack([_hair(one, backbone.latent_factor) for one in copies]).float(),
        }
        own = [torch.stack([getattr(one, n) for one in samples]) for n in ("x_id", "clip_tokens")]
        self.features = {
            "own": _features(own, 0),
            "stranger": _features(own, CATEGORIES),
        }

    @torch.no_grad()
    def errors(self, model: MagicMirrorModel | None) -> dict[str, float]:
        """Errors by region of a model, or of the plain backbone, which sees no reference."""
        predicted = self._predicted(model, "own")
        found = {region: self._error(predicted, mask) for region, mask in self.masks.items()}
        if model is None:
            return {**found, "stranger": found["face"]}
        found["stranger"] = self._error(self._predicted(model, "stranger"), self.masks["face"])
        return found

    def _predicted(self, model: MagicMirrorModel | None, whose: str) -> Tensor:
        noisy = self.backbone.schedule.add_noise(self.clean, self.noise, self.timestep)
        if model is not None:
            return model(noisy, self.timestep, self.text, self.text_mask, self.features[whose])
        transformer = self.backbone.transformer
        frames, height, width = noisy.shape[1], noisy.shape[3], noisy.shape[4]
        rotary = rotary_table(transformer.config, frames, height, width, noisy.device)
        return transformer(noisy, self.text, self.timestep, image_rotary_emb=rotary).sample

    def _error(self, predicted: Tensor, mask: Tensor) -> float:
        target = self.backbone.schedule.velocity(self.clean, self.noise, self.timestep)
        everybody = torch.ones(len(mask), dtype=torch.bool)
        return float(velocity_loss(predicted, target, mask, everybody).loss)


def _features(own: Sequence[Tensor], shift: int) -> IdentityFeatures:
    x_id, tokens = (torch.cat([part.roll(shift, 0)] * len(TIMESTEPS)) for part in own)
    return IdentityFeatures(x_id, tokens, torch.ones(x_id.shape[:2], dtype=torch.bool))


def _hair(sample: TrainingSample, factor: int) -> Tensor:
    """Cells `[T,h,w]` above the face of a picture: as wide as its box, half as high."""
    left, top, right, bottom = (float(v) / factor for v in sample.box)
    _, height, width = sample.mask.shape
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    above = (rows > top - (bottom - top) / 2) & (rows < top + 0.5)
    across = (columns > left - 0.5) & (columns < right + 0.5)
    return (above[:, None] & across[None])[None].expand_as(sample.mask)
