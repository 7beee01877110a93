"""The sections of the report page as HTML fragments; one with nothing to show is an empty text.

Only formatting lives here: every number comes from a stage's report, metrics or curve.
"""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mm_model.metrics import table as metrics
from mm_model.store import documents, tables
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import Found

DOCUMENT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{refresh}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body>
{body}
</body></html>
"""

STYLE = """
:root {{ --ink:#1c2430; --soft:#66707f; --line:#dfe3ea; --good:#2f8f5b; --bad:#c2553f;
 --run:#b7791f; --paper:#fbfbfd; --card:#fff; }}
* {{ box-sizing:border-box }}
body {{ margin:0 auto; max-width:1120px; padding:28px 20px 60px; background:var(--paper);
 color:var(--ink); font:15px/1.5 system-ui, sans-serif }}
h1 {{ font-size:26px; margin:0 }} h2 {{ font-size:19px; margin:36px 0 10px }}
p, .soft {{ color:var(--soft) }} .soft {{ font-size:13px }}
.chips {{ display:flex; flex-wrap:wrap; gap:8px; margin:16px 0 0; padding:0; list-style:none }}
.chips li {{ border:1px solid var(--line); border-radius:16px; padding:3px 12px; font-size:13px;
 background:var(--card) }}
.chips .done {{ border-color:var(--good) }} .chips .running {{ border-color:var(--run);
 color:var(--run) }} .chips .waiting {{ color:var(--soft) }}
.card {{ background:var(--card); border:1px solid var(--line); border-radius:10px;
 padding:14px 16px; margin:0 0 14px; overflow-x:auto }}
.card img {{ max-width:100%; border-radius:6px }}
table {{ border-collapse:collapse; width:100% }} th, td {{ padding:6px 10px; text-align:left;
 border-bottom:1px solid var(--line); vertical-align:middle }}
th {{ font-weight:600; font-size:13px; color:var(--soft) }}
td.yes {{ color:var(--good) }} td.no {{ color:var(--bad) }}
td.n {{ font-variant-numeric:tabular-nums }}
.bar {{ display:flex; height:10px; border-radius:5px; overflow:hidden; margin:8px 0 4px;
 background:var(--line) }}
.bar i {{ display:block; height:100% }} .kept {{ background:var(--good) }}
.rejected {{ background:var(--bad) }} .failed {{ background:var(--run) }}
.play {{ width:112px; height:112px; border-radius:8px; background-size:{frames}00% 100%;
 animation:play {seconds}s steps({frames}, jump-none) infinite }}
@keyframes play {{ from {{ background-position-x:0 }} to {{ background-position-x:100% }} }}
.still {{ width:112px; height:112px; border-radius:8px }}
.people td {{ padding:6px 8px }} .people img {{ width:112px; height:112px; border-radius:8px }}
code {{ background:#eef1f6; border-radius:5px; padding:1px 6px }}
pre {{ background:#eef1f6; border-radius:8px; padding:12px; overflow-x:auto }}
"""

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


def header(title: str, name: str, found: list["Found"], titles: dict[str, str]) -> str:
    """Title and the state of every stage."""
    chips = "".join(
        f'<li class="{item.state}" title="{escape(titles[item.stage])}">{item.stage}'
        f"{f' · {item.seconds:.0f} s' if item.seconds else ''}"
        f"{' · at work' if item.state == 'running' else ''}</li>"
        for item in found
    )
    return (
        f"<h1>Magic Mirror</h1><p>{escape(title)}, profile <code>{escape(name)}</code>. The page "
        f'grows while the pipeline runs.</p><ul class="chips">{chips}</ul>'
    )


def data(found: "Found", title: str) -> str:
    """Account and contact sheet of a data stage."""
    if not found.report:
        return ""
    report = found.report
    total = max(1, report["total"])
    bar = "".join(
        f'<i class="{name}" style="width:{100 * number / total:.2f}%"></i>'
        for name, number in (
            ("kept", report["kept"]),
            ("rejected", sum(report["rejected"].values())),
            ("failed", sum(report["failed"].values())),
        )
    )
    pictures = "".join(
        f'<p><img alt="" src="{embedded(found.folder / name)}"></p>'
        for name in report["pictures"]
        if (found.folder / name).is_file()
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in report["notes"])
    return (
        f'<h2>{escape(title)}</h2><div class="card"><div>{escape(report["line"])}</div>'
        f'<div class="bar">{bar}</div>{notes}{pictures}</div>'
    )


def people(found: "Found") -> str:
    """Every held-out person: reference, models, true clip, playing in step."""
    folder = found.folder
    if folder is None or not (folder / "cells.parquet").is_file():
        return ""
    cells = tables.read(folder / "cells.parquet")
    columns = [
        v for v in ("base", "pretrain", "finetune", "true_clip") if v in set(cells["variant"])
    ]
    head = "".join(f"<th>{_VARIANTS[name]}</th>" for name in columns)
    rows = []
    for identity, group in cells.groupby("identity"):
        reference = folder / "references" / f"{identity}.jpg"
        cols = "".join(_clip_cell(folder, group, name) for name in columns)
        prompt = escape(group["prompt"].iloc[0])
        rows.append(
            f'<tr><td><img alt="reference" src="{embedded(reference)}"><div class="soft">{prompt}'
            f"</div></td>{cols}</tr>"
        )
    return (
        '<h2>Held-out people</h2><div class="card"><table class="people">'
        "<tr><th>reference shown</th>"
        f"{head}</tr>{''.join(rows)}</table></div>"
    )


def _clip_cell(folder: Path, group: pd.DataFrame, variant: str) -> str:
    chosen = group[group["variant"] == variant]
    if chosen.empty:
        return "<td></td>"
    row = chosen.iloc[0]
    path = folder / "strips" / (Path(row["video"]).stem + ".jpg")
    value = row["identity_similarity_penalised"]
    return (
        f'<td><div class="play" style="background-image:url({embedded(path)})"></div>'
        f'<div class="soft">identity {value:.2f}</div></td>'
    )


def _number(entry: dict | None) -> str:
    if not entry or entry["value"] is None:
        return '<td class="n soft">not to be had</td>'
    span = (
        ""
        if entry["low"] is None
        else f' <span class="soft">{entry["low"]:.3f}–{entry["high"]:.3f}</span>'
    )
    return f'<td class="n">{entry["value"]:.3f}{span}</td>'


def numbers(found: "Found") -> str:
    """Means over people with 95% intervals, and the paired gain."""
    path = found.folder / "metrics.json" if found.folder else None
    if path is None or not path.is_file():
        return ""
    summary = documents.read(path)
    gain = summary["gain"]["finetune_over_base"]
    said = "not to be had"
    if gain["low"] is not None:
        said = f"{gain['value']:+.3f} (95% interval {gain['low']:+.3f} to {gain['high']:+.3f})"
    table, proxies = _means(summary, metrics.headings()), ""
    if columns := metrics.headings(proxies=True):
        proxies = f"<p>Proxies, which stand in for a metric:</p>{_means(summary, columns)}"
    return (
        f'<h2>Numbers</h2><div class="card"><p>Identity gain of the adapter over the base on '
        f"{summary['people']} held-out people: <b>{said}</b>.</p>{table}"
        '<p class="soft">Identity is the mean cosine of the judge, a recogniser that no loss, '
        "filter or conditioning used; frames without a face score 0. Intervals: bootstrap over "
        f"people.</p>{proxies}</div>"
    )


def _means(summary: Document, columns: Sequence[tuple[str, str]]) -> str:
    """A row a variant, a column a mean."""
    head = "".join(f"<th>{text}</th>" for _, text in columns)
    rows = "".join(
        f"<tr><td>{text}</td>"
        + "".join(_number(summary["variants"][name].get(key)) for key, _ in columns)
        + "</tr>"
        for name, text in _VARIANTS.items()
        if name in summary["variants"]
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def release(found: "Found") -> str:
    """How to serve what was registered."""
    path = found.folder / "release.json" if found.folder else None
    if path is None or not path.is_file():
        return ""
    said = documents.read(path)
    sentences = "".join(f"<p>{escape(text)}</p>" for text in said.get("sentences", []))
    command = f"<pre>{escape(said['serve_command'])}</pre>"
    return f'<h2>Release</h2><div class="card">{sentences}{command}</div>'
