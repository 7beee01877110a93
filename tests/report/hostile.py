"""A tree with something for every section of the report page, said by somebody who means harm."""

import json
from pathlib import Path
from typing import Any

import yaml

from mm_model.records import WATCHED_REFERENCES
from mm_model.run.stages import NAMES
from mm_model.store import manifest, tables
from mm_model.store.layout import Layout
from tests.profiles import whole

SCRIPT = "<script>alert('x')</script>"
QUOTES = "\"quoted\" & 'single' <b>bold</b> &amp; {{ 7 * 7 }} {% raw %}"
IDENTITY = '"><img src=x onerror="y"> & \'id\''
CHIEF = ("base", "pretrain", "finetune", "true_clip")
NUMBERS = {
    "base": 0.08,
    "pretrain": 0.17,
    "finetune": 0.31,
    "true_clip": 0.66,
    "shuffled": -0.02,
    "static_reference": 0.5,
}


def picture(path: Path) -> None:
    """What the page embeds without looking into it: its own name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"picture {path.parent.parent.name} {path.name}")


def _json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def _mean(value: float | None, width: float | None = 0.05) -> dict[str, Any]:
    if value is None:
        return {"value": None, "low": None, "high": None}
    ends = (None, None) if width is None else (value - width, value + width)
    return {"value": value, "low": ends[0], "high": ends[1]}


def _summary() -> dict[str, Any]:
    variants = {
        name: {
            "identity": _mean(value),
            "identity_shown": _mean(value + 0.01, None),
            "face_found_rate": _mean(0.97 if name != "shuffled" else None),
            "fm_ref": _mean(1.5 - value),
            "fm_inter": _mean(0.4 + value),
            "fm_inter_p95": _mean(0.6 + value / 2),
            "motion": _mean(0.5 + value),
        }
        for name, value in NUMBERS.items()
    }
    rung = {"hits": 17.6667, "people": 21, "rank1": 0.841, "low": 0.7, "high": 0.9, "needed": 0.8}
    goal = {"name": "translation_floor", "value": 0.87, "least": 0.5, "most": 1.5, "passed": True}
    return {
        "people": 2,
        "variants": variants,
        "gain": {"finetune_over_base": {"value": 0.23, "low": 0.18, "high": 0.28}},
        "ladder": [
            {**rung, "title": f"true clip {QUOTES}", "mend": "", "passed": True},
            {**rung, "title": SCRIPT, "mend": QUOTES, "passed": False, "hits": 6.0},
            {**rung, "title": "one", "mend": "", "passed": None, "needed": None},
        ],
        "goals": [
            goal,
            {**goal, "name": "copy_paste_gap", "least": None, "most": 0.1, "passed": False},
            {**goal, "name": "face_found_base", "value": None, "most": None, "passed": None},
        ],
        "curve": [
            {"step": 0, "variant": "base", "identity": _mean(0.08)},
            {"step": 3, "variant": "no interval", "identity": _mean(0.1, None)},
            {"step": 6, "variant": "pretrain", "identity": _mean(0.17)},
            {"step": 10, "variant": "finetune", "identity": _mean(0.31)},
        ],
    }


def _evaluate(folder: Path) -> None:
    rows = []
    for number, identity in enumerate((IDENTITY, "id-2")):
        picture(folder / "references" / f"{identity}.jpg")
        for variant in CHIEF[: 4 - number]:
            picture(folder / "strips" / f"{variant}-{number}.jpg")
            rows.append(
                {
                    "identity": identity,
                    "variant": variant,
                    "video": f"videos/{variant}-{number}.mp4",
                    "prompt": (SCRIPT, QUOTES)[number],
                    "identity_similarity_penalised": NUMBERS[variant],
                }
            )
    columns = list(rows[0])
    tables.write(
        folder / "cells.parquet", rows, columns, {"identity_similarity_penalised": "number"}
    )
    _json(folder / "metrics.json", _summary())


def methods(place: Path) -> None:
    """What `make methods` leaves: two methods, two judges, one of whom found no face."""
    mean, none = {**_mean(0.4), "people": 6}, {"value": None, "low": None, "high": None}
    judged = {"cosine": mean, "gain": {**_mean(0.1), "people": 6}, "named right": 3}
    blind = {"cosine": none, "gain": none, "named right": 0}
    row = {"motion": _mean(2.5), "seconds a clip": 1.83, "tiny": judged, "dlib": blind}
    said = {
        "adapter": {"from": "make run", "sha256": "0"},
        "judges": {"tiny": f"house {SCRIPT}", "dlib": QUOTES},
        "methods": {"base": row, f"tokens {IDENTITY}": row},
        "notes": [SCRIPT],
        "parts": [{}] * 6,
        "profile": "tiny",
        "seconds of learning": [67.0, 78.1, 56.1],
        "study": {"sentences": [QUOTES] * 4},
    }
    _json(place / "work" / "reproduce" / "methods" / "methods.json", said)


def _training(folder: Path, step: int) -> None:
    samples = folder / "samples"
    _json(samples / "people.json", [{"prompt": SCRIPT}, {"prompt": QUOTES}])
    picture(samples / WATCHED_REFERENCES)
    for number in (0, step):
        picture(samples / f"step_{number:06d}.strip.jpg")
    rows = [{"step": n, "loss_velocity": 1.0 / (n + 1)} for n in range(step)]
    kinds = {"step": "count", "loss_velocity": "number"}
    tables.write(folder / "curve.parquet", rows, ["step", "loss_velocity"], kinds)


def _report(line: str, **more: Any) -> dict[str, Any]:
    counts = {"total": 9, "kept": 6, "rejected": {"FMT_UNKNOWN": 2}, "failed": {"UNREADABLE": 1}}
    return {**counts, "line": line, "pictures": [], "notes": [], "metrics": {}, **more}


def tree(root: Path, place: Path) -> Layout:
    """Every stage published but the last, which is at work, below `place`."""
    profile = {**whole(root), "title": f"A title {SCRIPT} & {QUOTES}"}
    (place / "profiles").mkdir(parents=True)
    (place / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
    layout = Layout(place, "tiny")
    _json(place / "work" / "tiny" / "timings.json", {"sources": {"seconds": 12.4}})
    for stage in NAMES[:-1]:
        folder = layout.output(stage)
        said = _report(f"9 in {SCRIPT} {QUOTES}", notes=[SCRIPT, QUOTES], pictures=["a.png", "b"])
        _json(folder / "report.json", said)
        _json(folder / manifest.NAME, {})
        picture(folder / "a.png")
    _training(layout.output("pretrain"), 6)
    _training(layout.output("finetune"), 4)
    _evaluate(layout.output("evaluate"))
    methods(place)
    at_work = place / "work" / "tiny" / "register" / "0" / "out"
    _json(at_work / "release.json", {"sentences": [SCRIPT], "serve_command": f"serve {QUOTES}"})
    return layout
