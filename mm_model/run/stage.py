"""The contract of a stage: named inputs and settings in, a folder and a report out.

A stage computes into `job.out` and returns a `Report`. It does not know who called it, never
audits or publishes itself, and keeps whatever a resume needs in `job.work`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mm_model.records import Bound
from mm_model.run.report import Report as Report
from mm_model.run.views import Views, grow
from mm_model.settings import Params, Profile
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.tracking.tracker import Tracker

T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """One stage.

    `takes` names the stages whose outputs it reads; `sections` the parts of the profile that
    may change its result; `models` the entries of `params.yaml` it reads (sources, facepack, judge,
    judges, captioners, classifiers, synthesizer, backbone). Raise `version` when the same inputs
    would give another result. `code` is the digest of source files each of whose changes counts,
    whatever `version` says. `given` are inputs beside those of `params.yaml`, as paths from the
    root by name, and `told` is what else it was told; the stage of a listed subject has both.
    `confirm` says whether an output that looks up to date still holds in the outside world (a
    registry). `bounds` are what the audit asks of the columns that the stage
    measures.
    """

    name: str
    title: str
    version: int
    takes: tuple[str, ...]
    sections: tuple[str, ...]
    models: tuple[str, ...]
    run: Callable[["Job"], Report]
    confirm: Callable[["Job"], bool] | None = None
    code: Callable[[], str] | None = None
    bounds: Callable[[], Sequence[Bound]] = tuple
    given: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)

    def settings(self, profile: Profile) -> Document:
        """What of profile and code may change the result, as JSON-able values."""
        part = {**profile.part(*self.sections), **self.told}
        return part if self.code is None else {**part, "code": self.code()}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what it reads beside other stages' outputs."""
        return (*self.models, *self.given)

    def place(self, name: str, params: Params) -> str:
        """Where one of its inputs lies, as the user wrote it: an entry of `params.yaml`, or one
        that it was given."""
        return self.given[name] if name in self.given else str(getattr(params, name))


@dataclass(frozen=True)
class Job:
    """One execution of a stage.

    `inputs` maps stage names to their published, verified folders. `work` survives a kill and
    belongs to this fingerprint alone. `out` is empty at the start; what is in it after `run`
    is audited and published as a whole. `views` are made again while the stage works (`show`).
    """

    stage: Stage
    params: Params
    profile: Profile
    layout: Layout
    fingerprint: str
    inputs: dict[str, Path]
    work: Path
    out: Path
    tracker: Tracker
    views: Views = ()

    def model(self, name: str) -> Path:
        """Absolute path of an entry of `params.yaml` (facepack, ...), or of what it was given."""
        return (self.layout.root / self.stage.place(name, self.params)).resolve()

    def say(self, text: str) -> None:
        """Print one line for the user."""
        print(f"[{self.stage.name}] {text}", flush=True)

    def show(self) -> None:
        """Let the views that grow show what there is by now."""
        grow(self.layout, self.views)

    def each(self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        """Iterate with a progress line (count, rate, time left)."""
        from mm_model.progress import each

        return each(items, total=total, label=f"[{self.stage.name}] {label}")
