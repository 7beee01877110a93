"""The report page's verdicts: the ladder, the motion goals, and the identity-motion front.

Of what `metrics.json` says; nothing is computed but places on the plots.
"""

from typing import TYPE_CHECKING

from mm_model.metrics import goals
from mm_model.report.templating import fill
from mm_model.store import documents
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import StageOutput

_POINTS = {
    "base": ("base", "#66707f"),
    "pretrain": ("pretrained", "#3a6ea5"),
    "finetune": ("fine-tuned", "#2f8f5b"),
    "true_clip": ("true clip", "#1c2430"),
    "vae_round_trip": ("true clip through the VAE", "#8a6d3b"),
    "static_reference": ("still reference", "#c2553f"),
    "shuffled": ("another person", "#b7791f"),
}


def _summary(found: "StageOutput") -> Document | None:
    path = found.folder / "metrics.json" if found.folder else None
    return documents.read(path) if path is not None and path.is_file() else None


def ladder(found: "StageOutput") -> str:
    """Rank-1 of every link against what the link before it leaves possible."""
    summary = _summary(found)
    if not summary or not summary.get("ladder"):
        return ""
    return fill("ladder.html", rungs=summary["ladder"])


def motion(found: "StageOutput") -> str:
    """Goals of motion and honesty, and where every variant stands between identity and motion."""
    summary = _summary(found)
    if not summary or not summary.get("goals"):
        return ""
    front = _front(summary["variants"])
    known = goals.titles()  # an evaluation of before may hold a goal that is no more
    titles = {goal["name"]: known.get(goal["name"], goal["name"]) for goal in summary["goals"]}
    return fill("motion.html", goals=summary["goals"], titles=titles, front=front)


def _front(variants: Document, width: int = 640, height: int = 300) -> Document | None:
    """Identity over motion: the still reference wins one axis and loses the other."""
    places = {}
    for name in _POINTS:
        identity = variants.get(name, {}).get("identity", {}).get("value")
        moving = goals.motion(variants, name)
        if identity is not None and moving is not None:
            places[name] = (moving, identity)
    if len(places) < 2:
        return None
    right = max(x for x, _ in places.values()) * 1.35 or 1.0
    low, high = min(0.0, *(y for _, y in places.values())), max(y for _, y in places.values())

    def at(x: float, y: float) -> tuple[float, float]:
        across = 46 + max(x, 0.0) / right * (width - 60)
        return across, 14 + (high - y) / max(high - low, 1e-9) * (height - 58)

    marks: list[Document] = []
    for name, place in sorted(places.items(), key=lambda item: -item[1][1]):
        (x, y), (label, colour) = at(*place), _POINTS[name]
        words = y + 4  # a label steps down until it covers no other
        while any(abs(words - m["words"]) < 13 and abs(x - m["x"]) < 170 for m in marks):
            words += 2
        mark = {"x": x, "y": y, "words": words, "label": label, "colour": colour}
        marks.append({**mark, "motion": place[0], "identity": place[1]})
    return {
        "width": width,
        "height": height,
        "floor": height - 44,
        "right": right,
        "low": low,
        "high": high,
        "marks": marks,
    }


def curve(found: "StageOutput", width: int = 640, height: int = 220) -> str:
    """Identity over the steps of both stages with its intervals, from the base to the end."""
    points = (_summary(found) or {}).get("curve", [])
    known = [p for p in points if p["identity"]["low"] is not None]
    if len(known) < 2:
        return ""
    low = min(0.0, *(p["identity"]["low"] for p in known))
    high, last = max(p["identity"]["high"] for p in known), max(known[-1]["step"], 1)

    def at(step: float, value: float) -> tuple[float, float]:
        return (
            46 + step / last * (width - 120),
            14 + (high - value) / max(high - low, 1e-9) * (height - 58),
        )

    marks = []
    for point in known:
        mean = point["identity"]
        x, y = at(point["step"], mean["value"])
        ends = {end: at(0, mean[end])[1] for end in ("low", "high")}
        marks.append(
            {"x": x, "y": y, **ends, "variant": point["variant"], "identity": mean["value"]}
        )
    places = {"width": width, "height": height, "low": low, "high": high, "last": last}
    return fill("curve.html", marks=marks, **places)
