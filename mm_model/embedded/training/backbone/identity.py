"""Training of the identity side without the video DiT: vision encoder and identity perceiver.

From one portrait of a person they predict the identity numbers and category, and the vision
features of another portrait of the same person. The heads are dropped afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_model.embedded.people import people
from mm_model.embedded.training.backbone import portraits, render
from mm_model.embedded.training.backbone.loop import Training, run
from mm_model.embedded.training.backbone.recipe import IdentityRecipe, digest
from mm_model.nn.identity.resampler import IdPerceiver

if TYPE_CHECKING:
    from transformers import CLIPVisionModel

_STREAM = 0x1D


def build_vision(recipe: IdentityRecipe) -> CLIPVisionModel:
    """A seeded random CLIP vision model of the recipe's size."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        hidden_size=recipe.hidden,
        intermediate_size=recipe.mlp,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        image_size=recipe.image,
        patch_size=recipe.patch,
        hidden_act="quick_gelu",
        attention_dropout=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return CLIPVisionModel(config)


def perceiver_config(recipe: IdentityRecipe, embedding_dim: int) -> dict[str, int]:
    """Arguments of `IdPerceiver`."""
    return {
        "embedding_dim": embedding_dim,
        "dim": recipe.id_dim,
        "depth": recipe.id_depth,
        "heads": recipe.id_dim // 32,
        "head_dim": 32,
        "context_dim": recipe.hidden,
    }


class Heads(nn.Module):
    """What supervises the encoders; dropped after training.

    Two readers: of the identity tokens x_id [B, 2, D], and of the mean penultimate vision tokens.
    Each gives identity numbers and category; x_id also gives a guess of another portrait's vision
    features, and every penultimate patch token the 2x2 mean colours of its patch, so that where
    things are stays readable for the face perceiver.
    """

    def __init__(self, recipe: IdentityRecipe) -> None:
        super().__init__()
        traits, kinds = len(people.TRAIT_NAMES), len(people.CATEGORIES)
        self.numbers = _reader(2 * recipe.id_dim, traits)
        self.category = nn.Linear(2 * recipe.id_dim, kinds)
        self.features = nn.Linear(2 * recipe.id_dim, recipe.hidden)
        self.vision_numbers = _reader(2 * recipe.hidden, traits)
        self.vision_category = nn.Linear(2 * recipe.hidden, kinds)
        self.colours = nn.Linear(recipe.hidden, 12)

    @staticmethod
    def summary(tokens: Tensor) -> Tensor:
        """Class token and mean of the patch tokens [B, P, C] -> [B, 2C]."""
        return torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=-1)


def _reader(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inside, 256), nn.GELU(), nn.Linear(256, outside))


class EncoderLoss:
    """The loss of one part of a step's batch; every process opens the cache by itself."""

    def __init__(
        self,
        modules: dict[str, nn.Module],
        cache: Path,
        vectors: np.ndarray,
        recipe: IdentityRecipe,
    ) -> None:
        self.vision, self.perceiver = modules["vision"], modules["perceiver"]
        self.heads = modules["heads"]
        self.folder, self.vectors, self.recipe = cache, vectors, recipe
        self.deviation = vectors.std(axis=0, keepdims=True)
        self._cache: render.Cache | None = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_cache": None}

    @property
    def cache(self) -> render.Cache:
        """The cache, opened when it is first looked at."""
        if self._cache is None:
            self._cache = render.open_cache(self.folder)
        return self._cache

    def __setstate__(self, state: dict) -> None:
        """A pickled CLIP model no longer reports hidden states: a fresh one takes its weights."""
        self.__dict__.update(state)
        fresh = build_vision(self.recipe)
        fresh.load_state_dict(self.vision.state_dict(keep_vars=True), assign=True)
        self.vision = fresh

    def __call__(self, step: int, part: int, parts: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng([_STREAM, self.recipe.seed, step, part])
        first, second, seeds = self._pairs(self.recipe.batch // parts, rng)
        a, b = (self._inputs(chosen, rng) for chosen in (first, second))
        who = [people.person(int(s)) for s in seeds]
        numbers = torch.from_numpy(np.stack([p.vector() for p in who]))
        kind = torch.tensor([people.CATEGORIES.index(p.category) for p in who])
        shown = torch.cat([a["pixels"], b["pixels"]])
        out = self.vision(pixel_values=shown, output_hidden_states=True)
        last, tokens = out.last_hidden_state, out.hidden_states[-2]
        colours = F.mse_loss(self.heads.colours(tokens[:, 1:]), _patch_colours(shown, self.recipe))
        raw = torch.cat([a["vectors"], b["vectors"]])
        x_id = self.perceiver(raw, last).flatten(1)
        loss, figures = self._loss(
            x_id, Heads.summary(tokens), last[:, 1:].mean(1), numbers.repeat(2, 1), kind.repeat(2)
        )
        return loss + 0.5 * colours, {**figures, "colours": float(colours.detach())}

    def _pairs(
        self, batch: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices of two different portraits each of `batch` different people."""
        seeds = np.asarray(self.cache["portraits_seeds"])
        each_person = int((seeds == seeds[0]).sum())
        count = len(seeds) // each_person
        who = rng.choice(count, batch, replace=batch > count) * each_person
        one = rng.integers(each_person, size=batch)
        other = (one + rng.integers(1, each_person, size=batch)) % each_person
        return who + one, who + other, seeds[who]

    def _inputs(self, chosen: np.ndarray, rng: np.random.Generator) -> dict[str, Tensor]:
        crops = []
        for index in chosen:
            picture = self.cache["portraits"][index]
            margin, shift = rng.uniform(1.25, 2.0), rng.uniform(-0.08, 0.08, 2)
            box = self.cache["portraits_boxes"][index]
            crops.append(portraits.crop(picture, box, self.recipe.image, margin, shift))
        light = rng.uniform(0.9, 1.1, (len(chosen), 1, 1, 1))
        frames = np.clip(np.stack(crops) * light, 0, 255).astype(np.uint8)
        amount = rng.uniform(0, self.recipe.blur, (len(chosen), 1)) * self.deviation
        vectors = self.vectors[chosen]
        vectors = vectors + amount * rng.standard_normal(vectors.shape)
        vectors = vectors * (rng.random((len(chosen), 1)) >= self.recipe.withhold)
        shown = torch.from_numpy(vectors.astype(np.float32))
        return {"pixels": portraits.clip_normalised(frames), "vectors": shown}

    def _loss(
        self, x_id: Tensor, seen: Tensor, features: Tensor, numbers: Tensor, kind: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        heads = self.heads
        by_id = F.mse_loss(heads.numbers(x_id), numbers)
        by_vision = F.mse_loss(heads.vision_numbers(seen), numbers)
        kinds = F.cross_entropy(heads.category(x_id), kind)
        kinds = kinds + F.cross_entropy(heads.vision_category(seen), kind)
        other = F.normalize(features.detach().roll(len(features) // 2, 0), dim=-1)
        guess = F.normalize(heads.features(x_id), dim=-1)
        # each row's partner is the other portrait; every other person of the batch is a negative
        logits = guess @ other.T / 0.1
        again = F.cross_entropy(logits, torch.arange(len(logits)))
        loss = 20 * by_id + 20 * by_vision + 0.3 * kinds + 0.2 * again
        return loss, {
            "numbers": float(by_id.detach()),
            "vision": float(by_vision.detach()),
            "category": float((heads.category(x_id).argmax(1) == kind).float().mean()),
            "pair": float(again.detach()),
        }


def _patch_colours(shown: Tensor, recipe: IdentityRecipe) -> Tensor:
    """Mean colours of the quarters of every patch: [B, 3, S, S] -> [B, patches, 12]."""
    small = F.avg_pool2d(shown, recipe.patch // 2)
    return F.unfold(small, 2, stride=2).transpose(1, 2)


def train_identity(
    cache: Path,
    recognizer: Any,
    folder: Path,
    recipe: IdentityRecipe,
    stop: int | None = None,
    checkpoint_every: int = 200,
) -> Training:
    """Train (or go on) up to `stop`; modules `vision`, `perceiver` and `heads`."""
    frames = render.open_cache(cache)
    vectors = portraits.embed_cache(recognizer, cache, folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        perceiver = IdPerceiver(**perceiver_config(recipe, vectors.shape[1]))
        heads = Heads(recipe)
    modules = {"vision": build_vision(recipe), "perceiver": perceiver, "heads": heads}
    name = digest(recipe, {"cache": frames.digest, "vectors": float(np.abs(vectors).sum())})
    training = Training.create(modules, recipe.optimisation, name)
    loss_of = EncoderLoss(modules, cache, vectors, recipe)
    run(training, loss_of, folder, "identity", stop=stop, checkpoint_every=checkpoint_every)
    return training
