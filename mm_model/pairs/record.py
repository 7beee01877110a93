"""`made.parquet`: every painted picture with its prompt, kept or not, and the share that passes.

A picture passes when it shows one face that resembles, above `pairs.cosine_above`, the sample it
was made from. The paper gives no share; its counts suggest 94% (132 K of two for each of FFHQ's
70 K) and 83% (120 K of five for each of 29 K clips), if they mean that.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mm_model.decisions.pairs import MESSAGES, TriedPair, broken_rule
from mm_model.faces.row import unpacked
from mm_model.pairs.library import Library
from mm_model.pairs.make import Order
from mm_model.records import MADE_COLUMNS, Row, Status
from mm_model.settings import PairsSettings
from mm_model.store import tables

PAPER = {"still": 0.94, "clip": 0.83}
"""What the paper's counts suggest of pictures made from a still, and from a clip."""

_TYPES = tables.DECISION_TYPES | {
    "seed": "count",
    "steps": "count",
    "guidance": "number",
    "merge_after": "count",
    "size": "count",
    "cosine": "number",
}


def rows_of(
    orders: Mapping[str, Order],
    made: list[Row],
    library: Library,
    rules: PairsSettings,
    weights: str,
) -> list[Row]:
    """One row a painted picture, in the order of `made`; `weights` is the generator's digest."""
    return [
        {
            "picture": row["key"],
            "picture_file": f"pairs:synthetic/{row['key']}.jpg" if row["made"] else None,
            "identity": row["identity"],
            "origin": orders[row["key"]].identity.portraits[0].sample_id,
            "media": library.samples[orders[row["key"]].identity.portraits[0].sample_id].media,
            "prompt": _prompt(orders[row["key"]]),
            "seed": row["seed"],
            "steps": rules.synthetic_steps,
            "guidance": rules.synthetic_guidance,
            "merge_after": rules.synthetic_merge_after,
            "size": rules.synthetic_size,
            "generator": weights,
            **_verdict(row, library, rules),
        }
        for row in made
    ]


def _prompt(order: Order) -> str | None:
    return order.painted.prompt if order.painted else None


def _verdict(row: Row, library: Library, rules: PairsSettings) -> Row:
    """Cosine to the origin and the decision, as pairs are decided."""
    packed = row.get("embedding")
    cosine = None
    if packed is not None:
        origin = library.embeddings[row["origin"]].astype(np.float64)
        cosine = float(origin @ unpacked(packed, "<f4").astype(np.float64))
    if flaw := row.get("flaw"):
        status = Status.FAILED if flaw.startswith("SYS_") else Status.REJECTED
        return {
            "cosine": cosine,
            "status": status,
            "reason": flaw,
            "reason_value": row.get("flaw_value"),
            "reason_threshold": row.get("flaw_threshold"),
            "message": row.get("message") or MESSAGES[flaw],
        }
    broken = broken_rule(TriedPair(cosine), rules)
    if broken is None:
        return {"cosine": cosine, "status": Status.KEPT}
    return {
        "cosine": cosine,
        "status": Status.REJECTED,
        "reason": str(broken.reason),
        "reason_value": broken.value,
        "reason_threshold": broken.threshold,
        "message": broken.message,
    }


def write(path: Path, rows: list[Row]) -> None:
    """Write the table."""
    tables.write(path, rows, MADE_COLUMNS, _TYPES)


def figures_of(rows: list[Row]) -> Row:
    """Share of the pictures that pass, by what they were made from; None where there is none."""
    found: Row = {}
    for kind, media in (("still", "image"), ("clip", "clip")):
        of_kind = [row for row in rows if row["media"] == media]
        kept = sum(row["status"] == Status.KEPT for row in of_kind)
        found[f"made_from_{kind}"] = len(of_kind)
        found[f"made_pass_rate_{kind}"] = kept / len(of_kind) if of_kind else None
    return found


def notes_of(figures: Row) -> list[str]:
    """The shares beside what the paper's counts suggest."""
    notes = []
    for kind, paper in PAPER.items():
        rate, number = figures[f"made_pass_rate_{kind}"], figures[f"made_from_{kind}"]
        if rate is not None:
            notes.append(
                f"{rate:.0%} of {number} pictures painted from a {kind} resemble it; the paper's "
                f"counts suggest {paper:.0%}."
            )
    return notes
