"""The one table of metrics: from it come columns, means, page heads, audit and documentation."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mm_model.metrics import (
    copying,
    deformation,
    extent,
    identity,
    motion,
    obedience,
    steadiness,
)
from mm_model.metrics.port import (
    STAND_IN,
    Column,
    Context,
    Evidence,
    Metric,
    Opened,
    Unavailable,
    Values,
)
from mm_model.records import Bound

METRICS: tuple[Metric, ...] = (
    *identity.METRICS,
    *steadiness.METRICS,
    *copying.METRICS,
    *motion.METRICS,
    *extent.METRICS,
    *deformation.METRICS,
    *obedience.METRICS,
)
"""In the order of their columns."""


def check(metrics: Iterable[Metric]) -> None:
    """Return if the metrics may stand in one table.

    Raises:
        TypeError: a name is used twice, a proxy is not named as one or another is, or a column is
            on the page and has no mean to show.
    """
    taken: set[str] = set()
    for metric in metrics:
        names = [metric.name, *(column.name for column in metric.columns)]
        names += [column.mean for column in metric.columns if column.mean]
        if any(name.startswith(STAND_IN) != metric.proxy for name in names):
            raise TypeError(f"{metric.name}: all names of a proxy begin with {STAND_IN}, no others")
        for column in metric.columns:
            if column.heading and not column.mean:
                raise TypeError(f"{column.name}: a column on the page needs a mean")
            used = {f"column {column.name}", *([f"mean {column.mean}"] if column.mean else ())}
            if used & taken:
                raise TypeError(f"{sorted(used & taken)[0]} is filled by two metrics")
            taken |= used


check(METRICS)


def columns(*, proxies: bool | None = None) -> tuple[Column, ...]:
    """The measured columns of `cells.parquet`; of proxies alone, or of all others, where told."""
    chosen = (one for one in METRICS if proxies is None or one.proxy == proxies)
    return tuple(column for one in chosen for column in one.columns)


def means() -> dict[str, str]:
    """Name of a mean in `metrics.json`, to the column that it is of."""
    return {column.mean: column.name for column in columns() if column.mean}


def limits() -> dict[str, tuple[float | None, float | None]]:
    """Name of a mean to the least and the most that its column can be; None is no bound."""
    return {column.mean: (column.least, column.most) for column in columns() if column.mean}


def headings(*, proxies: bool = False) -> tuple[tuple[str, str], ...]:
    """Mean and head of each column of the report page's table; proxies have one of their own."""
    shown = (column for column in columns(proxies=proxies) if column.heading)
    return tuple((str(column.mean), column.head) for column in shown)


def conventions() -> dict[str, str]:
    """How the means are computed, by their names."""
    told = ((column.mean, column.convention) for column in columns())
    return {mean: convention for mean, convention in told if mean and convention}


def bounds() -> tuple[Bound, ...]:
    """What the audit holds the columns to."""
    return tuple(
        Bound(column.name, always=column.always, least=column.least, most=column.most)
        for column in columns()
    )


@dataclass(frozen=True)
class Instruments:
    """The metrics of one run, opened; `unavailable` says why the others cannot be had."""

    opened: dict[str, Opened]
    unavailable: dict[str, str]

    def measure(self, seen: Evidence) -> dict[str, float | None]:
        """Every column of one clip; None where there is no finite value."""
        found: dict[str, float | None] = dict.fromkeys(column.name for column in columns())
        for metric in METRICS:
            if metric.name in self.opened:
                values = self.opened[metric.name].measure(seen)
                found |= {column.name: _finite(values, column) for column in metric.columns}
        return found

    def only(self, *names: str) -> "Instruments":
        """Those of the metrics `names` alone."""
        return Instruments({name: self.opened[name] for name in names if name in self.opened}, {})

    def told(self) -> dict[str, dict[str, str]]:
        """What `metrics.json` says of them: digests of the `weights` that metrics loaded
        themselves, and which are `unavailable`, why; each only where there is one."""
        found = {name: one.weights for name, one in self.opened.items()}
        weights = {name: digest for name, digest in found.items() if digest}
        said = {"weights": weights, "unavailable": self.unavailable}
        return {key: value for key, value in said.items() if value}


def _finite(values: Values, column: Column) -> float | None:
    value = values.get(column.name)
    return float(value) if value is not None and math.isfinite(value) else None


def opened(context: Context) -> Instruments:
    """All metrics, ready for the clips of a run."""
    ready: dict[str, Opened] = {}
    absent: dict[str, str] = {}
    for metric in METRICS:
        try:
            ready[metric.name] = metric.open(context)
        except Unavailable as why:
            absent[metric.name] = str(why)
    return Instruments(ready, absent)
