"""The page's section on methods beside each other, where `make methods` has measured them here."""

from statistics import median

from mm_model.report.templating import fill
from mm_model.store import documents, manifest
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout

NAME = "methods"
_BASE, _CONTROL = "base", "colour"
_WEIGHTS = "adapter/magic_mirror_adapter.safetensors"


def compared(layout: Layout) -> str:
    """A row a method: each judge's cosine and gain with their intervals, motion, and what it costs.

    An empty text where nothing was measured for this profile.
    """
    path = layout.root / "work" / "reproduce" / NAME / f"{NAME}.json"
    if not path.is_file():
        return ""
    said = documents.read(path, "remove it, and 'make methods' measures again")
    if said.get("profile", "tiny") != layout.profile:
        return ""
    learning = said["seconds of learning"]
    # what colour alone reaches proves no likeness, so it stands last
    judges = dict(sorted(said["judges"].items(), key=lambda one: one[0] == _CONTROL))
    return fill(
        "compared.html",
        judges=judges,
        people=len(said["parts"]),
        sentences=len(said["study"]["sentences"]),
        rows=[_row(name, row, judges) for name, row in said["methods"].items()],
        learning=median(learning) if learning else None,
        another=_another(layout, said["adapter"]),
        notes=said["notes"],
    )


def _row(name: str, row: Document, judges: Document) -> Document:
    return {
        "name": name,
        "cells": [
            {
                "cosine": row[judge]["cosine"],
                "gain": row[judge]["gain"] if name != _BASE else None,
                "named": row[judge]["named right"],
            }
            for judge in judges
        ],
        "motion": row["motion"],
        "seconds": row["seconds a clip"],
        "learns": "tokens" in name,
    }


def _another(layout: Layout, adapter: Document) -> bool:
    """Whether what was measured is another adapter than the one that lies here now."""
    made = documents.read_or_empty(layout.output("finetune") / manifest.NAME)
    now = made.get("files", {}).get(_WEIGHTS)
    return now is not None and now != adapter["sha256"]
