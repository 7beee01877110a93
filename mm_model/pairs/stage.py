"""Stage `pairs`: which reference picture stands for which target, held to a cosine.

Targets are the kept samples of `faces`; a pair never joins two identities. Synthesised references
are for training only, and are judged by the same detector and recogniser as everything else.
"""

import json
import shutil
from collections.abc import Sequence

import numpy as np

from mm_model.errors import UserError
from mm_model.faces.row import unpacked
from mm_model.faces.workers import DIED, Workers, opened
from mm_model.pairs import report, write
from mm_model.pairs.library import Library, read
from mm_model.pairs.make import Order, failed, make, order_key
from mm_model.pairs.select import Candidate, Reference, pairs_for
from mm_model.records import TRAIN, Reason
from mm_model.rows import Row
from mm_model.run import views
from mm_model.run.pools.port import Crashed
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import atomic, digests, shards

SHARD = 32
"""Synthesised pictures a shard."""


_PICTURES_WORTH_A_PROCESS = 100
_SHEET_SIDE = 384  # what is held of a picture until the sheet is made


def run(job: Job) -> Report:
    """Synthesise references, try candidates for every target, write pairs and references."""
    library = read(job.inputs["ingest"], job.inputs["faces"])
    orders = _orders(job, library)
    processes = job.profile.run.threads if len(orders) >= _PICTURES_WORTH_A_PROCESS else 1
    size = job.profile.faces.detection_size
    with opened(job.model("facepack"), size, processes) as workers:
        _same_pack(job, workers)
        made = _made(job, orders, workers)
    references = {name: list(members) for name, members in library.references.items()}
    for row in made:
        references[row["identity"]].append(_reference_of(row))
    tried = _tried(job, library, references)
    files = write.files_of(library, made)
    write.write_pairs(job.out / "pairs.parquet", library, tried, files)
    write.write_references(job.out / "references.parquet", library, tried, made, files)
    views.attempt("contact sheet", lambda: _sheet(job, library, tried, files), views.WITHOUT)
    served = {row["identity"] for row in made}
    unserved = {order.identity.name for order in orders.values()} - served
    rules = job.profile.pairs
    metrics = report.metrics_of(library, tried, rules.cosine_warn_above)
    metrics |= report.made_figures(made)
    notes = report.notes_of(metrics, len(unserved), rules.synthesizer)
    pictures = ("sheet.jpg",) if (job.out / "sheet.jpg").is_file() else ()
    return Report(report.counts_of(tried), metrics, pictures, tuple(notes))


def _same_pack(job: Job, workers: Workers) -> None:
    """Embeddings of two packs must never meet: their cosines mean nothing."""
    known = json.loads((job.inputs["faces"] / "pack.json").read_text())["digest"]
    if workers.pack.digest != known:
        raise UserError(
            f"{job.params.facepack} is not the face pack that stage faces used: run stage faces "
            "again with it."
        )


def _orders(job: Job, library: Library) -> dict[str, Order]:
    """The pictures to synthesise, for train identities only."""
    rules = job.profile.pairs
    if "synthetic" not in rules.kinds or rules.synthesizer == "none":
        return {}
    orders = {}
    for identity in library.identities().values():
        first = min(portrait.sample_id for portrait in identity.portraits)
        if library.samples[first]["split"] != TRAIN:
            continue
        for number in range(rules.synthetic_per_identity):
            key, seed = order_key(first, rules.synthesizer, number, job.profile.run.seed)
            orders[key] = Order(
                key,
                identity=identity,
                synthesizer=rules.synthesizer,
                seed=seed,
                folder=job.work / "pictures",
                rules=job.profile.faces,
            )
    return orders


def _made(job: Job, orders: dict[str, Order], workers: Workers) -> list[Row]:
    """Rows of the pictures that were made or failed; the pictures lie in `out/synthetic`."""

    def compute(keys: Sequence[str]) -> list[Row]:
        results = workers.run(make, [orders[key] for key in keys])
        return [
            failed(orders[key], DIED) if isinstance(result, Crashed) else result
            for key, result in zip(keys, results, strict=True)
        ]

    rows = shards.in_shards(
        job.work / "made",
        list(orders),
        SHARD,
        compute,
        label="[pairs] make",
        origin=job.fingerprint,
    )
    for row in rows:
        if not row["made"]:
            continue
        path = job.work / "pictures" / f"{row['key']}.jpg"
        if not path.is_file() or digests.of_file(path) != row["sha256"]:
            make(workers.pack, orders[row["key"]])
        (job.out / "synthetic").mkdir(exist_ok=True)
        shutil.copyfile(path, job.out / "synthetic" / path.name)
    return [row for row in rows if row["made"] or row.get("flaw")]


def _reference_of(row: Row) -> Reference:
    text = row.get("embedding")
    embedding = None if text is None else unpacked(text, "<f4")
    flaw = Reason(row["flaw"]) if row["flaw"] else None
    told = {
        name: row.get(name)
        for name in ("flaw_value", "flaw_threshold", "message", "score", "faces")
    }
    return Reference(
        row["key"],
        identity=row["identity"],
        sample_id=None,
        embedding=embedding,
        seed=row["seed"],
        flaw=flaw,
        **told,
    )


def _tried(job: Job, library: Library, references: dict[str, list[Reference]]) -> list[Candidate]:
    rules, seed = job.profile.pairs, job.profile.run.seed
    tried: list[Candidate] = []
    for target, sample in sorted(library.samples.items()):
        own = references[sample["identity"]]
        tried += pairs_for(target, library.embeddings[target], own, rules, seed)
    return tried


def _sheet(job: Job, library: Library, tried: list[Candidate], files: dict[str, str]) -> None:
    from mm_model.facepack.detect import reduced
    from mm_model.faces.pictures import Pictures
    from mm_model.media.sheet import jpeg_bytes

    def picture(file: str) -> np.ndarray:
        path, frame = report.picture_path(file, job.inputs, job.out)
        media = "image" if frame is None else "clip"
        pictures = Pictures(path, media, (frame or 0) + 1, 1, 1)
        return reduced(next(image for _, image in pictures.at([frame or 0])), _SHEET_SIDE)[0]

    pictures: dict[str, np.ndarray] = {}
    shown = []
    for pair in report.chosen_for_sheet([pair for pair in tried if pair.reference.key in files]):
        row = library.samples[pair.target]
        frame = "" if row["media"] == "image" else f"#frame={row['num_frames'] // 2}"
        wanted = {
            pair.reference.key: files[pair.reference.key],
            pair.target: f"ingest:{row['file']}{frame}",
        }
        try:
            pictures |= {key: picture(file) for key, file in wanted.items() if key not in pictures}
        except Exception:  # a picture that failed or went missing: the sheet does without the pair
            continue
        shown.append(pair)
    if shown:
        sheet = report.sheet(shown, pictures)
        atomic.write_bytes(job.out / "sheet.jpg", jpeg_bytes(sheet))


STAGE = Stage(
    name="pairs",
    title="Pairs: references for every target",
    version=2,
    takes=("ingest", "faces"),
    sections=("run", "faces", "pairs"),
    models=("facepack",),
    run=run,
)
