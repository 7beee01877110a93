"""The page's tables of all judges: whom they name, whom they tell from twins, and likeness."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mm_model.report import summary as told
from mm_model.report.templating import fill
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput

_CONTROLS = ("static_reference", "shuffled")
_KINDS = {
    "house": "of this project",
    "outsider": "took no part",
    "control": "control, sees colours only",
}


def judged(found: "StageOutput") -> str:
    """A row a variant, a column a judge; an empty text where one judge alone looked."""
    summary = told.read(found)
    if not summary or not any(summary.get(key) for key in ("named", "twins", "by_judge")):
        return ""
    tables = [_table(caption, summary, cells(summary)) for caption, cells in _TABLES]
    shown = [table for table in tables if table["rows"]]
    return fill("judged.html", tables=shown) if shown else ""


Cells = dict[str, dict[str, Document]]
"""By judge and short variant: `text`, and `beside` in small."""


def _table(caption: str, summary: Document, cells: Cells) -> Document:
    known = told.judges(summary)
    columns = [name for name in known if cells.get(name)]
    columns += [name for name in cells if name not in known and cells[name]]
    used = {variant for name in columns for variant in cells[name]}
    titles = {**told.NAMED, **{name: told.VARIANTS[name] for name in _CONTROLS}}
    return {
        "caption": caption,
        "columns": [
            {
                "title": known.get(name, {}).get("title", name),
                "kind": _KINDS.get(str(known.get(name, {}).get("kind")), ""),
            }
            for name in columns
        ],
        "rows": [
            {
                "title": title,
                "chosen": variant == told.candidate(summary),
                "cells": [cells[name].get(variant) for name in columns],
            }
            for variant, title in titles.items()
            if variant in used
        ],
    }


def _named(summary: Document) -> Cells:
    return {
        judge: {variant: _share(entry) for variant, entry in rows.items()}
        for judge, rows in told.named(summary).items()
    }


def _share(entry: Document) -> Document:
    text = f"{told.count(entry['hits'])} of {told.count(entry['people'])}"
    known = told.told({"value": None, **entry})
    return {"text": text, "beside": _interval(known, ".0%")}


def _interval(known: Document, form: str) -> str:
    if known["low"] is None or known["high"] is None:
        return ""
    return f"{known['low']:{form}} to {known['high']:{form}}"


def _twins(summary: Document) -> Cells:
    def cell(entry: Document) -> Document:
        text = f"{told.count(entry['hits'])} of {told.count(entry['people'])}"
        chance = entry.get("chance")
        return {"text": text, "beside": "" if chance is None else f"chance {told.count(chance)}"}

    return {
        judge: {variant: cell(entry) for variant, entry in rows.items() if entry}
        for judge, rows in (summary.get("twins") or {}).items()
        if rows
    }


def _by(summary: Document) -> Cells:
    def cell(entry: Document, identity: Document) -> Document:
        ceiling = entry.get("ceiling")
        beside = [f"{ceiling:.0f}% of the VAE's"] if ceiling is not None else []
        beside += [interval] if (interval := _interval(identity, ".2f")) else []
        return {"text": f"{identity['value']:.3f}", "beside": "; ".join(beside)}

    return _means(summary, "identity", cell)


def _seen(summary: Document) -> Cells:
    def cell(_: Document, seen: Document) -> Document:
        return {"text": f"{seen['value']:.0%}", "beside": _interval(seen, ".0%")}

    return _means(summary, "face_found", cell)


def _means(
    summary: Document, measure: str, cell: Callable[[Document, Document], Document]
) -> Cells:
    """What `cell` makes of each judge's entry and its mean, where there is one."""
    short = {name: key for key, name in told.SHORT.items()}
    found: Cells = {}
    for judge, rows in (summary.get("by_judge") or {}).items():
        for variant, entry in rows.items():
            mean = told.told(entry.get(measure), summary.get("people"))
            if mean["value"] is not None:
                found.setdefault(judge, {})[short.get(variant, variant)] = cell(entry, mean)
    return found


_TABLES: tuple[tuple[str, Callable[[Document], Cells]], ...] = (
    ("How many people each judge names right, of all tested", _named),
    (
        "Colour twins: how often each judge picks the person among four others of the same colours",
        _twins,
    ),
    ("Identity by each judge, and its share of what the VAE keeps", _by),
    ("Frames in which each judge's own detector finds a face", _seen),
)
