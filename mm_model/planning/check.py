"""How far the plan's arithmetic is from a finished run: calibrated on two runs, held to another.

A stage takes a start and a slope times its work. Both come from the two runs of `CALIBRATED`, which
are smaller than what is predicted; a run that was calibrated on is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.planning.plan import likely
from mm_model.planning.shapes import shape_of
from mm_model.planning.work import PlannedRun, judged, learned, sampled, watched
from mm_model.settings import Profile, load_params, load_profile
from mm_model.store import documents

CALIBRATED = ("docs/runs/fifth.json", "docs/runs/two-fifths.json")
"""Runs of the embedded default on fewer people, with fewer steps."""
STORED = "docs/runs/tiny.json"
SHOWN = (
    (
        "A run of 2.5 times the files",
        "docs/runs/wide.json",
        "The same machine within the hour, by processor time.",
    ),
    (
        "The embedded default",
        STORED,
        "By the clock, for this run kept no processor time.",
    ),
)
"""Title, path and a remark of each run that the page holds the arithmetic to."""
CLOCKS = ("cpu_seconds", "seconds")
"""How a stored run was timed, the better first: processor time hardly hangs on what else runs."""
FAR = 2.0
"""A prediction that is off by more than this factor is said to be."""


@dataclass(frozen=True)
class Compared:
    """One stage: seconds as predicted and as they were."""

    stage: str
    predicted: float
    actual: float

    @property
    def ratio(self) -> float:
        """Predicted over actual."""
        return self.predicted / self.actual

    @property
    def far(self) -> bool:
        """Whether it is off by more than `FAR`."""
        return not 1 / FAR <= self.ratio <= FAR


def work_of(root: Path, profile: Profile, rows: Mapping[str, int]) -> dict[str, float]:
    """The work of each stage: rows of its table, or TFLOP of the model by the plan's formulas."""
    shape = shape_of(profile.model, root / load_params(root).backbone)
    asked, r = PlannedRun(profile, shape, 1, 1, "h100"), likely()
    found = {name: float(rows[name]) for name in ("sources", "ingest", "faces", "pairs")}
    if "precompute" in rows:
        found["precompute"] = float(rows["precompute"])
    for name, rules in profile.trainings.items():
        frames = profile.model.num_frames if name == "finetune" else 1
        found[name] = learned(asked, r, rules, frames) + sampled(
            asked,
            r,
            clips=watched(rules),
            steps=rules.sample_steps,
            guided=rules.sample_guidance > 1,
            frames=rules.sample_frames,
        )
    found["evaluate"] = sampled(
        asked,
        r,
        clips=judged(profile),
        steps=profile.evaluate.inference_steps,
        guided=profile.evaluate.guidance_scale > 1,
        frames=profile.model.num_frames,
    )
    return {**found, "register": 1.0}


def _line(known: list[tuple[float, float]], at: float) -> float:
    """What a straight line through two measurements says; neither start nor slope is below 0."""
    (few, short), (many, long) = sorted(known)
    if many == few:
        return (short + long) / 2
    slope = max(0.0, (long - short) / (many - few))
    start = short - slope * few
    return start + slope * at if start >= 0 else long * at / many


def _run(root: Path, path: Path, clock: str) -> tuple[dict[str, float], dict[str, float]]:
    """The work and the seconds of every stage of a stored run, by one of `CLOCKS`."""
    stored: Mapping[str, Any] = documents.read(path)
    try:
        rows = {name: _total(one["account"]) for name, one in stored["stages"].items()}
        seconds = {name: float(value) for name, value in stored[clock].items()}
        profile = _changed(load_profile(root, stored["profile"]), stored.get("changed", {}))
        return work_of(root, profile, rows), seconds
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            f"{path} holds no finished run: give what 'python -m mm_model figures' prints of one."
        ) from None


def _total(account: str) -> int:
    found = re.match(r"(\d+) in = ", account)
    if found is None:
        raise ValueError(account)
    return int(found[1])


def _changed(profile: Profile, changes: Mapping[str, Any]) -> Profile:
    for name, values in changes.items():
        section = profile.section(name).model_copy(update=values)
        profile = profile.model_copy(update={name: section})
    return profile


def clock_of(path: Path) -> str:
    """Which of `CLOCKS` the stored run at `path` has."""
    return CLOCKS[0] if CLOCKS[0] in documents.read(path) else CLOCKS[1]


def against(root: Path, path: Path) -> list[Compared]:
    """A stored run's stages, predicted and as they were.

    Raises:
        UserError: no finished run is there, or it is one of those that are calibrated on.
    """
    calibrated = [(root / one).resolve() for one in CALIBRATED]
    if path.resolve() in calibrated:
        raise UserError(f"{path} is what the prediction rests on: name another run to hold it to.")
    clock = clock_of(path)
    known = [_run(root, one, clock) for one in calibrated]
    work, seconds = _run(root, path, clock)
    held = []
    for stage in work:
        if stage in seconds and all(stage in spent for _, spent in known):
            line = [(done[stage], spent[stage]) for done, spent in known]
            held.append(Compared(stage, _line(line, work[stage]), seconds[stage]))
    return held


def text(held: list[Compared]) -> str:
    """The comparison as a Markdown table, and what is far off in a sentence."""
    lines = ["| stage | predicted s | actual s | predicted / actual |", "|---|---|---|---|"]
    lines += [
        f"| {one.stage} | {one.predicted:.0f} | {one.actual:.0f} | {one.ratio:.2f} |"
        for one in held
    ]
    whole = Compared("total", sum(one.predicted for one in held), sum(one.actual for one in held))
    lines.append(f"| **total** | {whole.predicted:.0f} | {whole.actual:.0f} | {whole.ratio:.2f} |")
    far = [one.stage for one in held if one.far]
    said = f"Off by more than a factor of {FAR:g}: {', '.join(far) or 'no stage'}."
    return "\n".join([*lines, "", said])
