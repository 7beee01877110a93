"""What `metrics.json` says, as the page reads it: fields of earlier runs stand in for newer ones.

Every field is optional but those that a section cannot do without; nothing is computed but counts.
"""

from typing import TYPE_CHECKING

from mm_model.store import documents
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput

FEWEST = 4
"""Fewer people than this have no interval worth showing."""
VARIANTS = {
    "base": "base, no identity",
    "pretrain": "after pretraining",
    "finetune": "after fine-tuning",
    "true_clip": "true clip",
    "vae_round_trip": "true clip through the VAE",
    "static_reference": "control: still reference",
    "shuffled": "control: another person's pictures",
}
SHORT = {"true": "true_clip", "vae": "vae_round_trip", "training": "training_people"}
"""Names in the judges' tables, where they differ from the variants' own."""
NAMED = {
    "true": "true clips",
    "vae": "true clips through the VAE",
    "base": VARIANTS["base"],
    "pretrain": VARIANTS["pretrain"],
    "finetune": VARIANTS["finetune"],
    "training": "people it was trained on",
}
"""Rows of the judges' tables, in the order of the chain."""
_LONG = {long: short for short, long in SHORT.items()}
_HOUSE = {"kind": "house", "title": "house judge"}


def read(found: "StageOutput") -> Document | None:
    """`metrics.json` of the evaluation, None before it is written."""
    path = found.folder / "metrics.json" if found.folder else None
    return documents.read(path) if path is not None and path.is_file() else None


def candidate(summary: Document | None) -> str:
    """The variant whose adapter is registered."""
    return str((summary or {}).get("candidate") or "finetune")


def headline(summary: Document) -> str:
    """The judge whose figures are the headlines."""
    return str(summary.get("headline") or "tiny")


def judges(summary: Document) -> dict[str, Document]:
    """Judges by name, the headline first, the controls last."""
    known = summary.get("judges") or {headline(summary): _HOUSE}
    first = headline(summary)

    def place(name: str) -> tuple[bool, bool]:
        return known[name].get("kind") == "control", name != first

    return {name: {"title": name, **known[name]} for name in sorted(known, key=place)}


def named(summary: Document) -> dict[str, dict[str, Document]]:
    """Hits and people by judge and short variant; of the ladder alone in earlier runs' files."""
    if summary.get("named"):
        return summary["named"]
    found = {
        _LONG.get(rung["variant"], rung["variant"]): rung
        for rung in summary.get("ladder") or []
        if rung.get("variant")
    }
    for variant in ("base", "pretrain"):
        rank1 = (summary.get("variants") or {}).get(variant, {}).get("rank1") or {}
        people = rank1.get("people")
        if variant not in found and rank1.get("value") is not None and people:
            ends = {"low": rank1.get("low"), "high": rank1.get("high")}
            found[variant] = {"hits": rank1["value"] * people, "people": people, **ends}
    return {headline(summary): found} if found else {}


def few(people: object) -> bool:
    """Whether so few were measured that an interval says nothing."""
    return isinstance(people, int | float) and people < FEWEST


def told(entry: Document | None, people: object = None) -> Document:
    """A mean with its interval, the interval left out where few `people` were measured."""
    known = {"value": None, "low": None, "high": None, **(entry or {})}
    if few(known.get("people", people)):
        known |= {"low": None, "high": None}
    return known


def count(number: object) -> str:
    """A count of people as text: 3, or 2.5 where a person's clips share one hit."""
    return f"{number:.1f}".removesuffix(".0") if isinstance(number, int | float) else str(number)
