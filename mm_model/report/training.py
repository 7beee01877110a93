"""The report page's training section: held-out people from step to step, and the loss curve.

Strips are embedded once and shown row by row, so that all people and steps play together.
"""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.records import WATCHED_REFERENCES
from mm_model.report.parts import embedded
from mm_model.store import documents, tables

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput


def _curve_rows(found: "StageOutput") -> list[dict]:
    path = found.folder / "curve.parquet" if found.folder else None
    if path is not None and path.is_file():
        return tables.read(path).to_dict("records")
    return found.live.get("curve", [])


def _polyline(rows: list[dict], width: int = 520, height: int = 150) -> str:
    """The velocity loss over steps, smoothed lightly, as SVG."""
    points = [(row["step"], row["loss_velocity"]) for row in rows]
    if len(points) < 2:
        return ""
    smooth, value = [], points[0][1]
    for step, loss in points:
        value = 0.8 * value + 0.2 * loss
        smooth.append((step, value))
    low, high = min(v for _, v in smooth), max(v for _, v in smooth)
    last = points[-1][0]

    def at(step: float, loss: float) -> str:
        y = height - 20 - (loss - low) / max(high - low, 1e-9) * (height - 40)
        return f"{40 + step / last * (width - 60):.1f},{y:.1f}"

    line = " ".join(at(*point) for point in smooth)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="loss over steps"><polyline fill="none" stroke="#3a6ea5" stroke-width="2" '
        f'points="{line}"/><text x="4" y="24" font-size="11" fill="#66707f">{high:.3f}</text>'
        f'<text x="4" y="{height - 18}" font-size="11" fill="#66707f">{low:.3f}</text>'
        f'<text x="{width - 60}" y="{height - 4}" font-size="11" fill="#66707f">step {last}</text>'
        "</svg>"
    )


def step_of(path: Path) -> int:
    """The step in the name of a sample, `step_<n>.*`."""
    return int(path.name.split("_")[1].split(".")[0])


def _cell(name: str, kind: str, row: int, rows: int, frames: int) -> str:
    """One person's part of a picture in which `rows` people stand below each other."""
    place = 100 * row / max(1, rows - 1)
    return (
        f'<div class="{kind} {name}" style="background-size:{frames}00% {rows}00%;'
        f'background-position-y:{place:.4f}%"></div>'
    )


def training(found: "StageOutput", title: str, num_frames: int) -> str:
    """A row a person: the reference, then what the model makes of it at every sampled step."""
    samples = found.folder / "samples" if found.folder else None
    if samples is None or not (samples / WATCHED_REFERENCES).is_file():
        return ""
    people = documents.read(samples / "people.json", kind=list)
    strips = sorted(samples.glob("step_*.strip.jpg"))
    names = {f"{found.stage}-{step_of(path)}": path for path in strips}
    first = f"{found.stage}-reference"
    pictures = "".join(
        f".{name}{{background-image:url({embedded(path)})}}"
        for name, path in {first: samples / WATCHED_REFERENCES, **names}.items()
    )
    kind = "play" if num_frames > 1 else "still"
    rows = "".join(
        f"<tr><td>{_cell(first, 'still', row, len(people), 1)}"
        f'<div class="soft">{escape(person["prompt"])}</div></td>'
        + "".join(f"<td>{_cell(name, kind, row, len(people), num_frames)}</td>" for name in names)
        + "</tr>"
        for row, person in enumerate(people)
    )
    head = "".join(f"<th>step {step_of(path)}</th>" for path in strips)
    line = found.report.get("line", found.live.get("say", ""))
    return (
        f'<h2>{escape(title)}</h2><style>{pictures}</style><div class="card"><div class="soft">'
        "Held-out people: the reference that is shown, and what the model makes of it.</div>"
        f'<table class="people"><tr><th>reference</th>{head}</tr>{rows}</table>'
        f'<div>{_polyline(_curve_rows(found))}</div><div class="soft">{escape(line)}</div></div>'
    )
