"""Stage `precompute`: what the frozen parts say of every training target, once, for both trainings.

takes  ingest, faces, pairs   kept pairs of the training split
gives  pictures/, clips/ (shards), pictures.parquet, clips.parquet (their indexes),
       empty_text.safetensors
Pictures are single frames (paper, section 3.3, stage 1), clips have the model's frames (stage 2).
Nothing here is trained, and no later stage of training opens a photograph for its loss.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.precompute import shards
from mm_model.precompute.kept import Kept, keep, link
from mm_model.precompute.wanted import Known, Target, targets_of
from mm_model.records import PRECOMPUTED_COLUMNS, Counts
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import digests, sealed, tables

if TYPE_CHECKING:
    from mm_model.precompute.encode import Encoder
    from mm_model.precompute.sample import Sample

PICTURES, CLIPS = "pictures", "clips"
EMPTY_TEXT = "empty_text.safetensors"

_MEDIA = {PICTURES: ("image", "clip"), CLIPS: ("clip",)}
_TYPES = {
    **dict.fromkeys(("references", "offset", "bytes"), "count"),
    **dict.fromkeys(("latent_std", "logvar_mean", "face_share"), "number"),
}
_FROZEN = ("vae", "tokenizer", "text_encoder", "identity_encoder")


def run(job: Job) -> Report:
    """Encode what is not encoded yet, shard by shard; write both sets and their indexes."""
    import torch
    from safetensors.torch import save_file

    from mm_model.generation.backbone import load_backbone
    from mm_model.generation.reference_book import ReferenceBook
    from mm_model.precompute.encode import Encoder

    torch.set_num_threads(job.profile.run.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    wanted = {name: targets_of(job, media) for name, media in _MEDIA.items()}
    if not wanted[PICTURES]:
        raise UserError(
            "There is no kept training pair of image or clip: add such files to the sources, or "
            "lower pairs.cosine_above in the profile."
        )
    backbone = load_backbone(job.model("backbone"), job.profile.run)
    if job.profile.precompute.vae_tiling:
        backbone.vae.enable_tiling()
    book = ReferenceBook.open(job.inputs, backbone)
    weights = digests.of_value([digests.of_path(backbone.folder / part) for part in _FROZEN])
    known = Known(job, book, weights)
    sizes, rules = job.profile.model, job.profile.precompute
    names: list[str] = []
    metrics: dict[str, float | int | str | bool | None] = {}
    for name, targets in wanted.items():
        frames = 1 if name == PICTURES else sizes.num_frames
        encoder = Encoder(backbone, book, known, sizes, rules, frames)
        made = _Set(job, name, encoder, known).write(targets)
        names += made
        metrics |= {name: len(targets), f"{name}_shards": len(made) - 1}
    save_file({"text": encoder.empty_text()}, job.out / EMPTY_TEXT)
    keep(job.out, job.layout.precomputed, names)
    metrics["megabytes"] = round(sum((job.out / name).stat().st_size for name in names) / 1e6, 1)
    total = sum(len(targets) for targets in wanted.values())
    return Report(Counts(total, total), metrics)


@dataclass(frozen=True)
class _Set:
    """One set of samples on its way."""

    job: Job
    name: str
    encoder: "Encoder"
    known: Known

    def write(self, targets: Sequence[Target]) -> list[str]:
        """Write shards and index; their names in the output."""
        paths = list(self._shards(targets))
        files = [f"{self.name}/{path.name}" for path in paths]
        for path, file in zip(paths, files, strict=True):
            link(path, self.job.out / file)
        index = f"{self.name}.parquet"
        rows = (row for path in paths for row in shards.words_in(path))
        tables.write(self.job.out / index, rows, PRECOMPUTED_COLUMNS, _TYPES)
        return [*files, index]

    def _shards(self, targets: Sequence[Target]) -> Iterator[Path]:
        from mm_model.precompute.sample import words_of

        if not targets:
            return
        job, folder = self.job, self.job.work / "checkpoints" / self.name
        before = job.layout.precomputed
        kept = Kept(before / self.name, before / f"{self.name}.parquet")
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

    def _entries(self, targets: Sequence[Target], kept: Kept) -> Iterator[shards.Entry]:
        from mm_model.precompute.sample import Sample

        keys = [self.known.key(one, self.encoder.num_frames) for one in targets]
        found = [kept.get(key) for key in keys]
        missing = [one for one, content in zip(targets, found, strict=True) if content is None]
        fresh = iter(self.encoder.samples(missing) if missing else [])
        for target, key, content in zip(targets, keys, found, strict=True):
            if content is None:
                sample = next(fresh)
                content = sample.to_bytes()
            else:
                sample = Sample.of_bytes(content)
            yield target.sample_id, self._words(target, key, sample), content

    def _words(self, target: Target, key: str, sample: "Sample") -> dict:
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


STAGE = Stage(
    name="precompute",
    title="Latents, texts and faces for training",
    version=1,
    takes=("ingest", "faces", "pairs"),
    sections=("run", "model", "precompute"),
    models=("backbone",),
    run=run,
)
