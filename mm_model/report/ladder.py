"""The report page's verdicts: the ladder, the motion goals, and the identity-motion front.

HTML and SVG fragments of what `metrics.json` says; nothing is computed but places on the plot.
"""

from html import escape
from typing import TYPE_CHECKING

from mm_model.metrics import goals
from mm_model.store import documents
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.report.page import Found

_POINTS = {
    "base": ("base", "#66707f"),
    "pretrain": ("pretrained", "#3a6ea5"),
    "finetune": ("fine-tuned", "#2f8f5b"),
    "true_clip": ("true clip", "#1c2430"),
    "vae_round_trip": ("true clip through the VAE", "#8a6d3b"),
    "static_reference": ("still reference", "#c2553f"),
    "shuffled": ("another person", "#b7791f"),
}


def _summary(found: "Found") -> Document | None:
    path = found.folder / "metrics.json" if found.folder else None
    return documents.read(path) if path is not None and path.is_file() else None


def _verdict(passed: bool | None) -> str:
    if passed is None:
        return '<td class="soft">too few to say</td>'
    return f'<td class="{"yes" if passed else "no"}">{"go" if passed else "no-go"}</td>'


def _rung(rung: Document) -> str:
    needed = "" if rung["needed"] is None else f"{rung['needed']:.0%}"
    mend = f'<div class="soft">{escape(rung["mend"])}</div>' if rung["mend"] else ""
    return (
        f"<tr><td>{escape(rung['title'])}{mend}</td>"
        f'<td class="n">{round(rung["hits"], 1):g} of {rung["people"]}</td>'
        f'<td class="n">{rung["rank1"]:.0%} <span class="soft">{rung["low"]:.0%} to '
        f'{rung["high"]:.0%}</span></td><td class="n">{needed}</td>{_verdict(rung["passed"])}</tr>'
    )


def ladder(found: "Found") -> str:
    """Rank-1 of every link against what the link before it leaves possible."""
    summary = _summary(found)
    if not summary or not summary.get("ladder"):
        return ""
    rows = "".join(_rung(rung) for rung in summary["ladder"])
    return (
        '<h2>The ladder</h2><div class="card"><p>How many of the test people the judge names right '
        "among all of them, from the mean over one clip; several clips of a person share one hit; "
        "interval: Wilson, 95%.</p><table><tr>"
        "<th>link</th><th>named right</th><th>rank 1</th><th>needed</th><th></th></tr>"
        f"{rows}</table></div>"
    )


def _bounds(goal: Document) -> str:
    least, most = goal["least"], goal["most"]
    if least is None:
        return f"at most {most:g}"
    return f"at least {least:g}" if most is None else f"{least:g} to {most:g}"


def motion(found: "Found") -> str:
    """Goals of motion and honesty, and where every variant stands between identity and motion."""
    summary = _summary(found)
    if not summary or not summary.get("goals"):
        return ""
    rows = "".join(
        f"<tr><td>{goals.titles()[goal['name']]}</td>"
        f'<td class="n">{"" if goal["value"] is None else format(goal["value"], ".2f")}</td>'
        f'<td class="n">{_bounds(goal)}</td>{_verdict(goal["passed"])}</tr>'
        for goal in summary["goals"]
    )
    return (
        '<h2>Alive, steady, no copy</h2><div class="card"><table><tr><th></th><th>value</th>'
        f"<th>goal</th><th></th></tr>{rows}</table>{_front(summary['variants'])}</div>"
    )


def _front(variants: Document, width: int = 640, height: int = 300) -> str:
    """Identity over motion as SVG: the still reference wins one axis and loses the other."""
    places = {}
    for name in _POINTS:
        identity = variants.get(name, {}).get("identity", {}).get("value")
        moving = goals.motion(variants, name)
        if identity is not None and moving is not None:
            places[name] = (moving, identity)
    if len(places) < 2:
        return ""
    right = max(x for x, _ in places.values()) * 1.35 or 1.0
    low, high = min(0.0, *(y for _, y in places.values())), max(y for _, y in places.values())

    def at(x: float, y: float) -> tuple[float, float]:
        across = 46 + max(x, 0.0) / right * (width - 60)
        return across, 14 + (high - y) / max(high - low, 1e-9) * (height - 58)

    marks = ""
    taken: list[tuple[float, float]] = []
    for name, place in sorted(places.items(), key=lambda item: -item[1][1]):
        (x, y), (label, colour) = at(*place), _POINTS[name]
        words = y + 4  # a label steps down until it covers no other
        while any(abs(words - other) < 13 and abs(x - beside) < 170 for beside, other in taken):
            words += 2
        taken.append((x, words))
        marks += (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"><title>{label}: motion '
            f"{place[0]:.3f}, identity {place[1]:.3f}</title></circle>"
            f'<text x="{x + 9:.1f}" y="{words:.1f}" font-size="12" fill="{colour}">{label}</text>'
        )
    floor, ink = height - 44, 'font-size="12" fill="#66707f"'
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="identity over '
        f'motion"><path d="M46 8V{floor}H{width - 10}" fill="none" stroke="#dfe3ea"/>{marks}'
        f'<text x="46" y="{height - 14}" {ink}>motion: FM_inter (p95) above the noise floor, '
        f'0 to {right:.2f}</text><text x="12" y="{floor}" {ink} '
        f'transform="rotate(-90 12 {floor})">identity, {low:.2f} to {high:.2f}</text></svg>'
    )


def curve(found: "Found", width: int = 640, height: int = 220) -> str:
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

    places = [at(p["step"], p["identity"]["value"]) for p in known]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    marks = ""
    for point, (x, y) in zip(known, places, strict=True):
        ends = [at(0, point["identity"][end])[1] for end in ("low", "high")]
        marks += (
            f'<path d="M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}" stroke="#9fb6d0" stroke-width="3"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#3a6ea5"><title>{point["variant"]}: '
            f"{point['identity']['value']:.3f}</title></circle>"
        )
    return (
        f'<h2>Identity while it learns</h2><div class="card"><svg viewBox="0 0 {width} {height}" '
        f'width="{width}" role="img" aria-label="identity over steps">{marks}<polyline fill="none" '
        f'stroke="#3a6ea5" stroke-width="2" points="{line}"/><text x="46" y="{height - 14}" '
        f'font-size="12" fill="#66707f">step 0 (base) to {last}; identity {low:.2f} to {high:.2f}, '
        "95% over people</text></svg></div>"
    )
