"""The section of learning a subject (Magic-Me, arXiv 2402.09368)."""

from typing import Literal

from mm_model.settings import bounds
from mm_model.settings.bounds import Count, Few, Share
from mm_model.settings.section import Section


class OnBackbone(Section):
    """What holds instead where a subject is learned on a CogVideoX backbone; null takes the other.

    A small backbone needs other values than a published checkpoint, which a profile serves too.
    """

    tokens: Few | None
    learning_rate: Literal["auto"] | bounds.LearningRate | None
    reframed_share: Share | None


class SubjectSettings(Section):
    """Extended ID tokens of one subject, learned with everything else frozen.

    `tokens` vectors stand before the class word. They start as that word's own vector with a little
    noise (`class`), or as rows of rare words (`rare`). On CogVideoX they stand in what its text
    encoder says (`space: output`) or is told (`input`); on Stable Diffusion in what it is told.
    `size` is of Stable Diffusion's pictures; CogVideoX's are as large as its frames are high.
    `learning_rate: auto` is the published one, and on CogVideoX 0.05 of the size (root mean square)
    of the vectors that tokens start among. A sample's loss counts on the subject's mask alone, but
    for a share of `unmasked_share`. `noise_offset` is added to a picture's noise as a whole, per
    channel; not on CogVideoX, whose schedule ends in pure noise. `reframed_share` of the views are
    turned and shown small or enlarged. Steps count optimiser updates. `on_backbone` holds the
    values that differ on CogVideoX.
    """

    tokens: Few
    start: Literal["class", "rare"]
    space: Literal["output", "input"]
    size: bounds.Side
    steps: bounds.Steps
    batch_size: Count
    learning_rate: Literal["auto"] | bounds.LearningRate
    weight_decay: bounds.Decay
    betas: tuple[bounds.Momentum, bounds.Momentum]
    noise_offset: Share
    unmasked_share: Share
    reframed_share: Share
    checkpoint_every: bounds.Steps
    on_backbone: OnBackbone

    def for_backbone(self) -> "SubjectSettings":
        """The values as they hold on CogVideoX."""
        other = self.on_backbone.model_dump()
        return self.model_copy(update={k: v for k, v in other.items() if v is not None})
