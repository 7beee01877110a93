"""The report page's training section: held-out people from step to step, and the loss curve.

Strips are embedded once and shown row by row, so that all people and steps play together.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.records import WATCHED_REFERENCES
from mm_model.report.parts import embedded
from mm_model.report.templating import fill
from mm_model.store import documents, tables
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput


def _curve_rows(found: "StageOutput") -> list[dict]:
    path = found.folder / "curve.parquet" if found.folder else None
    if path is not None and path.is_file():
        return tables.read(path).to_dict("records")
    return found.live.get("curve", [])


def _loss(rows: list[dict], width: int = 520, height: int = 150) -> Document | None:
    """The velocity loss over steps, smoothed lightly, as points of a plot."""
    points = [(row["step"], row["loss_velocity"]) for row in rows]
    if len(points) < 2:
        return None
    smooth, value = [], points[0][1]
    for step, loss in points:
        value = 0.8 * value + 0.2 * loss
        smooth.append((step, value))
    low, high = min(v for _, v in smooth), max(v for _, v in smooth)
    last = points[-1][0]

    def at(step: float, loss: float) -> tuple[float, float]:
        y = height - 20 - (loss - low) / max(high - low, 1e-9) * (height - 40)
        return 40 + step / last * (width - 60), y

    places = [at(*point) for point in smooth]
    size = {"width": width, "height": height}
    return {**size, "points": places, "low": low, "high": high, "last": last}


def step_of(path: Path) -> int:
    """The step in the name of a sample, `step_<n>.*`."""
    return int(path.name.split("_")[1].split(".")[0])


def training(found: "StageOutput", title: str, num_frames: int) -> str:
    """A row a person: the reference, then what the model makes of it at every sampled step."""
    samples = found.folder / "samples" if found.folder else None
    if samples is None or not (samples / WATCHED_REFERENCES).is_file():
        return ""
    people = documents.read(samples / "people.json", kind=list)
    strips = {
        f"{found.stage}-{step_of(path)}": path for path in sorted(samples.glob("step_*.strip.jpg"))
    }
    first = f"{found.stage}-reference"
    shown = {first: samples / WATCHED_REFERENCES, **strips}
    return fill(
        "training.html",
        title=title,
        pictures={name: embedded(path) for name, path in shown.items()},
        reference=first,
        steps={name: step_of(path) for name, path in strips.items()},
        people=people,
        frames=num_frames,
        loss=_loss(_curve_rows(found)),
        line=found.report.get("line", found.live.get("say", "")),
    )
