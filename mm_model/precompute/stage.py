"""Stage `precompute`: what the frozen parts say of every training target, once, for both trainings.

takes  ingest, faces, pairs   kept pairs of the training split
gives  pictures/, clips/ (shards), pictures.parquet, clips.parquet (their indexes),
       empty_text.safetensors, sheet.jpg
Pictures are single frames (paper, section 3.4, stage 1), clips have the model's frames (stage 2).
Nothing here is trained, and no later stage of training opens a photograph for its loss.
"""

from contextlib import closing

from mm_model.errors import UserError
from mm_model.precompute.names import CLIPS, EMPTY_TEXT, PICTURES
from mm_model.records import Counts
from mm_model.run import views
from mm_model.run.pools.port import whole
from mm_model.run.pools.table import open_heavy
from mm_model.run.stage import Job, Report, Stage
from mm_model.store.atomic import write_bytes

_MEDIA = {PICTURES: ("image", "clip"), CLIPS: ("clip",)}


def run(job: Job) -> Report:
    """Encode what is not encoded yet, shard by shard; write both sets and their indexes."""
    from mm_model.precompute import sheet, workers
    from mm_model.precompute.kept import keep
    from mm_model.precompute.sets import DIED, SampleSet
    from mm_model.precompute.wanted import targets_of

    wanted = {name: targets_of(job, media) for name, media in _MEDIA.items()}
    if not wanted[PICTURES]:
        raise UserError(
            "There is no kept training pair of image or clip: add such files to the sources, or "
            "lower pairs.cosine_above in the profile."
        )
    names: list[str] = []
    metrics: dict[str, float | int | str | bool | None] = {}
    with closing(open_heavy(workers.Encoding.of(job), job.profile.run)) as pool:
        for name, targets in wanted.items():
            made = SampleSet(job, name, pool).write(targets)
            names += made
            metrics |= {name: len(targets), f"{name}_shards": len(made) - 1}
        (said,) = whole(pool.map(workers.empty_text, [CLIPS]), DIED)
        write_bytes(job.out / EMPTY_TEXT, said)
        keep(job.out, job.layout.precomputed, names)
        drawn = whole(pool.map(workers.draw, [job.out]), DIED)
        views.attempt("contact sheet", lambda: list(drawn), views.WITHOUT)
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
