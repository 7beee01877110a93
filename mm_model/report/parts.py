"""The sections of the report page; one with nothing to show is an empty text.

What a template shows is collected here: every number comes from a stage's report, metrics or curve.
"""

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mm_model.metrics import table as metrics
from mm_model.report.templating import fill
from mm_model.store import documents, tables
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput

_VARIANTS = {
    "base": "base, no identity",
    "pretrain": "after pretraining",
    "finetune": "after fine-tuning",
    "true_clip": "true clip",
    "vae_round_trip": "true clip through the VAE",
    "static_reference": "control: still reference",
    "shuffled": "control: another person's pictures",
}


def embedded(path: Path) -> str:
    """A picture as a data URI."""
    kind = "png" if path.suffix == ".png" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def header(title: str, name: str, found: list["StageOutput"], titles: dict[str, str]) -> str:
    """Title and the state of every stage."""
    return fill("header.html", title=title, profile=name, found=found, titles=titles)


def data(found: "StageOutput", title: str) -> str:
    """Account and contact sheet of a data stage."""
    if not found.report:
        return ""
    report = found.report
    counts = {
        "kept": report["kept"],
        "rejected": sum(report["rejected"].values()),
        "failed": sum(report["failed"].values()),
    }
    return fill(
        "data.html",
        title=title,
        line=report["line"],
        shares={name: 100 * n / max(1, report["total"]) for name, n in counts.items()},
        notes=report["notes"],
        pictures=[
            embedded(found.folder / name)
            for name in report["pictures"]
            if (found.folder / name).is_file()
        ],
    )


def people(found: "StageOutput") -> str:
    """Every held-out person: reference, models, true clip, playing in step."""
    folder = found.folder
    if folder is None or not (folder / "cells.parquet").is_file():
        return ""
    cells = tables.read(folder / "cells.parquet")
    columns = [
        v for v in ("base", "pretrain", "finetune", "true_clip") if v in set(cells["variant"])
    ]
    return fill(
        "people.html",
        columns=[_VARIANTS[name] for name in columns],
        people=[
            {
                "reference": embedded(folder / "references" / f"{identity}.jpg"),
                "prompt": group["prompt"].iloc[0],
                "clips": [_clip(folder, group, name) for name in columns],
            }
            for identity, group in cells.groupby("identity")
        ],
    )


def _clip(folder: Path, group: pd.DataFrame, variant: str) -> Document | None:
    chosen = group[group["variant"] == variant]
    if chosen.empty:
        return None
    row = chosen.iloc[0]
    strip = folder / "strips" / (Path(row["video"]).stem + ".jpg")
    return {"strip": embedded(strip), "identity": row["identity_similarity_penalised"]}


def numbers(found: "StageOutput") -> str:
    """Means over people with 95% intervals, and the paired gain."""
    path = found.folder / "metrics.json" if found.folder else None
    if path is None or not path.is_file():
        return ""
    summary = documents.read(path)
    return fill(
        "numbers.html",
        people=summary["people"],
        gain=summary["gain"].get("candidate_over_base") or summary["gain"]["finetune_over_base"],
        measures=metrics.headings(),
        proxies=metrics.headings(proxies=True),
        variants=_VARIANTS,
        values=summary["variants"],
    )


def release(found: "StageOutput") -> str:
    """How to serve what was registered."""
    path = found.folder / "release.json" if found.folder else None
    if path is None or not path.is_file():
        return ""
    said = documents.read(path)
    sentences = said.get("sentences", [])
    return fill("release.html", sentences=sentences, command=said["serve_command"])
