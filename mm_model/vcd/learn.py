"""Learning the tokens of one subject: everything is frozen but them.

Each step draws photographs, views of them, noise and times from (seed, step), so that what is cut
off goes on as if it had not been. Times and noise follow the base's own scheduler (choice: the
published example states linear betas between the same ends).
Source: Magic-Me (arXiv 2402.09368), sections 4.2 and 5.2, and its published example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mm_model.diffusion.objective import velocity_loss
from mm_model.errors import UserError
from mm_model.progress import OnStep
from mm_model.settings.subject import SubjectSettings
from mm_model.store import digests
from mm_model.train import state
from mm_model.train.randomness import generator_of
from mm_model.vcd.augment import SubjectView, plain, varied
from mm_model.vcd.base import CAPTION, SubjectBase
from mm_model.vcd.tokens import IdTokens, first_values, placeholder_of

OnLoss = Callable[[int, float], None]


@dataclass(frozen=True, eq=False)
class SubjectPhoto:
    """`pixels [H,W,3]` uint8 RGB and `mask [H,W]`, True where the subject is."""

    pixels: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class SubjectToLearn:
    """Who or what is learned: its name, its class word (as in man, dog, cup) and photographs."""

    name: str
    word: str
    photos: tuple[SubjectPhoto, ...]

    @property
    def digest(self) -> str:
        """Over the words and all pixels and masks."""
        seen = [
            (digests.of_bytes(p.pixels.tobytes()), digests.of_bytes(np.packbits(p.mask).tobytes()))
            for p in self.photos
        ]
        return digests.of_value([self.name, self.word, seen])


@dataclass(frozen=True, eq=False)
class Learned:
    """The tokens, the loss of each step, and the learning rate."""

    tokens: IdTokens
    losses: list[float]
    learning_rate: float


def learn(
    base: SubjectBase,
    subject: SubjectToLearn,
    settings: SubjectSettings,
    *,
    seed: int,
    work: Path,
    base_digest: str,
    say: Callable[[str], None],
    on_step: OnStep | None = None,
    on_loss: OnLoss | None = None,
) -> Learned:
    """The tokens of `subject`, learned on `base`; `work` keeps what is done so far. `on_loss` is
    told each step, counted from 1, and its loss.

    Raises:
        UserError: no photograph shows the subject, or a loss is not finite.
    """
    learner = _Learner(base, subject, settings, seed)
    fingerprint = digests.of_value(
        [subject.digest, settings.model_dump(mode="json"), seed, base_digest]
    )
    done, losses = learner.restored(work, fingerprint, say)
    for step in range(done, settings.steps):
        losses.append(learner.step(step))
        if on_loss is not None:
            on_loss(step + 1, losses[-1])
        if (step + 1) % settings.checkpoint_every == 0 and step + 1 < settings.steps:
            curve = [{"loss": loss} for loss in losses]
            taken = state.snapshot(step + 1, learner.parameters, learner.optimizer, curve)
            state.write(work, fingerprint, taken)
        if on_step is not None:
            on_step(step + 1, settings.steps)
    return Learned(learner.tokens(), losses, learner.learning_rate)


class _Learner:
    def __init__(
        self, base: SubjectBase, subject: SubjectToLearn, settings: SubjectSettings, seed: int
    ) -> None:
        self._base, self._settings, self._seed = base, settings, seed
        self._placeholder, self._word = placeholder_of(subject.name), subject.word
        start = base.start(subject.word)
        self._chosen = base.chosen(settings, start)
        self.learning_rate = self._chosen.learning_rate
        views = [plain(photo.pixels, photo.mask, self._chosen.size) for photo in subject.photos]
        self._views = [view for view in views if view.mask.any()]
        if not self._views:
            raise UserError(
                f"No photograph of {subject.name} shows it inside the centred square: give others, "
                "or other masks."
            )
        begun = first_values(
            start.rows,
            start.word,
            settings.tokens,
            settings.start,
            generator_of(seed, 0, "tokens"),
        )
        self._vectors = begun.to(base.device).requires_grad_(True)
        self.parameters: dict[str, Tensor] = {"vectors": self._vectors}
        self.optimizer = torch.optim.AdamW(
            [self._vectors],
            lr=self._chosen.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )

    def tokens(self) -> IdTokens:
        return IdTokens(self._placeholder, self._vectors.detach().cpu().clone())

    def restored(
        self, work: Path, fingerprint: str, say: Callable[[str], None]
    ) -> tuple[int, list[float]]:
        """Steps done before, and their losses."""
        names = state.newest(work, fingerprint, say)
        found = state.load((work / name for name in names), self.parameters, self.optimizer)
        if found is None:
            return 0, []
        say(f"going on after step {found.step}")
        return found.step, [row["loss"] for row in found.curve]

    def step(self, step: int) -> float:
        """One update; the loss before it."""
        views = self._drawn(step)
        base, seed = self._base, self._seed
        pixels = torch.from_numpy(np.stack([view.pixels for view in views])).permute(0, 3, 1, 2)
        latents = base.latents(pixels.float() / 127.5 - 1, generator_of(seed, step, "vae"))
        noise, times = self._noise(latents, step)
        captions = [view.prefix + CAPTION.format(self._placeholder, self._word) for view in views]
        words = base.words(captions, IdTokens(self._placeholder, self._vectors))
        found = base.predict(base.noisy(latents, noise, times), times, words)
        target = base.target(latents, noise, times)
        # a picture is a clip of one frame; a mask that is empty in the latents counts everywhere
        mask, every = self._masks(views, latents, step), torch.ones(len(views), dtype=torch.bool)
        loss = velocity_loss(found[:, None], target[:, None], mask[:, None], every).loss
        said = float(loss.detach())
        if not math.isfinite(said):
            raise UserError(
                f"The loss of step {step + 1} is not finite: set subject.learning_rate lower."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return said

    def _drawn(self, step: int) -> list[SubjectView]:
        """Views of the step's photographs; every photograph comes once before one comes again."""
        count, batch = len(self._views), self._settings.batch_size
        views = []
        for place in range(step * batch, (step + 1) * batch):
            order = torch.randperm(
                count, generator=generator_of(self._seed, place // count, "order")
            )
            rng = np.random.default_rng([self._seed, place])
            whole = self._views[int(order[place % count])]
            view = varied(whole, rng, self._settings.reframed_share)
            views.append(view if view.mask.any() else whole)
        return views

    def _noise(self, latents: Tensor, step: int) -> tuple[Tensor, Tensor]:
        generator = generator_of(self._seed, step, "noise")
        noise = torch.randn(latents.shape, generator=generator)
        offset = torch.randn(*latents.shape[:2], 1, 1, generator=generator)
        noise = noise + self._chosen.noise_offset * offset
        times = torch.randint(0, self._base.timesteps, (len(latents),), generator=generator)
        return noise.to(latents), times.to(latents.device)

    def _masks(self, views: Sequence[SubjectView], latents: Tensor, step: int) -> Tensor:
        """Masks of the subject in the latents' grid, or of all that the photograph shows."""
        draws = torch.rand(len(views), generator=generator_of(self._seed, step, "mask"))
        whole = draws < self._settings.unmasked_share
        chosen = [
            view.shown if everything else view.mask
            for view, everything in zip(views, whole, strict=True)
        ]
        masks = torch.from_numpy(np.stack(chosen))[:, None].float()
        return functional.interpolate(masks, size=latents.shape[-2:], mode="area")[:, 0]
