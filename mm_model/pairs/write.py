"""The two tables of the pairs stage, row by row from what was tried.

Decides nothing; every value was settled before.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mm_model.decisions.pairs import MEASURES, MESSAGES
from mm_model.decisions.port import types
from mm_model.faces.identity import mean_unit
from mm_model.pairs.library import Library
from mm_model.pairs.select import Candidate, Reference
from mm_model.records import PAIRS_COLUMNS, REFERENCES_COLUMNS, Status
from mm_model.rows import Row
from mm_model.store import digests, tables

_TYPES = tables.DECISION_TYPES | types(MEASURES) | {"seed": "count"}
_FACE = (*REFERENCES_COLUMNS[-15:-11], *REFERENCES_COLUMNS[-10:])
_REFERENCE_TYPES = {"frame": "count", "width": "count", "height": "count"} | dict.fromkeys(
    ("cosine", "score", *_FACE), "number"
)


class Files:
    """Where the picture of a reference lies; `made` are the keys of the synthesised ones."""

    def __init__(self, library: Library, made: list[Row]) -> None:
        self._samples = library.samples
        self._made = {row["key"] for row in made if row["made"]}

    def of(self, reference: Reference) -> str | None:
        """`ingest:files/...[#frame=N]` or `pairs:synthetic/...`; None of one that was not made."""
        if reference.sample_id is None:
            made = reference.key in self._made
            return f"pairs:synthetic/{reference.key}.jpg" if made else None
        frame = reference.key.removeprefix(reference.sample_id)
        return f"ingest:{self._samples[reference.sample_id].file}{frame}"


def write_pairs(path: Path, library: Library, tried: list[Candidate], files: Files) -> None:
    """One row for each candidate that was tried, kept or rejected."""
    tables.write(path, (_pair_row(pair, library, files) for pair in tried), PAIRS_COLUMNS, _TYPES)


def _pair_row(pair: Candidate, library: Library, files: Files) -> Row:
    target, reference = library.samples[pair.target], pair.reference
    message = reference.message or (MESSAGES[pair.reason] if pair.reason else None)
    return {
        "pair_id": digests.of_value([pair.target, reference.key, pair.kind])[:16],
        "target": pair.target,
        "reference": reference.key,
        "reference_file": files.of(reference),
        "kind": pair.kind,
        "identity": target.identity,
        "split": target.split,
        "media": target.media,
        "cosine": _number(pair.cosine),
        "reference_score": _number(reference.score),
        "reference_faces": reference.faces,
        "seed": reference.seed,
        "status": pair.status,
        "reason": pair.reason,
        "reason_value": _number(pair.value),
        "reason_threshold": pair.threshold,
        "message": message if pair.reason else None,
    }


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def write_references(
    path: Path, library: Library, tried: list[Candidate], made: list[Row], files: Files
) -> None:
    """Every picture of a kept pair with box and landmarks, so that training needs no detector.

    Rejected pictures stand in `pairs.parquet` alone. `cosine` is that to the mean of its identity's
    samples; `frame` is null for a still; `origin` is the sample a picture comes from (null when it
    comes from none).
    """
    used = {pair.reference.key: pair.reference for pair in tried if pair.status == Status.KEPT}
    rows = _reference_rows(used, library, {row["key"]: row for row in made}, files)
    tables.write(path, rows, REFERENCES_COLUMNS, _REFERENCE_TYPES)


def _reference_rows(
    used: dict[str, Reference], library: Library, drawn: dict[str, Row], files: Files
) -> Iterator[Row]:
    means, splits = _identities(library)
    for key, reference in sorted(used.items()):
        row = {
            "reference": key,
            "reference_file": files.of(reference),
            "sample_id": reference.sample_id,
            "identity": reference.identity,
            "split": splits[reference.identity],
            "cosine": float(means[reference.identity] @ reference.embedding),
        }
        if reference.place is None:
            source = drawn[key]
            row |= {name: source[name] for name in ("origin", "width", "height", "score")}
            numbers = [*source["box"], *source["landmarks"]]
        else:
            portrait = library.pictures.portrait(reference.place)
            row |= {
                "frame": portrait.frame,
                "origin": reference.sample_id,
                "width": portrait.width,
                "height": portrait.height,
                "score": portrait.face.score,
            }
            numbers = [*portrait.face.box.tolist(), *portrait.face.landmarks.reshape(-1).tolist()]
        yield row | dict(zip(_FACE, numbers, strict=True))


def _identities(library: Library) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Mean embedding and split of each identity."""
    members: dict[str, list[np.ndarray]] = {}
    splits: dict[str, str] = {}
    for name, sample in library.samples.items():
        members.setdefault(sample.identity, []).append(library.embeddings[name])
        splits[sample.identity] = sample.split
    return {name: mean_unit(np.stack(vectors)) for name, vectors in members.items()}, splits
