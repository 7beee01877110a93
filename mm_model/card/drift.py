"""What a card remembers of a dataset in numbers, and what moved since the last version.

Measure: the population stability index (PSI) over the tenths of the last version, with what could
not be measured as a part of its own. By custom 0.1 is a move and 0.25 a large one. Of few samples
chance alone gives more, so a move must also lie above what equal sets give once in a thousand:
the index over (1/n + 1/m) is then near chi-square (B. Yurdakul, Statistical Properties of the
Population Stability Index, 2018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mm_model.card.outputs import STAGES, DataOutput, equal, numbers, tally
from mm_model.card.people import Population
from mm_model.decisions.table import MEASURES
from mm_model.errors import UserError
from mm_model.records import Status
from mm_model.store import documents
from mm_model.store.atomic import Document

NAME = "card.json"
KIND = "magic-mirror-dataset-card"
SCHEMA = 1
MOVED, LARGE = 0.1, 0.25
CHANCE = 0.001
"""How often equal sets may be called moved, a measure."""

_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_TENTHS = tuple(place / 10 for place in range(1, 10))


@dataclass(frozen=True)
class Move:
    """What became of a measure, or of the shares of some parts. index: the PSI."""

    what: str
    index: float
    before: str
    now: str

    @property
    def size(self) -> str:
        """A word for it."""
        return "large move" if self.index >= LARGE else "move"


@dataclass(frozen=True)
class Drift:
    """compared: how many things were; moved: those that moved, the largest first.

    counts: name, number before, number now.
    """

    since: str
    compared: int
    moved: tuple[Move, ...]
    counts: tuple[tuple[str, int | None, int | None], ...]


def summary(
    outputs: Mapping[str, DataOutput], people: Population | None, name: str, version: str
) -> Document:
    """What a card remembers: counts, quantiles and parts of each measure, shares of reasons."""
    stages: Document = {}
    for stage in STAGES:
        output = outputs[stage]
        if not output.there:
            continue
        counts = output.counts
        stages[stage] = {
            "counts": {
                "total": counts.total,
                "kept": counts.kept,
                "rejected": sum(counts.rejected.values()),
                "failed": sum(counts.failed.values()),
            },
            "reasons": {"kept": counts.kept, **counts.rejected, **counts.failed},
            "measures": _measures(output),
        }
    if "pairs" in stages:
        kinds = outputs["pairs"].columns("kind", "status")
        kept = kinds.filter(equal(kinds, "status", Status.KEPT))
        stages["pairs"]["kinds"] = {str(kind): n for kind, n in tally(kept, "kind").items()}
    found: Document = {"kind": KIND, "schema": SCHEMA, "name": name, "version": version}
    found["stages"] = stages
    if people is not None:
        sides = {"train": people.train, "held_out": people.held_out}
        balance = {name: row[0] + row[1] for name, row in people.balance.items()}
        found["people"] = {"sides": sides, "categories": balance}
    return found


def _measures(output: DataOutput) -> Document:
    """A column at a time."""
    found: Document = {}
    for measure in MEASURES.get(output.stage, ()):
        table = output.columns(measure.name)
        if not table.column_names:
            continue
        values = numbers(table, measure.name)
        known = values[np.isfinite(values)]
        edges = _edges(known)
        found[measure.name] = {
            "count": int(known.size),
            "missing": int(values.size - known.size),
            "quantiles": {
                f"{at:g}": float(value)
                for at, value in zip(_QUANTILES, np.quantile(known, _QUANTILES), strict=True)
            }
            if known.size
            else {},
            "edges": edges.tolist(),
            "parts": _parts(known, edges),
        }
    return found


def _edges(known: np.ndarray) -> np.ndarray:
    """The tenths; a value that is several of them has a part of its own."""
    if not known.size:
        return np.array([])
    tenths, times = np.unique(np.quantile(known, _TENTHS, method="lower"), return_counts=True)
    return np.unique(np.concatenate([tenths, np.nextafter(tenths[times > 1], -np.inf)]))


def _parts(known: np.ndarray, edges: Sequence[float] | np.ndarray) -> list[int]:
    """How many values lie up to each edge, and beyond the last."""
    places = np.searchsorted(np.asarray(edges, np.float64), known, side="left")
    return np.bincount(places, minlength=len(edges) + 1).tolist()


def index_of(before: Sequence[int], now: Sequence[int]) -> tuple[float, bool]:
    """The population stability index of two lists of counts, and whether chance does not tell it.

    Half a sample is added to each part, so that an empty one has a share.
    """
    from scipy.stats import chi2

    b, n = np.asarray(before, np.float64), np.asarray(now, np.float64)
    used = (b + n) > 0
    b, n = b[used], n[used]
    if len(b) < 2 or not b.sum() or not n.sum():
        return 0.0, False
    shares = (b + 0.5) / (b + 0.5).sum(), (n + 0.5) / (n + 0.5).sum()
    index = float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    by_chance = float(chi2.ppf(1 - CHANCE, len(b) - 1)) * (1 / b.sum() + 1 / n.sum())
    return index, index > by_chance


def last(folder: Path, now: Document) -> Document | None:
    """What the last card in `folder` remembered; that of the version before, where it is of `now`.

    Raises:
        UserError: a file of that name lies there that no card of a dataset wrote.
    """
    path = folder / NAME
    if not path.exists():
        return None
    found = documents.read_or_empty(path)
    if found.get("kind") != KIND or found.get("schema") != SCHEMA:
        raise UserError(
            f"{path} was written by no dataset card of this version, and is left as it is: name "
            "a page in another folder, or move it away."
        )
    if found.get("version") == now["version"] and found.get("name") == now["name"]:
        before = found.get("last")
        return before if isinstance(before, dict) else None
    return {key: value for key, value in found.items() if key != "last"}


def drift(outputs: Mapping[str, DataOutput], now: Document, before: Document) -> Drift:
    """What moved from `before` to `now`.

    Raises:
        LookupError, TypeError, ValueError: `before` is not as a card writes it.
    """
    moves: list[Move] = []
    compared = 0
    for what, index, told, pair in _compared(outputs, now, before):
        compared += 1
        if told and index >= MOVED:
            moves.append(Move(what, index, *pair))
    counts = []
    for stage in STAGES:
        was, is_ = (one["stages"].get(stage, {}).get("counts", {}) for one in (before, now))
        for kind in ("total", "kept", "rejected", "failed"):
            if was.get(kind) or is_.get(kind):
                counts.append((f"{stage}: {kind}", was.get(kind), is_.get(kind)))
    moves.sort(key=lambda move: -move.index)
    return Drift(str(before["version"]), compared, tuple(moves), tuple(counts))


def _compared(outputs: Mapping[str, DataOutput], now: Document, before: Document) -> Any:
    """(what, index, whether chance does not tell it, (before, now) in words) of each thing."""
    for stage, was in before["stages"].items():
        if stage not in now["stages"]:
            continue
        is_ = now["stages"][stage]
        for name, old in was["measures"].items():
            if name not in is_["measures"]:
                continue
            new = is_["measures"][name]
            values = numbers(outputs[stage].columns(name), name)
            parts = _parts(values[np.isfinite(values)], old["edges"])
            index, told = index_of([*old["parts"], old["missing"]], [*parts, new["missing"]])
            yield f"{stage}: {name}", index, told, (_words(old), _words(new))
        for part, title in (("reasons", "shares of reasons"), ("kinds", "shares of kinds")):
            if was.get(part) and is_.get(part):
                yield _shares(f"{stage}: {title}", was[part], is_[part])
    for part in ("sides", "categories"):
        was, is_ = (one.get("people", {}).get(part) for one in (before, now))
        if was and is_:
            yield _shares(f"people: {part.replace('_', ' ')}", was, is_)


def _shares(what: str, was: Mapping[str, int], is_: Mapping[str, int]) -> Any:
    names = sorted({*was, *is_})
    counts = [[one.get(name, 0) for name in names] for one in (was, is_)]
    index, told = index_of(*counts)
    totals = [max(1, sum(one)) for one in counts]
    far = sorted(
        names,
        key=lambda name: -abs(is_.get(name, 0) / totals[1] - was.get(name, 0) / totals[0]),
    )[:3]
    words = [
        ", ".join(f"{name} {100 * one.get(name, 0) / total:.1f}%" for name in far)
        for one, total in zip((was, is_), totals, strict=True)
    ]
    return what, index, told, tuple(words)


def _words(measure: Document) -> str:
    found = measure["quantiles"]
    if not found:
        return "no value"
    low, middle, high = (found[at] for at in ("0.05", "0.5", "0.95"))
    ends = f"{low:.4g} to {high:.4g}"
    gone = f", {measure['missing']} without" if measure["missing"] else ""
    return f"median {middle:.4g} ({ends}){gone}"
