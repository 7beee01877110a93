"""What a training holds in a GPU's memory, term by term, and what its identity loss costs.

Pure arithmetic, as all of the plan. The terms are those that `mm_model/train/` really holds: on a
card of less than `ROOMY` bytes two of the frozen parts wait on the CPU, and fewer tokens pass the
model at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from mm_model.planning.rates import GPUS
from mm_model.settings import TrainSettings
from mm_model.settings.device import ROOMY

if TYPE_CHECKING:
    from mm_model.planning.work import PlannedRun

Values = Mapping[str, float]
_TOGETHER, _FEW_TOGETHER = 1 << 15, 1 << 12
"""Tokens that the trainer takes through the model at once, and on a small card."""
_MOMENTS = {"adamw": 8.0, "adamw8bit": 2.0 + 8.0 / 256}
"""Bytes of both moments of a trained number; in 8 bits, a float32 each for a block of 256."""
_GROWN = 1.5
"""A face's box as the identity loss decodes it, over the box itself."""
_LEAST_CELLS = 16


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes on one GPU while a step's last sample is decoded and its gradient begins."""

    terms: Mapping[str, float]

    @property
    def total(self) -> float:
        """All terms together."""
        return sum(self.terms.values())


def is_small(asked: "PlannedRun") -> bool:
    """Whether the planned GPU leaves no room for all parts at once."""
    return GPUS[asked.gpu].memory * 1e9 < ROOMY


def width(asked: "PlannedRun") -> float:
    """Bytes of a number that the frozen parts hold."""
    return 2.0 if asked.profile.run.dtype == "bfloat16" else 4.0


def waiting(asked: "PlannedRun") -> float:
    """Parameters of frozen parts that wait on the CPU beside a training or a sampler."""
    parts = asked.shape.parts
    return parts.text + parts.identity if is_small(asked) else 0.0


def frozen(asked: "PlannedRun") -> float:
    """Bytes of the frozen parts that lie on the GPU while something is trained or sampled."""
    return (asked.shape.parts.total - waiting(asked)) * width(asked)


def together(asked: "PlannedRun", rules: TrainSettings, frames: int) -> int:
    """Samples that pass the model at once."""
    tokens = _FEW_TOGETHER if is_small(asked) else _TOGETHER
    return min(rules.batch_size, max(1, tokens // asked.shape.tokens(frames)))


def window_cells(asked: "PlannedRun") -> int:
    """Latent cells that the identity loss decodes of a sample whose face fills its window, as
    `crop_margin` cuts it: a square around the face's box.
    """
    shape, model = asked.shape, asked.profile.model
    side = ceil(_GROWN * model.height / model.crop_margin / shape.down)
    side = max(_LEAST_CELLS, side + side % 2)
    return min(side, shape.height // shape.down) * min(side, shape.wide // shape.down)


def decoded(asked: "PlannedRun", rules: TrainSettings) -> int:
    """Samples of a step that the identity loss decodes at most; a third of them has signal."""
    if rules.identity_loss_weight == 0 or rules.identity_loss_from_step >= rules.steps:
        return 0
    return min(rules.identity_loss_samples, rules.batch_size)


def identity_tflop(asked: "PlannedRun", r: Values) -> float:
    """TFLOP of one sample's identity loss: its window decoded, and the gradient to the latent,
    which costs as much, since no weight of the VAE has one.
    """
    cells = window_cells(asked) * asked.shape.vae_scale
    return 2 * cells * r["identity_decode"] / 1e3


def identity_share(asked: "PlannedRun", r: Values, rules: TrainSettings, frames: int) -> float:
    """What the identity loss adds to a step's TFLOP at most, as a share of them."""
    sample = asked.shape.trained_sample(frames, rules.gradient_checkpointing) * (1 + r["adapter"])
    return decoded(asked, rules) * identity_tflop(asked, r) / (rules.batch_size * sample)


def checkpoint(asked: "PlannedRun", rules: TrainSettings) -> float:
    """Bytes of a checkpoint at most: weights, both moments, and the moving average if there is one.

    Moments of 8 bits are counted as if they were float32.
    """
    return asked.shape.trained(rules) * (16 if rules.ema_decay else 12)


def training_memory(
    asked: "PlannedRun", r: Values, rules: TrainSettings, frames: int
) -> TrainingMemory:
    """The terms of one training at its largest moment.

    The window's decoding lies on top of what the forward pass left, and is gone before the first
    block is computed again: of these two the larger counts.
    """
    shape, samples = asked.shape, together(asked, rules, frames)
    one = samples * shape.tokens(frames) * shape.width * width(asked)
    block = one * r["block_activations"]
    decoding = min(decoded(asked, rules), samples) * window_cells(asked) * r["window_bytes"]
    decoding *= shape.vae_scale
    taught = shape.trained(rules)
    inputs = one * shape.layers if rules.gradient_checkpointing else block * (shape.layers - 1)
    average = {"their moving average, float32": taught * 4} if rules.ema_decay else {}
    return TrainingMemory(
        {
            "frozen parts": frozen(asked),
            "the adapter's weights, float32": shape.adapter * 4,
            **average,
            "gradients of what is trained, float32": taught * 4,
            "both moments": taught * _MOMENTS[rules.optimizer],
            "their casts outside the blocks": shape.outside * 2 if width(asked) < 4 else 0.0,
            "inputs of all blocks": inputs,
            "one block, or the identity loss' decoding": max(block, decoding),
            "CUDA itself and what it leaves unused": r["gpu_base"],
        }
    )
