"""The source that is a recipe: people drawn by two processes, resumable, the same bytes every time.

They carry their own mark and need no consent record. Training people and held-out people are drawn
in separate calls, so that no picture mixes them.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mm_model.embedded.people.split import HELD_OUT_PEOPLE, TRAIN_PEOPLE, split_of
from mm_model.errors import UserError
from mm_model.progress import Steps
from mm_model.run.pools.port import Crashed, Limits, tick
from mm_model.run.pools.table import open_pool
from mm_model.run.stage import Job
from mm_model.sources.listed import Listed
from mm_model.sources.port import Item, Remarks
from mm_model.store import atomic, handwritten, sealed
from mm_model.store.atomic import Document
from mm_model.store.consents import Statement
from mm_model.store.walk import why

PROCEDURAL = Statement("synthetic:procedural")
"""What stands for the consent of drawn people."""

MARK = "synthetic.json"
_PROCESSES = 2


class PeopleRecipe(BaseModel):
    """How many people, and what of each. Sizes in pixels; `fault_rate` adds faulty files."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    train_people: int = Field(ge=2, le=len(TRAIN_PEOPLE))
    held_out_people: int = Field(ge=0, le=len(HELD_OUT_PEOPLE))
    photos_per_person: int = Field(ge=0)
    clips_per_person: int = Field(ge=0)
    size: int = Field(ge=32)
    num_frames: int = Field(ge=2)
    fps: int = Field(ge=1)
    fault_rate: float = Field(ge=0, le=1)
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _pairs_of_people(self) -> "PeopleRecipe":
        if self.held_out_people == 1:
            raise ValueError("held_out_people is 0 or at least 2")
        if self.photos_per_person + self.clips_per_person == 0:
            raise ValueError("ask for photographs or clips")
        if self.size % 2:
            raise ValueError("size is even")
        return self


def load_recipe(path: Path) -> PeopleRecipe:
    """Read a recipe file.

    Raises:
        UserError: it cannot be read, is not YAML, or holds a value that does not fit.
    """
    try:
        return PeopleRecipe.model_validate(handwritten.read(path.read_text("utf-8")).content)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({why(error)}): mend its permissions, or name another recipe "
            "or folder in params.yaml, sources."
        ) from None
    except handwritten.Twice as error:
        raise UserError(f"{path}: {error}: leave one of them.") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise UserError(
            f"{path} is not a recipe in YAML: params.yaml, sources: names a folder of media or "
            "such a recipe (profiles/people.yaml is one)."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the recipe"
        raise UserError(f"{path}: {where}: {first['msg']}: mend that value.") from None


def fits(path: Path) -> bool:
    """Any file: whether it is a recipe, `load_recipe` says."""
    return not path.is_dir()


def opened(path: Path, job: Job) -> "DrawnPeople":
    """The people of the recipe at `path`, drawn into `out/files`.

    Raises:
        UserError: no recipe, or one that cannot be met.
    """
    return DrawnPeople(path, job)


class DrawnPeople:
    """See `port.Source`."""

    synthetic = True

    def __init__(self, path: Path, job: Job) -> None:
        folder = job.out / "files"
        self._truth = draw(load_recipe(path), folder, job)
        self._listed = Listed(folder)

    def __len__(self) -> int:
        return len(self._listed.media)

    def items(self) -> Iterator[Item]:
        """Each file, of whom the recipe says who is shown and in which split."""
        for found in self._listed.media:
            person = int(self._truth[found.relative.as_posix()]["person"])
            yield Item(
                found.relative,
                content=found.path,
                problem=found.problem,
                caption=self._listed.caption_of(found),
                consent=PROCEDURAL,
                subject=found.subject,
                split=split_of(person),
            )

    def remarks(self) -> Remarks:
        """What is to be said of the drawn folder."""
        return self._listed.remarks()


def calls_of(recipe: PeopleRecipe) -> list[range]:
    """The people of each drawing call: train people in two parts, then the held-out people.

    The second part and the held-out people together weigh as much as the first, for two
    processes. Depends on the recipe alone.
    """
    train = TRAIN_PEOPLE[: recipe.train_people]
    first = (recipe.train_people + recipe.held_out_people + 1) // 2
    if first < 2 or len(train) - first < 2:
        first = len(train)
    parts = [train[:first], train[first:], HELD_OUT_PEOPLE[: recipe.held_out_people]]
    return [part for part in parts if part]


def draw(recipe: PeopleRecipe, folder: Path, job: Job) -> dict[str, Document]:
    """Draw everyone into `folder` with one mark on top; return the truth of every file by name.

    A finished call stays in the work folder until all are there, so a killed run continues; one
    that its seal does not fit is drawn again.
    """
    aside = job.work / "drawn"
    calls = calls_of(recipe)
    open_calls = [
        _Call(recipe, aside / f"call-{i}", people, job.fingerprint)
        for i, people in enumerate(calls)
        if not _taken_up(aside / f"call-{i}", job)
    ]
    if open_calls:
        aside.mkdir(parents=True, exist_ok=True)
        _draw_all(open_calls, job)
    marks = [_gathered(aside / f"call-{i}", folder) for i in range(len(calls))]
    files = {name: truth for mark in marks for name, truth in mark["files"].items()}
    atomic.write_json(folder / MARK, {"recipe": recipe.model_dump(), "calls": marks})
    shutil.rmtree(aside)
    return files


def _taken_up(call: Path, job: Job) -> bool:
    """Whether an earlier run finished this call and all of it is whole; else it is removed."""
    flaw = sealed.flaw(call, job.fingerprint)
    if flaw is not None and call.exists():
        job.say(f"{call.name} of the drawn people {flaw}: it is drawn again")
    if flaw is not None:
        sealed.remove(call)
    return flaw is None


def _gathered(call: Path, folder: Path) -> Document:
    mark = json.loads((call / MARK).read_text())
    shutil.copytree(
        call, folder, copy_function=os.link, dirs_exist_ok=True, ignore=lambda *_: [MARK]
    )
    return mark


@dataclass(frozen=True)
class _Call:
    """People to be drawn together into a folder of their own; picklable."""

    recipe: PeopleRecipe
    folder: Path
    people: range
    origin: str


def _draw_all(calls: list[_Call], job: Job) -> None:
    """Draw; a call that could not be finished costs none of the others its work."""
    total = sum(len(call.people) for call in calls)
    processes = min(_PROCESSES, job.profile.run.threads)
    done = 0
    with (
        closing(open_pool(_start, processes, Limits(tries=1))) as pool,
        Steps(f"[{job.stage.name}] drawing people", rate=True) as steps,
    ):

        def drawn() -> None:
            nonlocal done
            done += 1
            steps.told(done, total)

        if any(isinstance(ended, Crashed) for ended in [*pool.map(_draw_call, calls, drawn)]):
            raise UserError(
                "A drawing process ended early (killed, or out of memory): run the stage again."
            )


def _start() -> None:
    import cv2

    cv2.setNumThreads(1)


def _draw_call(_: None, call: _Call) -> None:
    from mm_model.embedded.people.sources import write_sources

    values = call.recipe.model_dump(exclude={"train_people", "held_out_people"})
    people = list(call.people)
    write_sources(call.folder, people=people, progress=lambda *_: tick(), **values)
    sealed.seal(call.folder, call.origin)
