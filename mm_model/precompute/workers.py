"""Workers that encode: each loads the frozen parts once, and then makes shard after shard.

A shard is written and sealed by who made it, beside those of the others: no latent passes through
the process that asked. On one machine there is one worker, the stage's own process.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mm_model.generation.backbone import Backbone, load_backbone
from mm_model.generation.reference_book import ReferenceBook
from mm_model.precompute import shards, sheet
from mm_model.precompute.encode import Encoder
from mm_model.precompute.kept import EarlierSamples
from mm_model.precompute.names import CLIPS, PICTURES
from mm_model.precompute.sample import TrainingSample
from mm_model.precompute.wanted import Target, TargetFacts
from mm_model.rows import Row
from mm_model.run.stage import Job
from mm_model.settings import Profile
from mm_model.settings.device import device_of, settle
from mm_model.store import digests, sealed

_FROZEN = ("vae", "tokenizer", "text_encoder", "identity_encoder")


@dataclass(frozen=True)
class ShardOrder:
    """One shard of the set `name`, to be at `path`."""

    name: str
    path: Path
    targets: Sequence[Target]


@dataclass(frozen=True)
class Encoding:
    """What a worker is told; `earlier` is where the samples of the run before are kept, `origin`
    names the work that shards belong to, `weights` are the frozen parts' digest."""

    inputs: dict[str, Path]
    profile: Profile
    folder: Path
    earlier: Path
    origin: str
    weights: str

    @classmethod
    def of(cls, job: Job) -> "Encoding":
        """That of a job; reads the weights once for their digest."""
        folder = job.model("backbone")
        weights = digests.of_value([digests.of_path(folder / part) for part in _FROZEN])
        earlier = job.layout.precomputed
        return cls(job.inputs, job.profile, folder, earlier, job.fingerprint, weights)

    def __call__(self) -> "Encoders":
        """Open it, in a worker."""
        import torch

        torch.set_num_threads(self.profile.run.threads)
        settle(device_of(self.profile.run))
        return Encoders(self)


class Encoders:
    """What a worker holds: the backbone, and of each set an encoder and the samples kept of it."""

    def __init__(self, told: Encoding) -> None:
        self._told = told
        backbone = load_backbone(told.folder, told.profile.run, idle=("transformer",))
        rules, sizes = told.profile.precompute, told.profile.model
        if rules.vae_tiling:
            backbone.vae.enable_tiling()
        book = ReferenceBook.open(told.inputs, backbone)
        self._known = known = TargetFacts(told.inputs, told.profile, book, told.weights)
        self.backbone: Backbone = backbone
        self.encoders = {
            name: Encoder(
                backbone=backbone,
                book=book,
                known=known,
                sizes=sizes,
                rules=rules,
                num_frames=1 if name == PICTURES else sizes.num_frames,
            )
            for name in (PICTURES, CLIPS)
        }

    @cached_property
    def _kept(self) -> dict[str, EarlierSamples]:
        place = self._told.earlier
        return {
            name: EarlierSamples(place / name, place / f"{name}.parquet") for name in self.encoders
        }

    def write(self, order: ShardOrder) -> str | None:
        """Make a shard that is not there whole; why one that lies there is made again, or None."""
        path, origin = order.path, self._told.origin
        flaw = sealed.flaw(path, origin)
        if flaw is None:
            return None
        lay_there = path.exists()
        sealed.remove(path)
        shards.write(path, self._entries(order), origin)
        return f"{path.name} of the work folder {flaw}: it is made again" if lay_there else None

    def _entries(self, order: ShardOrder) -> Iterator[shards.Entry]:
        encoder, kept = self.encoders[order.name], self._kept[order.name]
        keys = [self._known.key(one, encoder.num_frames) for one in order.targets]
        found = [kept.get(key) for key in keys]
        missing = [one for one, known in zip(order.targets, found, strict=True) if known is None]
        fresh = iter(encoder.samples(missing) if missing else [])
        for target, key, content in zip(order.targets, keys, found, strict=True):
            content = next(fresh).to_bytes() if content is None else content
            # read back, so that a sum over another order in memory cannot tell who computed it
            sample = TrainingSample.of_bytes(content)
            yield target.sample_id, self._words(target, key, sample), content

    def _words(self, target: Target, key: str, sample: TrainingSample) -> Row:
        mean, logvar = sample.mean.float(), sample.logvar.float()
        return {
            "identity": target.identity,
            "split": target.split,
            "media": target.media,
            "caption": str(self._known.row(target)["caption"]),
            "references": len(target.references),
            "key": key,
            "latent_std": float(mean.std()),
            "logvar_mean": float(logvar.mean()),
            "face_share": float(sample.mask.float().mean()),
        }


def write(made: Encoders, order: ShardOrder) -> str | None:
    """Task: see `Encoders.write`."""
    return made.write(order)


def size(made: Encoders, item: tuple[str, Target]) -> shards.Sizes:
    """Task: how large the parts of a set's samples are, by one of its targets."""
    name, target = item
    return shards.Sizes.of(made.encoders[name].samples([target])[0])


def empty_text(made: Encoders, name: str) -> bytes:
    """Task: the safetensors of `EMPTY_TEXT`, by the encoder of a set."""
    from safetensors.torch import save

    return save({"text": made.encoders[name].empty_text()})


def draw(made: Encoders, out: Path) -> None:
    """Task: write the contact sheet of what lies in `out`."""
    sheet.write(out, made.backbone)
