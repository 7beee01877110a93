"""References that are synthesised: which, by several workers in shards, and as what they are tried.

For training identities only. A picture that took its worker down is a failed row.
"""

import json
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.faces.row import unpacked
from mm_model.faces.workers import DIED, Workers
from mm_model.pairs.library import Library
from mm_model.pairs.make import Order, failed, make, order_of
from mm_model.pairs.select import Reference
from mm_model.records import TRAIN, Reason
from mm_model.rows import Row
from mm_model.run.pools.port import Crashed
from mm_model.run.stage import Job
from mm_model.store import digests, shards

if TYPE_CHECKING:
    from mm_model.pairs.painting import Painting

SHARD = 32
"""Synthesised pictures a shard."""


def refuse_another_pack(job: Job, workers: Workers) -> None:
    """Embeddings of two packs must never meet: their cosines mean nothing."""
    known = json.loads((job.inputs["faces"] / "pack.json").read_text())["digest"]
    if workers.pack.digest != known:
        raise UserError(
            f"{job.params.facepack} is not the face pack that stage faces used: run stage faces "
            "again with it."
        )


def orders_of(job: Job, library: Library) -> dict[str, Order]:
    """The pictures to synthesise, for train identities only."""
    rules = job.profile.pairs
    if "synthetic" not in rules.kinds or rules.synthesizer == "none":
        return {}
    if rules.paints:
        from mm_model.pairs import painting  # loads PyTorch

        return painting.orders_of(job, library)
    orders = {}
    for identity in library.identities():
        first = min(portrait.sample_id for portrait in identity.portraits)
        if library.samples[first].split != TRAIN:
            continue
        for number in range(rules.synthetic_per_identity):
            order = order_of(job, identity, first, number)
            orders[order.key] = order
    return orders


def painted(job: Job, orders: dict[str, Order], workers: Workers) -> "Painting | None":
    """The orders with their pictures where a generative model paints them; else None.

    It paints here, on the profile's device, before the workers judge.
    """
    if not job.profile.pairs.paints:
        return None
    from mm_model.pairs import painting  # loads PyTorch

    return painting.painted(job, orders, workers.pack)


def made_of(job: Job, orders: dict[str, Order], workers: Workers) -> list[Row]:
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


def reference_of(row: Row) -> Reference:
    """A synthesised picture, or why there is none, as what pairs are tried with."""
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
