"""Writes a set: its samples into shards, those of the run before taken up, and its index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_model.precompute import shards
from mm_model.precompute.encode import Encoder
from mm_model.precompute.kept import EarlierSamples
from mm_model.precompute.sample import TrainingSample, words_of
from mm_model.precompute.wanted import Target, TargetFacts
from mm_model.records import PRECOMPUTED_COLUMNS
from mm_model.run.stage import Job
from mm_model.store import atomic, sealed, tables

_TYPES = {
    **dict.fromkeys(("references", "offset", "bytes"), "count"),
    **dict.fromkeys(("latent_std", "logvar_mean", "face_share"), "number"),
}


@dataclass(frozen=True)
class SampleSet:
    """One set of samples on its way into the output of a job."""

    job: Job
    name: str
    encoder: Encoder
    known: TargetFacts

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
        before = job.layout.precomputed
        kept = EarlierSamples(before / self.name, before / f"{self.name}.parquet")
        sizes = shards.Sizes.of(self.encoder.samples(targets[:1])[0])
        each = [
            sizes.of_sample(len(words_of(len(one.references))), len(one.references))
            for one in targets
        ]
        parts = list(shards.plan(each, job.profile.precompute.shard_mb << 20))
        for number, part in job.each(enumerate(parts), len(parts), f"shards of {self.name}"):
            path = folder / shards.name_of(number)
            flaw = sealed.flaw(path, job.fingerprint)
            if flaw is not None:
                if path.exists():
                    job.say(f"{path.name} of the work folder {flaw}: it is made again")
                    sealed.remove(path)
                own = targets[part.start : part.stop]
                shards.write(path, self._entries(own, kept), job.fingerprint)
            yield path

    def _entries(self, targets: Sequence[Target], kept: EarlierSamples) -> Iterator[shards.Entry]:
        keys = [self.known.key(one, self.encoder.num_frames) for one in targets]
        found = [kept.get(key) for key in keys]
        missing = [one for one, content in zip(targets, found, strict=True) if content is None]
        fresh = iter(self.encoder.samples(missing) if missing else [])
        for target, key, content in zip(targets, keys, found, strict=True):
            content = next(fresh).to_bytes() if content is None else content
            # read back, so that a sum over another order in memory cannot tell who computed it
            sample = TrainingSample.of_bytes(content)
            yield target.sample_id, self._words(target, key, sample), content

    def _words(self, target: Target, key: str, sample: TrainingSample) -> dict:
        mean, logvar = sample.mean.float(), sample.logvar.float()
        return {
            "identity": target.identity,
            "split": target.split,
            "media": target.media,
            "caption": str(self.known.row(target)["caption"]),
            "references": len(target.references),
            "key": key,
            "latent_std": float(mean.std()),
            "logvar_mean": float(logvar.mean()),
            "face_share": float(sample.mask.float().mean()),
        }
