"""The sections of the report page; one with nothing to show is an empty text.

What a template shows is collected here: every number comes from a stage's report, metrics or curve.
"""

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.metrics import table as metrics
from mm_model.report import summary as told
from mm_model.report.templating import fill
from mm_model.store import documents

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput


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


def numbers(found: "StageOutput") -> str:
    """Means over people with 95% intervals, and the paired gain."""
    summary = told.read(found)
    if summary is None:
        return ""
    chosen, people = told.candidate(summary), summary["people"]
    measures, proxies = metrics.headings(), metrics.headings(proxies=True)
    values = {
        name: {key: told.told(means.get(key), people) for key, _ in (*measures, *proxies)}
        for name, means in summary["variants"].items()
    }
    gains = summary["gain"]
    return fill(
        "numbers.html",
        people=people,
        gain=told.told(gains.get("candidate_over_base") or gains["finetune_over_base"], people),
        measures=measures,
        proxies=proxies,
        variants=told.VARIANTS,
        values=values,
        chosen=chosen,
        intervals=(summary.get("conventions") or {}).get("interval"),
    )


def release(found: "StageOutput") -> str:
    """How to serve what was registered."""
    path = found.folder / "release.json" if found.folder else None
    if path is None or not path.is_file():
        return ""
    said = documents.read(path)
    sentences = said.get("sentences", [])
    return fill("release.html", sentences=sentences, command=said["serve_command"])
