"""Writes a set: its samples into shards, by workers, and its index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_model.precompute import shards, workers
from mm_model.precompute.sample import words_of
from mm_model.precompute.wanted import Target
from mm_model.records import PRECOMPUTED_COLUMNS
from mm_model.run.pools.port import Pool, whole
from mm_model.run.stage import Job
from mm_model.store import atomic, tables

DIED = (
    "A worker process died twice while it encoded: is there too little memory? Run again, on Ray "
    "with fewer workers (MM_POOL_WORKERS); whole shards are kept."
)
_TYPES = {
    **dict.fromkeys(("references", "offset", "bytes"), "count"),
    **dict.fromkeys(("latent_std", "logvar_mean", "face_share"), "number"),
}


@dataclass(frozen=True)
class SampleSet:
    """One set of samples on its way into the output of a job; `pool` has `workers.Encoders`."""

    job: Job
    name: str
    pool: Pool

    def write(self, targets: Sequence[Target]) -> list[str]:
        """Write shards and index; their names in the output."""
        paths = list(self._shards(targets))
        files = [f"{self.name}/{path.name}" for path in paths]
        for path, file in zip(paths, files, strict=True):
            atomic.link(path, self.job.out / file)
        index = f"{self.name}.parquet"
        rows = (row for path in paths for row in shards.words_in(path))
        tables.write(self.job.out / index, rows, PRECOMPUTED_COLUMNS, _TYPES)
        return [*files, index]

    def _shards(self, targets: Sequence[Target]) -> Iterator[Path]:
        if not targets:
            return
        job, folder = self.job, self.job.work / "checkpoints" / self.name
        (sizes,) = whole(self.pool.map(workers.size, [(self.name, targets[0])]), DIED)
        each = [
            sizes.of_sample(len(words_of(len(one.references))), len(one.references))
            for one in targets
        ]
        orders = [
            workers.ShardOrder(
                self.name, folder / shards.name_of(number), targets[part.start : part.stop]
            )
            for number, part in enumerate(shards.plan(each, job.profile.precompute.shard_mb << 20))
        ]
        told = whole(self.pool.map(workers.write, orders), DIED)
        for order, said in zip(
            orders, job.each(told, len(orders), f"shards of {self.name}"), strict=True
        ):
            if said:
                job.say(said)
            yield order.path
