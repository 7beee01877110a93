"""What one step sees: a pure function of (samples drawn, settings, seed, step).

Every draw for the samples of a stream comes from one generator keyed by seed, step and stream, so
that a resumed run goes on with the same batches, noise, timesteps and dropped conditions, and so
does one on another number of processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mm_model.diffusion.objective import draw_drops, draw_face_samples
from mm_model.diffusion.schedule import NoiseSchedule, sample_noise
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.precompute.sample import MAX_REFERENCES, TrainingSample
from mm_model.settings import TrainSettings
from mm_model.train.loading import Drawn
from mm_model.train.randomness import generator_of


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs and targets of one step (B rows).

    `landmarks [B,5,2]` and `boxes [B,4]` are those of frame 0 in training pixels.
    """

    sample_ids: tuple[str, ...]
    clean: Tensor
    noise: Tensor
    timestep: Tensor
    text_embeds: Tensor
    text_mask: Tensor
    features: IdentityFeatures
    drop_identity: Tensor
    face_loss: Tensor
    masks: Tensor
    landmarks: Tensor
    boxes: Tensor
    reference_embeddings: Tensor

    def __len__(self) -> int:
        return len(self.sample_ids)

    def part(self, rows: slice) -> "Batch":
        """Some rows of the batch, as a batch."""
        own = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "features"}
        said = self.features
        return Batch(
            **own,
            features=IdentityFeatures(said.x_id[rows], said.clip_tokens[rows], said.mask[rows]),
        )


def joined(parts: Sequence[Batch]) -> Batch:
    """The rows of all `parts`, as one batch."""
    if len(parts) == 1:
        return parts[0]
    tensors = {
        f.name: torch.cat([getattr(part, f.name) for part in parts])
        for f in fields(Batch)
        if f.name not in ("features", "sample_ids")
    }
    said = [part.features for part in parts]
    features = IdentityFeatures(
        torch.cat([one.x_id for one in said]),
        torch.cat([one.clip_tokens for one in said]),
        torch.cat([one.mask for one in said]),
    )
    ids = tuple(name for part in parts for name in part.sample_ids)
    return Batch(**tensors, sample_ids=ids, features=features)


@dataclass(frozen=True, kw_only=True)
class BatchMaker:
    """Makes batches of drawn samples.

    `empty_text [L,D]` stands for a dropped prompt, `scaling` is the VAE's factor.
    """

    settings: TrainSettings
    seed: int
    schedule: NoiseSchedule
    scaling: float
    empty_text: Tensor

    def batch(self, step: int, drawn: Sequence[Drawn]) -> Batch:
        """The batch of `step` (counted from 1)."""
        return joined([self._of_stream(step, part) for part in drawn])

    def _of_stream(self, step: int, drawn: Drawn) -> Batch:
        rules, samples = self.settings, drawn.samples
        generator = generator_of(self.seed, step, f"batch/{drawn.stream}")
        clean = self._clean(samples, step, drawn.stream)
        noise = sample_noise(tuple(clean.shape), generator)
        timestep = self.schedule.sample_timesteps(len(samples), generator, rules.noisy_share)
        drops = draw_drops(
            len(samples),
            generator,
            text=rules.drop_text,
            identity=rules.drop_face,
            both=rules.drop_both,
        )
        face_loss = draw_face_samples(len(samples), generator, rules.face_loss_probability)
        chosen = [_references(sample.references, generator) for sample in samples]
        embeds, mask = self._text(samples, drops.text, [len(c) for c in chosen])
        means = [s.embeddings[list(c)].mean(dim=0) for s, c in zip(samples, chosen, strict=True)]
        return Batch(
            sample_ids=drawn.sample_ids,
            clean=clean,
            noise=noise,
            timestep=timestep,
            text_embeds=embeds,
            text_mask=mask,
            features=_features(samples, chosen),
            drop_identity=drops.identity,
            face_loss=face_loss,
            masks=torch.stack([sample.mask for sample in samples]).float(),
            landmarks=torch.stack([sample.landmarks for sample in samples]),
            boxes=torch.stack([sample.box for sample in samples]),
            reference_embeddings=torch.stack(means),
        )

    def _clean(self, samples: Sequence[TrainingSample], step: int, stream: int) -> Tensor:
        """Scaled latents `[B,T,C,h,w]`, drawn from the posterior as CogVideoX is trained."""
        mean = torch.stack([sample.mean for sample in samples]).float()
        logvar = torch.stack([sample.logvar for sample in samples]).float()
        generator = generator_of(self.seed, step, f"posterior/{stream}")
        noise = torch.randn(mean.shape, generator=generator)
        return (mean + torch.exp(0.5 * logvar) * noise) * self.scaling

    def _text(
        self, samples: Sequence[TrainingSample], dropped: Tensor, counts: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        empty = self.empty_text
        embeds, masks = [], []
        for sample, drop, count in zip(samples, dropped.tolist(), counts, strict=True):
            embeds.append(empty if drop else sample.text[count - 1])
            mask = sample.text_mask[count - 1]
            masks.append(torch.zeros_like(mask) if drop else mask)
        return torch.stack(embeds).float(), torch.stack(masks)


def _references(known: int, generator: torch.Generator) -> tuple[int, ...]:
    """One or two of the `known` references, without repetition."""
    order = torch.randperm(known, generator=generator).tolist()
    number = 1 + int(torch.randint(MAX_REFERENCES, (1,), generator=generator))
    return tuple(order[:number])


def _features(
    samples: Sequence[TrainingSample], chosen: Sequence[tuple[int, ...]]
) -> IdentityFeatures:
    mask = torch.tensor([[k < len(c) for k in range(MAX_REFERENCES)] for c in chosen])
    padded = [list((c + c[:1] * MAX_REFERENCES)[:MAX_REFERENCES]) for c in chosen]
    pairs = list(zip(samples, padded, strict=True))
    return IdentityFeatures(
        torch.stack([sample.x_id[rows] for sample, rows in pairs]).float(),
        torch.stack([sample.clip_tokens[rows] for sample, rows in pairs]).float(),
        mask,
    )
