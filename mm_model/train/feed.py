"""The batches of a training, from any step on: samples are read and made into batches."""

from collections.abc import Iterator

from mm_model.generation.backbone import Backbone
from mm_model.settings import TrainSettings
from mm_model.train.batches import Batch, BatchMaker
from mm_model.train.loading import Loader
from mm_model.train.shards import ShardSet


class Feed:
    """See `from_step`. Of `ranks` processes each has its own part of every batch.

    Raises:
        UserError: there are too few shards for the streams, or too many processes.
    """

    def __init__(
        self,
        data: ShardSet,
        backbone: Backbone,
        settings: TrainSettings,
        seed: int,
        *,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._maker = BatchMaker(
            settings=settings,
            seed=seed,
            schedule=backbone.schedule,
            scaling=backbone.vae.config.scaling_factor,
            empty_text=data.empty_text,
        )
        self._loader = Loader(
            data,
            data.streams(settings.streams, settings.shuffle_shards, seed),
            settings.batch_size,
            workers=settings.loader_workers,
            rank=rank,
            ranks=ranks,
        )

    @property
    def waited(self) -> float:
        """Seconds that were spent waiting for samples so far."""
        return self._loader.waited

    def from_step(self, first: int) -> Iterator[Batch]:
        """The batch of step `first` (counted from 1), then of each after it, without end.

        Raises:
            UserError: a shard is damaged or missing.
        """
        for step, drawn in enumerate(self._loader.steps(first), first):
            yield self._maker.batch(step, drawn)
