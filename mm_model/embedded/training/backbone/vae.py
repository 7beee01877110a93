"""Training and measurement of the tiny `AutoencoderKLCogVideoX`.

First single pictures on the folded two-dimensional path, then clips with some pictures mixed in, so
that both regimes of the decoder stay good. Errors in the face box weigh more. Refuses to measure on
people of the training range.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mm_model.embedded.people import split
from mm_model.embedded.training.backbone import pixels, render
from mm_model.embedded.training.backbone.loop import Training, freeze, generator, run
from mm_model.embedded.training.backbone.recipe import FRAMES, SIZE, CacheRecipe, VaeRecipe, digest
from mm_model.nn.cogvideox import folded_vae
from mm_model.nn.identity.align import align_faces
from mm_model.train.identity_loss import cosine_loss

if TYPE_CHECKING:
    from diffusers import AutoencoderKLCogVideoX

    from mm_model.embedded.training.backbone.render import Cache
    from mm_model.nn.identity.face_recognizer import FaceRecognizer

_STREAM = 0x5AE
_MIRRORED = [1, 0, 2, 4, 3]  # eyes and mouth corners change sides


def build_vae(recipe: VaeRecipe) -> AutoencoderKLCogVideoX:
    """A VAE with seeded random weights; its last decoder convolution starts small."""
    from diffusers import AutoencoderKLCogVideoX

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return AutoencoderKLCogVideoX(**recipe.config())


class VaeLoss:
    """The loss of one part of a step's batch; opens the cache by itself in every process."""

    def __init__(
        self,
        vae: AutoencoderKLCogVideoX,
        cache: Path,
        recipe: VaeRecipe,
        recognizer: FaceRecognizer | None = None,
    ) -> None:
        self.vae, self.folder, self.recipe, self.recognizer = vae, cache, recipe, recognizer
        self._cache: Cache | None = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_cache": None}

    @property
    def cache(self) -> Cache:
        """The cache, opened when it is first looked at."""
        if self._cache is None:
            self._cache = render.open_cache(self.folder)
        return self._cache

    def __call__(self, step: int, part: int, parts: int) -> tuple[Tensor, dict[str, float]]:
        recipe = self.recipe
        if step < recipe.picture_steps:
            return self._pictures(step, part, recipe.picture_batch // parts)
        moving, figures = self._clips(step, part, recipe.clip_batch // parts)
        extra, more = self._pictures(step, part, recipe.mixed_pictures // parts)
        return moving + 0.5 * extra, {**more, **figures}

    def _draw(self, kind: str, step: int, part: int, batch: int) -> tuple[np.ndarray, Tensor, bool]:
        rng = np.random.default_rng([_STREAM, self.recipe.seed, step, part, kind == "clips"])
        chosen = np.sort(rng.choice(len(self.cache[kind]), batch, replace=False))
        mask = pixels.box_mask(self.cache[f"{kind}_boxes"][chosen], SIZE, 0.1)
        return chosen, mask, rng.random() < 0.5

    def _unlike(
        self, again: Tensor, target: Tensor, landmarks: np.ndarray, mirrored: bool
    ) -> Tensor:
        if self.recognizer is None or not self.recipe.likeness_weight:
            return torch.zeros(())
        points = np.array(landmarks, np.float32)
        if mirrored:
            points = np.stack([SIZE - 1 - points[..., 0], points[..., 1]], -1)[:, _MIRRORED]
        return self.recipe.likeness_weight * unlike(self.recognizer, again, target, points)

    def _pictures(self, step: int, part: int, batch: int) -> tuple[Tensor, dict[str, float]]:
        chosen, mask, mirrored = self._draw("pictures", step, part, batch)
        target = pixels.to_tensor(self.cache["pictures"][chosen])
        if mirrored:
            target, mask = target.flip(-1), mask.flip(-1)
        moments = folded_vae.encode_moments(self.vae, target[:, :, None])
        latents, kl = _sample(moments, generator(_STREAM, self.recipe.seed, step, part, 2))
        again = folded_vae.decode(self.vae, latents)[:, :, 0]
        value, figures = loss(again, target, mask, kl, self.recipe)
        marks = self.cache["pictures_landmarks"][chosen]
        return value + self._unlike(again, target, marks, mirrored), figures

    def _clips(self, step: int, part: int, batch: int) -> tuple[Tensor, dict[str, float]]:
        chosen, mask, mirrored = self._draw("clips", step, part, batch)
        target = pixels.clip_tensor(self.cache["clips"][chosen])
        if mirrored:
            target, mask = target.flip(-1), mask.flip(-1)
        moments = folded_vae.encode_moments(self.vae, target)
        latents, kl = _sample(moments, generator(_STREAM, self.recipe.seed, step, part, 3))
        again = folded_vae.decode(self.vae, latents)
        flat, goal = again.movedim(2, 1).flatten(0, 1), target.movedim(2, 1).flatten(0, 1)
        value, figures = loss(flat, goal, mask.flatten(0, 1), kl, self.recipe)
        frame = step % FRAMES  # one frame a clip is enough for the recogniser
        marks = self.cache["clips_landmarks"][chosen][:, frame]
        unlike = self._unlike(again[:, :, frame], target[:, :, frame], marks, mirrored)
        figures["unlike"] = float(unlike.detach())
        return value + unlike, {f"clip_{k}": v for k, v in figures.items()}


def train_vae(
    cache: Path,
    folder: Path,
    recipe: VaeRecipe,
    stop: int | None = None,
    checkpoint_every: int = 200,
    start: Path | None = None,
    recognizer: FaceRecognizer | None = None,
) -> Training:
    """Train (or go on) up to `stop`; checkpoints and sample pictures go to `folder`.

    `start` names the folder of an earlier training whose averages are the first weights.
    """
    vae = build_vae(recipe).train()
    frames = render.open_cache(cache)
    name = digest(recipe, {"cache": frames.digest})
    training = Training.create({"vae": vae}, recipe.optimisation, name)
    if start is not None:
        training.start_from(start)

    def show(step: int) -> None:
        average = training.averages["vae"]
        stride = max(1, len(frames["pictures"]) // 12)
        images = pixels.to_tensor(frames["pictures"][::stride][:12])[:, :, None]
        clip = pixels.clip_tensor(frames["clips"][:1])
        rows = []
        with torch.no_grad():
            for shown in (images, clip):
                means = folded_vae.encode_moments(average, shown).chunk(2, dim=1)[0]
                for video in (shown, folded_vae.decode(average, means)):
                    rows.append(pixels.to_frames(video.movedim(2, 1).flatten(0, 1)))
        pixels.write_grid(folder / f"pictures-{step:05d}.png", rows)

    loss_of = VaeLoss(vae, cache, recipe, recognizer)
    run(
        training,
        loss_of,
        folder,
        "vae",
        stop=stop,
        checkpoint_every=checkpoint_every,
        at_checkpoint=show,
    )
    return training


def _sample(moments: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """A draw of the posterior and its mean KL divergence from N(0, 1) per latent value."""
    mean, logvar = moments.chunk(2, dim=1)
    logvar = logvar.clamp(-30, 20)
    draw = torch.randn(mean.shape, generator=noise)
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return mean + (0.5 * logvar).exp() * draw, kl


def unlike(
    recognizer: FaceRecognizer, again: Tensor, target: Tensor, landmarks: np.ndarray
) -> Tensor:
    """Mean 1 - cosine of faces `target` and copies `again` `[N,3,H,W]` at `landmarks [N,5,2]`."""
    points = torch.from_numpy(np.array(landmarks, np.float32))
    theirs, ours = (recognizer.embed(align_faces(x, points).clamp(-1, 1)) for x in (target, again))
    return cosine_loss(ours, theirs.detach()).mean()


def loss(
    again: Tensor, target: Tensor, mask: Tensor, kl: Tensor, recipe: VaeRecipe
) -> tuple[Tensor, dict[str, float]]:
    """Weighted L1 + MSE, edges, two coarser scales; pictures [N, 3, H, W], mask [N, H, W]."""
    weight = 1 + (recipe.face_weight - 1) * mask[:, None]
    weight = weight / weight.mean()
    difference = again - target
    point = (weight * difference.abs()).mean() + 2 * (weight * difference.square()).mean()
    edge = (difference.diff(dim=-1).abs() * weight[..., 1:]).mean()
    edge = edge + (difference.diff(dim=-2).abs() * weight[..., 1:, :]).mean()
    coarse = sum(F.avg_pool2d(difference, k).abs().mean() for k in (2, 4))
    total = point + recipe.edge_weight * edge + 0.5 * coarse + recipe.kl_weight * kl
    decibel = float(pixels.psnr(difference.detach()).mean())
    face = float(pixels.psnr(difference.detach(), mask).mean())
    return total, {"psnr": decibel, "face": face, "kl": float(kl.detach())}


@torch.no_grad()
def measure_scale(vae: AutoencoderKLCogVideoX, cache: Cache, count: int = 256) -> float:
    """1 / standard deviation of the posterior means over pictures and clips of the cache."""
    values = []
    for start in range(0, min(count, len(cache["pictures"])), 32):
        part = pixels.to_tensor(cache["pictures"][start : start + 32])[:, :, None]
        values.append(folded_vae.encode_moments(vae, part).chunk(2, dim=1)[0].flatten())
    for start in range(0, min(count // 4, len(cache["clips"])), 8):
        part = pixels.clip_tensor(cache["clips"][start : start + 8])
        values.append(folded_vae.encode_moments(vae, part).chunk(2, dim=1)[0].flatten())
    return round(1.0 / float(torch.cat(values).std()), 6)


@torch.no_grad()
def measure_vae(
    vae: AutoencoderKLCogVideoX, pictures: int = 140, clips: int = 35, seed: int = 97
) -> dict[str, float]:
    """PSNR in dB on held-out people, whole frame and face box, means over items.

    Pictures: one photograph of each of the first `pictures` held-out people; clips: one 9-frame
    clip of each of the first `clips`. Posterior means, the model's own encode and decode.
    """
    freeze(vae)
    held = split.HELD_OUT_PEOPLE
    frames = [render.picture(s, 0, SIZE, seed) for s in held[:pictures]]
    images = pixels.to_tensor(np.stack([f.image for f in frames]))
    masks = pixels.box_mask(np.stack([f.box for f in frames]), SIZE)
    again = torch.cat([_round_trip(vae, part[:, :, None])[:, :, 0] for part in images.split(20)])
    figures = {
        "picture_psnr": float(pixels.psnr(again - images).mean()),
        "picture_face_psnr": float(pixels.psnr(again - images, masks).mean()),
    }
    whole, face = [], []
    recipe = CacheRecipe("held_out", seed)
    for number in range(clips):
        drawn = render.clip(number, recipe)
        video = pixels.clip_tensor(drawn.frames[None])
        mask = pixels.box_mask(np.stack([f.box for f in drawn.faces]), SIZE)
        difference = (_round_trip(vae, video) - video)[0].movedim(1, 0)
        whole.append(pixels.psnr(difference).mean())
        face.append(pixels.psnr(difference, mask).mean())
    figures["clip_psnr"] = float(torch.stack(whole).mean())
    figures["clip_face_psnr"] = float(torch.stack(face).mean())
    return {name: round(value, 2) for name, value in figures.items()}


def _round_trip(vae: AutoencoderKLCogVideoX, video: Tensor) -> Tensor:
    return vae.decode(vae.encode(video).latent_dist.mean).sample.clamp(-1, 1)
