"""The plan as a whole: totals with a range, and which assumption moves them most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.planning import floors
from mm_model.planning.memory import TrainingMemory, identity_share, training_memory
from mm_model.planning.rates import GPUS, RATES, Rate
from mm_model.planning.shapes import shape_of
from mm_model.planning.work import Machine, PlannedRun, StageCost, Values, costs
from mm_model.settings import load_params, load_profile
from mm_model.store.atomic import Document

_Total = Callable[[Sequence[StageCost], PlannedRun, Machine, Values], float]


def _as_it_stands(
    stages: Sequence[StageCost], asked: PlannedRun, machine: Machine, values: Values
) -> float:
    used = (machine.used_by(asked.profile, one.stage) for one in stages)
    return sum(one.hours(part, values) for one, part in zip(stages, used, strict=True))


def _shared_out(
    stages: Sequence[StageCost], _: PlannedRun, machine: Machine, values: Values
) -> float:
    return sum(one.hours(machine, values) for one in stages)


TOTALS: Mapping[str, _Total] = {
    "cpu_hours": lambda stages, *_: sum(one.cpu_hours for one in stages),
    "gpu_hours": lambda stages, *_: sum(one.gpu_hours for one in stages),
    "hours_as_it_stands": _as_it_stands,
    "hours": _shared_out,
    "disk": lambda stages, *_: sum(one.disk for one in stages),
    "scratch": lambda stages, *_: max(one.scratch for one in stages),
    "traffic": lambda stages, *_: sum(one.traffic for one in stages),
    "memory": lambda stages, *_: max(one.memory for one in stages),
    "gpu_memory": lambda stages, *_: max(one.gpu_memory for one in stages),
}
"""What is added up over the stages; of memory and scratch the most counts."""


@dataclass(frozen=True)
class Usual:
    """What a profile is planned for where nobody says otherwise."""

    pictures: int
    clips: int
    machine: Machine


def usual(name: str) -> Usual:
    """The files and the machine that the profile `name` is meant for."""
    if name == "workstation":
        return Usual(50_000, 2_000, Machine("rtx4090", 1, 16))
    return Usual(5_000_000, 150_000, Machine("h100", 8, 64))


@dataclass(frozen=True)
class TotalRange:
    """A total: every assumption at its cheap end, as it is, and at its dear end."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class Assumption:
    """A rate of the plan, and by what share the hours change where it is halved or doubled."""

    name: str
    rate: Rate
    moves: float


@dataclass(frozen=True)
class RunPlan:
    """Costs of the stages, totals by name, and the assumptions, those that move most first."""

    name: str
    asked: PlannedRun
    machine: Machine
    values: Mapping[str, float]
    stages: tuple[StageCost, ...]
    totals: Mapping[str, TotalRange]
    assumptions: tuple[Assumption, ...]

    @property
    def training_memory(self) -> Mapping[str, TrainingMemory]:
        """What each training holds in the GPU's memory, by its section's name."""
        asked, rules = self.asked, self.asked.profile.trainings
        return {
            name: training_memory(asked, self.values, one, self._frames(name))
            for name, one in rules.items()
        }

    @property
    def identity_shares(self) -> Mapping[str, float]:
        """What the identity loss adds to a step of each training at most, by FLOPs."""
        asked, rules = self.asked, self.asked.profile.trainings
        return {
            name: identity_share(asked, self.values, one, self._frames(name))
            for name, one in rules.items()
        }

    def _frames(self, training: str) -> int:
        return self.asked.profile.model.num_frames if training == "finetune" else 1

    def as_dict(self) -> Document:
        """JSON-able form; hours, bytes and rows unrounded."""
        return {
            "profile": self.name,
            "pictures": self.asked.pictures,
            "clips": self.asked.clips,
            "machine": asdict(self.machine),
            "too_few_rows": floors.short(self.asked.profile, self.stages),
            "stages": [
                {
                    **asdict(one),
                    "hours_as_it_stands": one.hours(
                        self.machine.used_by(self.asked.profile, one.stage), self.values
                    ),
                    "hours": one.hours(self.machine, self.values),
                }
                for one in self.stages
            ],
            "training_memory": {
                name: {**one.terms, "total": one.total}
                for name, one in self.training_memory.items()
            },
            "identity_loss_share": dict(self.identity_shares),
            "totals": {name: asdict(span) for name, span in self.totals.items()},
            "assumptions": [
                {"name": one.name, "moves_hours": one.moves, **asdict(one.rate)}
                for one in self.assumptions
            ],
        }


def likely() -> dict[str, float]:
    """The value of every rate."""
    return {name: rate.value for name, rate in RATES.items()}


def asked_of(root: Path, name: str, *, pictures: float, clips: float, gpu: str) -> PlannedRun:
    """What is planned for the profile `name` of the tree at `root`.

    Raises:
        UserError: no such profile or GPU, or numbers that make no plan.
    """
    if gpu not in GPUS:
        raise UserError(f"--gpu {gpu} is not known: give one of {', '.join(GPUS)}.")
    if pictures < 0 or clips < 0 or pictures + clips == 0:
        raise UserError(
            "--pictures and --clips may not be below 0, nor both 0: give what you have."
        )
    profile = load_profile(root, name)
    shape = shape_of(profile.model, root / load_params(root).backbone)
    return PlannedRun(profile, shape, pictures, clips, gpu)


def plan(name: str, asked: PlannedRun, machine: Machine) -> RunPlan:
    """The plan of what is asked on a machine.

    Raises:
        UserError: a machine without a GPU or a core.
    """
    if machine.gpus < 1 or machine.cores < 1:
        raise UserError("--gpus and --cores must be at least 1: give the machine you would rent.")
    values = likely()
    stages = tuple(costs(asked, values))
    return RunPlan(
        name=name,
        asked=asked,
        machine=machine,
        values=values,
        stages=stages,
        totals=_totals(asked, machine, values),
        assumptions=_assumptions(asked, machine, values),
    )


def _total(asked: PlannedRun, machine: Machine, values: Values, name: str) -> float:
    return TOTALS[name](costs(asked, values), asked, machine, values)


def _totals(asked: PlannedRun, machine: Machine, values: Values) -> dict[str, TotalRange]:
    found = {}
    for name in TOTALS:
        ends: dict[str, dict[str, float]] = {"low": {}, "high": {}}
        for rate, one in RATES.items():
            by_end = {
                end: _total(asked, machine, {**values, rate: end}, name)
                for end in (one.low, one.high)
            }
            ends["low"][rate] = min(by_end, key=lambda end: by_end[end])
            ends["high"][rate] = max(by_end, key=lambda end: by_end[end])
        found[name] = TotalRange(
            _total(asked, machine, ends["low"], name),
            _total(asked, machine, values, name),
            _total(asked, machine, ends["high"], name),
        )
    return found


def _assumptions(asked: PlannedRun, machine: Machine, values: Values) -> tuple[Assumption, ...]:
    now = _total(asked, machine, values, "hours")
    found = []
    for name, rate in RATES.items():
        most = 1.0 if rate.unit == "share" else float("inf")
        others = [values[name] / 2, min(most, values[name] * 2)]
        ends = [_total(asked, machine, {**values, name: other}, "hours") for other in others]
        found.append(Assumption(name, rate, max(abs(end - now) for end in ends) / now))
    return tuple(sorted(found, key=lambda one: (-one.moves, one.name)))
