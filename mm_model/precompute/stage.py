"""Stage `precompute`: what the frozen parts say of every training target, once, for both trainings.

takes  ingest, faces, pairs   kept pairs of the training split
gives  pictures/, clips/ (shards), pictures.parquet, clips.parquet (their indexes),
       empty_text.safetensors, sheet.jpg
Pictures are single frames (paper, section 3.3, stage 1), clips have the model's frames (stage 2).
Nothing here is trained, and no later stage of training opens a photograph for its loss.
"""

from mm_model.errors import UserError
from mm_model.precompute.names import CLIPS, EMPTY_TEXT, PICTURES
from mm_model.records import Counts
from mm_model.run import views
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import digests
from mm_model.store.atomic import written_aside

_MEDIA = {PICTURES: ("image", "clip"), CLIPS: ("clip",)}
_FROZEN = ("vae", "tokenizer", "text_encoder", "identity_encoder")


def run(job: Job) -> Report:
    """Encode what is not encoded yet, shard by shard; write both sets and their indexes."""
    import torch
    from safetensors.torch import save_file

    from mm_model.generation.backbone import load_backbone
    from mm_model.generation.reference_book import ReferenceBook
    from mm_model.precompute import sheet
    from mm_model.precompute.encode import Encoder
    from mm_model.precompute.kept import keep
    from mm_model.precompute.sets import SampleSet
    from mm_model.precompute.wanted import TargetFacts, targets_of

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
    known = TargetFacts(job, book, weights)
    sizes, rules = job.profile.model, job.profile.precompute
    names: list[str] = []
    metrics: dict[str, float | int | str | bool | None] = {}
    for name, targets in wanted.items():
        encoder = Encoder(
            backbone=backbone,
            book=book,
            known=known,
            sizes=sizes,
            rules=rules,
            num_frames=1 if name == PICTURES else sizes.num_frames,
        )
        made = SampleSet(job, name, encoder, known).write(targets)
        names += made
        metrics |= {name: len(targets), f"{name}_shards": len(made) - 1}
    with written_aside(job.out / EMPTY_TEXT) as aside:
        save_file({"text": encoder.empty_text()}, aside)
    keep(job.out, job.layout.precomputed, names)
    views.attempt("contact sheet", lambda: sheet.write(job.out, backbone), views.WITHOUT)
    metrics["megabytes"] = round(sum((job.out / name).stat().st_size for name in names) / 1e6, 1)
    total = sum(len(targets) for targets in wanted.values())
    shown = (sheet.NAME,) if (job.out / sheet.NAME).is_file() else ()
    return Report(Counts(total, total), metrics, shown)


STAGE = Stage(
    name="precompute",
    title="Latents, texts and faces for training",
    version=1,
    takes=("ingest", "faces", "pairs"),
    sections=("run", "model", "precompute"),
    models=("backbone",),
    run=run,
)
