"""The page's people: three whom the model keeps best and three worst, large; then everybody.

Strips are embedded once and named by a class, so that who is shown twice costs nothing more.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mm_model.report import summary as told
from mm_model.report.parts import embedded
from mm_model.report.templating import fill
from mm_model.store import tables
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput

SHOWN_LARGE = 3
_LIKENESS = "identity_similarity_penalised"
_ORDER = ("true_clip", "base", "pretrain", "finetune")


def ranked(cells: pd.DataFrame, variant: str) -> list[str]:
    """People from the most to the least alike, by the mean over their clips; ties by name."""
    ours = cells[cells["variant"] == variant]
    means = ours.groupby("identity")[_LIKENESS].mean().fillna(float("-inf"))
    return sorted(means.index, key=lambda name: (-means[name], name))


def best_and_worst(people: list[str]) -> tuple[list[str], list[str]]:
    """The first and the last three, nobody in both."""
    best = people[: min(SHOWN_LARGE, (len(people) + 1) // 2)]
    return best, people[len(best) :][-SHOWN_LARGE:]


def people(found: "StageOutput") -> str:
    """Every held-out person: photograph, true clip, base and adapters, playing in step."""
    folder = found.folder
    if folder is None or not (folder / "cells.parquet").is_file():
        return ""
    cells = tables.read(folder / "cells.parquet")
    chosen = told.candidate(told.read(found))
    columns = [name for name in _ORDER if name in set(cells["variant"])]
    strips: dict[str, str] = {}
    cards = {
        identity: _card(folder, str(identity), group, columns=columns, strips=strips)
        for identity, group in cells.groupby("identity")
    }
    best, worst = best_and_worst(ranked(cells, chosen))
    large = [("Kept best", best), ("Kept worst", worst)]
    return fill(
        "people.html",
        groups=[(title, [cards[name] for name in names]) for title, names in large if names],
        large=("true_clip", "base", chosen),
        everybody=list(cards.values()),
        chosen=chosen,
        stranger=_stranger(told.read(found) or {}),
        strips=strips,
    )


def _card(
    folder: Path, identity: str, group: pd.DataFrame, *, columns: list[str], strips: dict[str, str]
) -> Document:
    clips = {name: _clip(folder, group, name, strips) for name in columns}
    return {
        "name": identity,
        "reference": embedded(folder / "references" / f"{identity}.jpg"),
        "prompt": group["prompt"].iloc[0],
        "clips": {name: clip for name, clip in clips.items() if clip},
    }


def _clip(
    folder: Path, group: pd.DataFrame, variant: str, strips: dict[str, str]
) -> Document | None:
    ours = group[group["variant"] == variant]
    if ours.empty:
        return None
    row = ours.iloc[0]
    place = f"clip-{len(strips)}"
    strips[place] = embedded(folder / "strips" / (Path(row["video"]).stem + ".jpg"))
    likeness, named = row[_LIKENESS], row.get("rank1")
    return {
        "place": place,
        "title": told.VARIANTS[variant],
        "identity": None if pd.isna(likeness) else float(likeness),
        "named": None if named is None or pd.isna(named) else bool(named),
    }


def _stranger(summary: Document) -> float | None:
    """What the judge makes of the same clips and other people's pictures."""
    shuffled = (summary.get("variants") or {}).get("shuffled") or {}
    return (shuffled.get("identity") or {}).get("value")
