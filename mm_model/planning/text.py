"""The plan as Markdown: a table a stage, the totals with their range, the assumptions.

Two significant digits everywhere, since nothing here is known better.
"""

from mm_model.planning import floors
from mm_model.planning.plan import TOTALS, RunPlan
from mm_model.planning.rates import Rate
from mm_model.planning.work import StageCost

_GB = 1e9
_GIB = 2.0**30
_ROWS = (
    "stage",
    "rows in",
    "rows out",
    "CPU h",
    "GPU h",
    "h as it stands",
    "h shared out",
    "disk GB",
)
_MORE = ("scratch GB", "traffic GB", "memory GB", "GPU memory GB")
_DECIDING = 3


def two(number: float) -> str:
    """A number to two significant digits, "-" for nothing, with K, M or G from a thousand on."""
    if number <= 0:
        return "-"
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if float(f"{number:.1e}") >= power:
            return _plain(number / power) + letter
    return "<0.01" if number < 0.01 else _plain(number)


def _plain(number: float) -> str:
    rounded = float(f"{number:.1e}")
    if rounded >= 10:
        return f"{rounded:.0f}"
    return f"{rounded:.1f}" if rounded >= 1 else f"{rounded:.2g}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _stage(plan: RunPlan, one: StageCost) -> str:
    numbers = [
        one.rows_in,
        one.rows_out,
        one.cpu_hours,
        one.gpu_hours,
        one.hours(plan.machine.used_by(plan.asked.profile, one.stage), plan.values),
        one.hours(plan.machine, plan.values),
        *[size / _GB for size in (one.disk, one.scratch, one.traffic, one.memory, one.gpu_memory)],
    ]
    return _row([one.stage, *map(two, numbers)])


def table(plan: RunPlan) -> list[str]:
    """The stages, and their totals: low, likely, high."""
    head = [*_ROWS, *_MORE]
    lines = [_row(head), "|---" * len(head) + "|"]
    lines += [_stage(plan, one) for one in plan.stages]
    for end in ("low", "likely", "high"):
        cells = []
        for name in TOTALS:
            value = getattr(plan.totals[name], end)
            cells.append(two(value if "hours" in name else value / _GB))
        lines.append(_row([f"**{end}**", "", "", *cells]))
    return lines


def training_memory(plan: RunPlan) -> list[str]:
    """What the trainings hold in the GPU's memory in GiB, and what their identity loss costs."""
    found = plan.training_memory
    lines = [_row(["GiB on the GPU", *found]), "|---" * (1 + len(found)) + "|"]
    for term in dict.fromkeys(term for one in found.values() for term in one.terms):
        cells = (f"{one.terms.get(term, 0.0) / _GIB:.1f}" for one in found.values())
        lines.append(_row([term, *cells]))
    totals = (f"**{one.total / _GIB:.1f}**" for one in found.values())
    lines.append(_row(["**at the largest moment**", *totals]))
    shares = [
        f"{100 * share:.2g}% of a step of {name}" for name, share in plan.identity_shares.items()
    ]
    return [*lines, "", f"The identity loss takes, by FLOPs and at most, {' and '.join(shares)}."]


def _range(rate: Rate) -> str:
    return f"{_exact(rate.value)} ({_exact(rate.low)} to {_exact(rate.high)}) {rate.unit}"


def _exact(number: float) -> str:
    return two(number) if number >= 1e4 else f"{number:g}"


def assumptions(plan: RunPlan) -> list[str]:
    """Every assumption on a line, those that move the hours most first."""
    lines = [_row(["assumption", "value", "moves the hours by", "from"]), "|---" * 4 + "|"]
    for one in plan.assumptions:
        said = f"{one.rate.says} (`{one.name}`)"
        where = f"{one.rate.kind}: {one.rate.source}"
        where += "" if one.rate.hardware == "none" else f"; {one.rate.hardware}"
        lines.append(_row([said, _range(one.rate), _share(one.moves), where]))
    return lines


def _share(share: float) -> str:
    return f"{_plain(100 * share)}%" if share >= 0.001 else "-"


def deciding(plan: RunPlan) -> str:
    """The three assumptions that matter most, in a sentence."""
    most = [f"{one.name} ({_share(one.moves)})" for one in plan.assumptions[:_DECIDING]]
    return f"What moves the hours most when halved or doubled: {', '.join(most)}."


def heading(plan: RunPlan) -> str:
    """What the plan is of."""
    machine = plan.machine
    return (
        f"{plan.name}: {plan.asked.pictures:,.0f} pictures and {plan.asked.clips:,.0f} clips on "
        f"{machine.gpus} x {machine.gpu} and {machine.cores} cores."
    )


def too_few(plan: RunPlan) -> list[str]:
    """A sentence on stages that would stop for too few rows; none where none would."""
    short = floors.short(plan.asked.profile, plan.stages)
    if not short:
        return []
    said = ", ".join(short)
    return [f"The run would stop for too few rows: {said}. Give more files or lower row_floor."]


ENDS = (
    "Low and high: every assumption at its cheap or its dear end at once. As it stands: what the "
    "stages use by themselves, run.threads workers and one GPU, a training all GPUs that share its "
    "streams evenly. Shared out: all GPUs and cores. Memory is that of one process, on any GPU."
)


def whole(plan: RunPlan) -> str:
    """All that the command prints."""
    parts = [heading(plan), *too_few(plan), "", *table(plan), "", ENDS, deciding(plan), ""]
    return "\n".join([*parts, *training_memory(plan), "", *assumptions(plan)])
