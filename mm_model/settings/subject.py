"""The section of learning a subject (Magic-Me, arXiv 2402.09368)."""

from typing import Literal

from mm_model.settings import bounds
from mm_model.settings.bounds import Count, Few, Share
from mm_model.settings.section import Section


class SubjectSettings(Section):
    """Extended ID tokens of one subject, learned with everything else frozen.

    `tokens` vectors stand before the class word. They start as that word's own vector with a little
    noise (`class`), or as rows of rare words (`rare`). A sample's loss counts on the subject's mask
    alone, but for a share of `unmasked_share`. `noise_offset` is added to a picture's noise as a
    whole, per channel. Steps count optimiser updates.
    """

    tokens: Few
    start: Literal["class", "rare"]
    size: bounds.Side
    steps: bounds.Steps
    batch_size: Count
    learning_rate: bounds.LearningRate
    weight_decay: bounds.Decay
    betas: tuple[bounds.Momentum, bounds.Momentum]
    noise_offset: Share
    unmasked_share: Share
    checkpoint_every: bounds.Steps
