"""The report page: one self-contained HTML file that grows with the run.

A derived view of published outputs and of the stage at work; rebuilt after every stage and at every
training sample. Pictures are embedded, clips play as strips so that all move in step.
"""

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mm_model.errors import UserError
from mm_model.evaluation import page_ladder
from mm_model.evaluation import page_parts as parts
from mm_model.evaluation.page_training import training
from mm_model.settings import load_profile
from mm_model.stages.registry import NAMES
from mm_model.store import atomic, manifest
from mm_model.store.layout import Layout

TITLES = {
    "sources": "Raw photographs and clips",
    "ingest": "Usable files",
    "faces": "One face, one identity",
    "pairs": "Reference and target",
    "pretrain": "Pretraining on pictures",
    "finetune": "Fine-tuning on clips",
    "evaluate": "Held-out people",
    "register": "Release",
}


@dataclass(frozen=True)
class Found:
    """What can be shown of one stage: its folder, and whether it is published."""

    stage: str
    folder: Path | None
    done: bool
    report: dict
    seconds: float | None
    live: dict

    @property
    def state(self) -> str:
        """done, running or waiting."""
        return "done" if self.done else "running" if self.folder else "waiting"


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def find(layout: Layout, stage: str) -> Found:
    """The published output of a stage, or the candidate it is working on."""
    output = layout.output(stage)
    seconds = _read(layout.root / "work" / layout.profile / "timings.json").get(stage, {})
    if (output / manifest.NAME).is_file():
        report = _read(output / "report.json")
        return Found(stage, output, True, report, seconds.get("seconds"), {})
    base = layout.root / "work" / layout.profile / stage
    candidates = sorted(base.glob("*/out"), key=lambda path: path.stat().st_mtime)
    if not candidates:
        return Found(stage, None, False, {}, None, {})
    work = candidates[-1]
    return Found(stage, work, False, _read(work / "report.json"), None,
                 _read(work.parent / "live.json"))  # fmt: skip


def render(layout: Layout) -> str:
    """The page as HTML text."""
    profile = load_profile(layout.root, layout.profile)
    found = {name: find(layout, name) for name in NAMES}
    finished = all(item.done for item in found.values())
    body = [
        parts.header(profile.title, layout.profile, list(found.values()), TITLES),
        parts.people(found["evaluate"]),
        page_ladder.ladder(found["evaluate"]),
        page_ladder.motion(found["evaluate"]),
        page_ladder.curve(found["evaluate"]),
        parts.numbers(found["evaluate"]),
        *(
            training(found[name], TITLES[name], getattr(profile, name).sample_frames)
            for name in ("pretrain", "finetune")
        ),
        *(
            parts.data(found[name], TITLES[name])
            for name in ("sources", "ingest", "faces", "pairs")
        ),
        parts.release(found["register"]),
    ]
    refresh = "" if finished else '<meta http-equiv="refresh" content="10">'
    return parts.DOCUMENT.format(
        title=escape(f"Magic Mirror · {profile.title}"), refresh=refresh,
        style=parts.STYLE.format(frames=profile.model.num_frames,
                                 seconds=profile.model.num_frames / profile.model.fps),
        body="\n".join(part for part in body if part),
    )  # fmt: skip


def build(layout: Layout) -> Path:
    """Write the page and return its path.

    Raises:
        UserError: the profile cannot be read.
    """
    try:
        text = render(layout)
    except FileNotFoundError as error:
        raise UserError(f"The report page could not read {error.filename}: run it again.") from None
    atomic.write_text(layout.page, text)
    return layout.page
