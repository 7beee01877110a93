"""What stands in `data/<profile>`: whether each stage would run, and which code made its output.

Compares manifests with what lies here now, as a stage does when it starts, but digests no output.
DVC has the last word on what runs: it also runs a stage whose own file changed in any way, for
which its record of the last run is asked.
"""

from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.run import made_by, runner, stages
from mm_model.run.stage import Stage
from mm_model.settings import Params, Profile, load_profile
from mm_model.store import closure, digests, locked, manifest, syntax
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout

WAY_OUT = (
    "'make run STRICT=1' makes them again, and what depends on them. Where a change counts for "
    "everybody, raise `version` in the stage's own file instead."
)


@dataclass(frozen=True)
class StageStatus:
    """One stage: `reasons` why it would run (none: up to date), `after` the stages that would run
    before it and may change its inputs, and how the code that made its output differs from now's;
    None where there is no output.
    """

    stage: str
    reasons: tuple[str, ...]
    after: tuple[str, ...]
    code: made_by.Difference | None

    @property
    def is_current(self) -> bool:
        """Whether nothing would run, and the code of now made it."""
        return not (self.reasons or self.after or self.code)

    @property
    def state(self) -> str:
        """`would run`, `may run` or `up to date`."""
        return "would run" if self.reasons else "may run" if self.after else "up to date"

    def line(self) -> str:
        """All of it in one line."""
        why = "; ".join(self.reasons) or (f"after {', '.join(self.after)}" if self.after else "")
        code = self.code.sentence() if self.code else ""
        return f"{self.state}{': ' if why else ''}{why}{'; ' if code else ''}{code}"

    def as_dict(self) -> Document:
        """JSON-able form; `code` is same, other, partly, unknown or null."""
        files = {name: list(parts) for name, parts in self.code.files.items()} if self.code else {}
        return {
            "stage": self.stage,
            "state": self.state,
            "reasons": list(self.reasons),
            "after": list(self.after),
            "code": None if self.code is None else self.code.word,
            "files": files,
        }


def of_tree(root: Path, params: Params, package: Path = closure.PACKAGE) -> list[StageStatus]:
    """How each stage of the profile that `params` names stands below `root`.

    Raises:
        UserError: the profile is not valid.
    """
    profile, layout = load_profile(root, params.profile), Layout(root, params.profile)
    look = _Inspection(params, profile, layout, package)
    found: dict[str, StageStatus] = {}
    for name in (*stages.NAMES, *stages.listed(root)):
        stage = stages.of(name, root)
        made, reasons = look.at(stage)
        code = None if made is None else made_by.difference(made, made_by.record(name, package))
        after = tuple(taken for taken in stage.takes if found[taken].state != "up to date")
        found[name] = StageStatus(name, reasons, after, code)
    return list(found.values())


def reasons(stage: Stage, params: Params, profile: Profile, layout: Layout) -> tuple[str, ...]:
    """Why a stage would run, whatever code made its output; none where it is up to date."""
    return _Inspection(params, profile, layout, closure.PACKAGE).at(stage, whatever_code=True)[1]


@dataclass
class _Inspection:
    params: Params
    profile: Profile
    layout: Layout
    package: Path

    def __post_init__(self) -> None:
        self._models: dict[str, str] = {}
        self._locked = locked.stages(self.layout.root)

    def at(
        self, stage: Stage, whatever_code: bool = False
    ) -> tuple[manifest.Manifest | None, tuple[str, ...]]:
        """The manifest of the stage's output, and why it would run."""
        output = self.layout.output(stage.name)
        if not (output / manifest.NAME).is_file():
            return None, ("there is no output",)
        try:
            made = manifest.read(output)
        except UserError as error:
            return None, (str(error),)
        try:
            found = self._changes(stage, made)
            return made, tuple(found or ([] if whatever_code else self._own_file(stage)))
        except UserError as error:
            return made, (str(error),)

    def _changes(self, stage: Stage, made: manifest.Manifest) -> list[str]:
        found = []
        if made.version != stage.version:
            found.append(f"version {stage.version}, was {made.version}")
        if made.settings_digest != digests.of_value(stage.settings(self.profile)):
            found.append(f"its settings{' or the served code' * bool(stage.code)} changed")
        inputs = {taken: self._digest(taken) for taken in stage.takes}
        found += [
            f"another output of {taken}"
            for taken, digest in inputs.items()
            if digest not in (None, made.inputs.get(taken))
        ]
        if not found and None not in inputs.values():
            models = {name: self._model(stage, name) for name in stage.inputs}
            taken = {name: str(digest) for name, digest in inputs.items()}
            if made.fingerprint != runner.fingerprint_of(stage, self.profile, taken, models):
                found.append(f"changed: {' or '.join(stage.inputs)}")
        return found

    def _own_file(self, stage: Stage) -> list[str]:
        """DVC takes the stage's own file byte by byte, with its comments."""
        name = stages.file_of(stage.name)
        output = self.layout.output(stage.name).relative_to(self.layout.root).as_posix()
        recorded = locked.recorded_input(self._locked, output, f"{syntax.NAME}/{name}")
        changed = locked.differs(recorded, self.package / name)
        return [f"its file {syntax.NAME}/{name} changed"] if changed else []

    def _digest(self, stage: str) -> str | None:
        try:
            return manifest.read(self.layout.output(stage)).digest
        except UserError:
            return None

    def _model(self, stage: Stage, name: str) -> str:
        place = stage.place(name, self.params)
        if place not in self._models:
            self._models[place] = runner.model_digest(stage, name, self.params, self.layout)
        return self._models[place]


def text(params: Params, standings: list[StageStatus], chosen: bool = True) -> str:
    """The standings for a person; `chosen` is whether `params.yaml` names this profile."""
    run = "make run" if chosen else f"make run PROFILE={params.profile}"
    if all(one.code is None for one in standings):
        return f"Profile {params.profile} has no results yet: '{run}' makes them."
    lines = [f"Profile {params.profile}"]
    lines += [f"  {one.stage:<9} {one.line()}" for one in standings]
    if any(one.code for one in standings):
        way_out = WAY_OUT.replace("make run", run)
        lines.append(f"Where other code made an output: {way_out}")
    return "\n".join(lines)
