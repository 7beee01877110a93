"""The report page: one self-contained HTML file that grows with the run.

A derived view of published outputs and of the stage at work; rebuilt after every stage and at every
training sample. Pictures are embedded, clips play as strips so that all move in step.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path

from mm_model.errors import UserError
from mm_model.report import ladder as page_ladder
from mm_model.report import parts
from mm_model.report.answer import answer
from mm_model.report.compared import compared
from mm_model.report.film import film
from mm_model.report.judged import judged
from mm_model.report.people import people
from mm_model.report.templating import fill
from mm_model.report.training import training
from mm_model.run.stages import NAMES
from mm_model.settings import load_profile
from mm_model.store import atomic, documents, manifest
from mm_model.store.layout import Layout

TITLES = {
    "sources": "Raw photographs and clips",
    "ingest": "Usable files",
    "faces": "One face, one identity",
    "pairs": "Reference and target",
    "precompute": "What training sees",
    "pretrain": "Pretraining on pictures",
    "finetune": "Fine-tuning on clips",
    "evaluate": "Held-out people",
    "register": "Release",
}


@dataclass(frozen=True)
class StageOutput:
    """What can be shown of one stage: its folder, and whether it is published."""

    stage: str
    folder: Path | None
    _: KW_ONLY
    done: bool
    report: dict
    seconds: float | None
    live: dict

    @property
    def state(self) -> str:
        """done, running or waiting."""
        return "done" if self.done else "running" if self.folder else "waiting"


def find(layout: Layout, stage: str) -> StageOutput:
    """The published output of a stage, or the candidate it is working on."""
    output, work = layout.output(stage), layout.root / "work" / layout.profile
    if (output / manifest.NAME).is_file():
        timed = documents.read_or_empty(work / "timings.json").get(stage)
        seconds = timed.get("seconds") if isinstance(timed, dict) else None
        report = documents.read_or_empty(output / "report.json")
        return StageOutput(stage, output, done=True, report=report, seconds=seconds, live={})
    candidates = sorted((work / stage).glob("*/out"), key=lambda path: path.stat().st_mtime)
    if not candidates:
        return StageOutput(stage, None, done=False, report={}, seconds=None, live={})
    out = candidates[-1]
    return StageOutput(
        stage,
        out,
        done=False,
        report=documents.read_or_empty(out / "report.json"),
        seconds=None,
        live=documents.read_or_empty(out.parent / "live.json"),
    )


def _section(make: Callable[[], str]) -> str:
    """One section; where what it shows cannot be read, a line that says so."""
    try:
        return make()
    except Exception as error:  # a damaged file must not hide the rest of the page
        why = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else str(error)
        return fill("damage.html", why=why)


def render(layout: Layout) -> str:
    """The page as HTML text."""
    profile = load_profile(layout.root, layout.profile)
    found = {name: find(layout, name) for name in NAMES}
    finished = all(item.done for item in found.values())
    trained = [
        (found[name], training.sample_frames) for name, training in profile.trainings.items()
    ]
    moment = profile.model.num_frames / profile.model.fps
    sections: list[Callable[[], str]] = [
        lambda: answer(
            found["evaluate"], found["register"], _section(partial(film, trained, moment))
        ),
        partial(people, found["evaluate"]),
        partial(judged, found["evaluate"]),
        partial(page_ladder.ladder, found["evaluate"]),
        partial(page_ladder.motion, found["evaluate"]),
        partial(page_ladder.curve, found["evaluate"]),
        partial(parts.numbers, found["evaluate"]),
        partial(compared, layout),
    ]
    states = partial(parts.header, profile.title, layout.profile, list(found.values()), TITLES)
    sections.insert(len(sections) if finished else 1, states)
    for stage, frames in trained:
        sections.append(partial(training, stage, TITLES[stage.stage], frames))
    for name in ("sources", "ingest", "faces", "pairs", "precompute"):
        sections.append(partial(parts.data, found[name], TITLES[name]))
    sections.append(partial(parts.release, found["register"]))
    return fill(
        "page.html",
        title=profile.title,
        finished=finished,
        card=(layout.page.parent / "dataset-card.html").is_file(),
        frames=profile.model.num_frames,
        seconds=moment,
        width=profile.model.width,
        height=profile.model.height,
        sections=[text for make in sections if (text := _section(make))],
    )


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
