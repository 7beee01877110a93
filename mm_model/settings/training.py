"""The section of one training stage."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from mm_model.settings import bounds
from mm_model.settings.bounds import Count, Few, Share, each_once
from mm_model.settings.section import Section

FaceGuidance = Literal["null", "keep", "base", "split"]


class TrainSettings(Section):
    """One training stage (paper, section 4: 30K x 64 images, then 5K x 8 clips, lr from 1e-5).

    Steps count optimiser updates; `batch_size` is global. Probabilities are per sample. At most
    `identity_loss_samples` of a batch are decoded for the identity loss. `noisy_share` of the
    samples draw their timestep from the noisier half, where the image has yet to decide who it
    shows; the rest, and at 0 all as CogVideoX does, draw uniformly. The `sample_` fields say
    when and how held-out people are looked at; they change nothing that is learned. `milestones`
    are shares of the steps after which the adapter is kept and evaluated too. `row_floor` is the
    least number of targets to learn from. `trained: modulation` trains CAN and phi_face alone.
    `adamw8bit` keeps both moments in 8 bits (an extra).

    `ema_decay` is that of a moving average of the weights, which is looked at and kept instead of
    them; none when null.

    Samples come in `streams`, each from shards of its own and for an equal part of the batch, so
    that what a step sees does not depend on how many processes read. A stream holds
    `shuffle_shards` shards at once and draws the order within them; `loader_workers` processes
    read ahead, 0 reads in between.
    """

    steps: bounds.Steps
    batch_size: Count
    learning_rate: bounds.LearningRate
    warmup_steps: bounds.Step
    final_lr_share: Share
    weight_decay: bounds.Decay
    betas: tuple[bounds.Momentum, bounds.Momentum]
    gradient_clip: bounds.Norm
    optimizer: Literal["adamw", "adamw8bit"]
    trained: Literal["all", "modulation"]
    ema_decay: bounds.Momentum | None
    gradient_checkpointing: bool
    noisy_share: Share
    face_loss_probability: Share
    drop_text: Share
    drop_face: Share
    drop_both: Share
    identity_loss_weight: bounds.Weight
    identity_loss_from_step: bounds.Step
    identity_loss_samples: Count
    log_every: bounds.Steps
    sample_every: bounds.Steps
    sample_frames: bounds.ModelFrames
    sample_steps: bounds.SamplerSteps
    sample_guidance: bounds.Guidance
    sample_face_guidance: FaceGuidance
    checkpoint_every: bounds.Steps
    streams: Few
    shuffle_shards: Few
    loader_workers: bounds.SomeOrNone
    milestones: Annotated[tuple[Share, ...], Field(max_length=100), AfterValidator(each_once)]
    row_floor: Count

    @model_validator(mode="after")
    def _drops_exclude_each_other(self) -> "TrainSettings":
        if self.drop_text + self.drop_face + self.drop_both > 1:
            raise ValueError("drop_text, drop_face and drop_both are together more than 1")
        return self

    @model_validator(mode="after")
    def _streams_share_the_batch(self) -> "TrainSettings":
        if self.batch_size % self.streams:
            raise ValueError(
                f"streams {self.streams} does not divide batch_size {self.batch_size} evenly"
            )
        return self

    @property
    def milestone_steps(self) -> tuple[int, ...]:
        """Steps after which the adapter is kept for the evaluation's curve."""
        return tuple(sorted({max(1, round(share * self.steps)) for share in self.milestones}))
