"""What the recogniser is trained to lower: a cosine margin between people (CosFace, 2018), plus a
small regression of the identity numbers that the procedural world knows.

The class centres live only in training; no shipped file holds them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class MarginHead(nn.Module):
    """Class centres [people, width] and the traits' regression [width -> traits].

    ``scale`` and ``margin`` are CosFace's s and m; ``trait_weight`` weighs the regression
    (design choice: it makes 128 numbers from few people carry every visible trait).
    """

    def __init__(
        self,
        width: int,
        people: int,
        traits: int,
        *,
        scale: float = 24.0,
        margin: float = 0.35,
        trait_weight: float = 4.0,
    ) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(people, width) * 0.01)
        self.traits = nn.Linear(width, traits)
        self.scale, self.margin, self.trait_weight = scale, margin, trait_weight

    def forward(
        self, embeddings: torch.Tensor, people: torch.Tensor, traits: torch.Tensor, ease: float
    ) -> dict[str, torch.Tensor]:
        """Losses of raw embeddings [N, width], class numbers [N] and traits [N, K] in [0, 1].

        ``ease`` (0 to 1) scales the margin, so that training can start without it.
        """
        unit = F.normalize(embeddings)
        cosines = unit @ F.normalize(self.centres).T
        own = F.one_hot(people, len(self.centres)).to(cosines.dtype)
        logits = self.scale * (cosines - self.margin * ease * own)
        identity = F.cross_entropy(logits, people)
        guess = self.traits(unit * self.traits.in_features**0.5)
        trait = F.mse_loss(guess, traits)
        right = (logits.argmax(1) == people).float().mean()
        total = identity + self.trait_weight * trait
        return {"total": total, "identity": identity, "traits": trait, "accuracy": right}
