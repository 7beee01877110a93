"""Stage `pairs`: which reference picture stands for which target, held to a cosine.

takes  ingest, faces
gives  pairs.parquet, references.parquet, synthetic/, sheet.jpg; made.parquet where a model paints
Targets are the kept samples of `faces`; a pair never joins two identities. Synthesised references
are for training only, and are judged by the same detector and recogniser as everything else.
"""

from mm_model.faces.workers import opened
from mm_model.pairs import record, report, sheet, write
from mm_model.pairs.library import Library, read
from mm_model.pairs.select import Candidate, Reference, pairs_for
from mm_model.pairs.synthesis import (
    made_of,
    orders_of,
    painted,
    reference_of,
    refuse_another_pack,
)
from mm_model.run import views
from mm_model.run.stage import Job, Report, Stage

_PICTURES_WORTH_A_PROCESS = 100


def run(job: Job) -> Report:
    """Synthesise references, try candidates for every target, write pairs and references."""
    library = read(job.inputs["ingest"], job.inputs["faces"])
    orders = orders_of(job, library)
    processes = job.profile.run.threads if len(orders) >= _PICTURES_WORTH_A_PROCESS else 1
    size = job.profile.faces.detection_size
    with opened(job.model("facepack"), size, processes) as workers:
        refuse_another_pack(job, workers)
        painting = painted(job, orders, workers)
        made = made_of(job, painting.orders if painting else orders, workers)
    references = {name: list(members) for name, members in library.references.items()}
    for row in made:
        references[row["identity"]].append(reference_of(row))
    tried = _tried(job, library, references)
    files = write.Files(library, made)
    write.write_pairs(job.out / "pairs.parquet", library, tried, files)
    write.write_references(job.out / "references.parquet", library, tried, made, files)
    views.attempt("contact sheet", lambda: sheet.sheet(job, library, tried, files), views.WITHOUT)
    served = {row["identity"] for row in made}
    unserved = {order.identity.name for order in orders.values()} - served
    rules = job.profile.pairs
    metrics = report.metrics_of(library, tried, rules.cosine_warn_above)
    metrics |= report.made_figures(made)
    notes = report.notes_of(metrics, len(unserved), rules.synthesizer)
    if painting:
        rows = record.rows_of(painting.orders, made, library, rules, painting.weights)
        record.write(job.out / "made.parquet", rows)
        metrics |= record.figures_of(rows)
        notes += record.notes_of(metrics)
    pictures = ("sheet.jpg",) if (job.out / "sheet.jpg").is_file() else ()
    return Report(report.counts_of(tried), metrics, pictures, tuple(notes))


def _tried(job: Job, library: Library, references: dict[str, list[Reference]]) -> list[Candidate]:
    rules, seed = job.profile.pairs, job.profile.run.seed
    tried: list[Candidate] = []
    for target, sample in sorted(library.samples.items()):
        own = references[sample.identity]
        tried += pairs_for(target, library.embeddings[target], own, rules, seed)
    return tried


STAGE = Stage(
    name="pairs",
    title="Pairs: references for every target",
    version=2,
    takes=("ingest", "faces"),
    sections=("run", "faces", "pairs"),
    models=("facepack", "synthesizer"),
    run=run,
)
