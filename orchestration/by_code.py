"""Which outputs other code made than lies here now, as `make run` and Dagster say it.

Nothing is run again for it: a stage's `version` says what counts. Who wants all to be of this code
asks for it, by `make run STRICT=1`, by `MM_STRICT=1`, or by the tag below on a run in Dagster.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from assets import graph
from assets.wiring import CODE
from mm_model.errors import UserError
from mm_model.run import made_by, stages
from mm_model.run.status import WAY_OUT
from mm_model.store import digests, manifest
from mm_model.store.layout import Layout

STRICT_TAG = "magic_mirror/strict"
"""1 on a run: outputs of other code are made again. Without it, `MM_STRICT` of the process says."""

_ALL = "'python -m mm_model status' names every file."


def is_strict(run: dg.DagsterRun) -> bool:
    """Whether this run is to make outputs of other code again.

    Raises:
        UserError: the tag, or else the variable, holds neither 1 nor 0.
    """
    if STRICT_TAG in run.tags:
        return made_by.wanted(run.tags[STRICT_TAG], STRICT_TAG)
    return made_by.strict()


def learn(package: Path) -> None:
    """Read all code now, so that later looks take no time."""
    for stage in (*stages.NAMES, stages.SUBJECT):
        made_by.record(stage, package)


def mark(package: Path) -> str:
    """A cheap mark of the code as it lies there: names, sizes and times of its files."""
    found = {path: path.stat() for path in sorted(package.rglob("*.py"))}
    return digests.of_value(
        [(str(path), one.st_size, one.st_mtime_ns) for path, one in found.items()]
    )


def look(layout: Layout, stage: str, package: Path) -> made_by.Difference | None:
    """How the code that made the stage's output differs from now's; None without a whole one."""
    try:
        made = manifest.read(layout.output(stage))
    except UserError:
        return None
    return made_by.difference(made, made_by.record(stage, package))


def warning(told: Iterable[tuple[str, made_by.Difference | None]]) -> list[str]:
    """Lines that name the stages of other code with the files, and the way out; none for none."""
    found: dict[str, list[str]] = {}
    for stage, difference in told:
        if difference:
            found.setdefault(difference.sentence(), []).append(stage)
    if not found:
        return []
    lines = [f"  {', '.join(named)}: {sentence}" for sentence, named in found.items()]
    return ["Warning: other code had a part in what stands here.", *lines, f"{WAY_OUT} {_ALL}"]


def _verdict(stage: str, difference: made_by.Difference | None) -> dict[str, Any]:
    """As arguments shared by a check's result and its evaluation."""
    if difference is None:
        description = "There is no whole output."
    elif difference:
        description = f"{stage} was {difference.sentence()}. {WAY_OUT}"
    else:
        description = "The code that lies here now made it."
    files = difference.files if difference else {}
    rows = [
        f"* {name}{': ' if parts else ''}{', '.join(filter(None, parts))}"
        for name, parts in files.items()
    ]
    return {
        "check_name": CODE,
        "asset_key": dg.AssetKey(graph.asset(stage)),
        "passed": difference is not None and not difference,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": description,
        "metadata": {"files": dg.MetadataValue.md("\n".join(rows))} if rows else {},
    }


def check_result(stage: str, difference: made_by.Difference | None) -> dg.AssetCheckResult:
    """The result of the stage's check `code`, inside a run."""
    return dg.AssetCheckResult(**_verdict(stage, difference))


def news(
    instance: dg.DagsterInstance, layout: Layout, names: Iterable[str], package: Path
) -> Iterator[dg.AssetCheckEvaluation]:
    """The check of each of the stages for which Dagster has recorded another verdict, or none.

    A stage without a whole output has none.
    """
    for stage in names:
        if (difference := look(layout, stage, package)) is None:
            continue
        found = dg.AssetCheckEvaluation(**_verdict(stage, difference))
        if not _is_recorded(instance, found):
            yield found


def _is_recorded(instance: dg.DagsterInstance, found: dg.AssetCheckEvaluation) -> bool:
    record = instance.get_latest_asset_check_evaluation_record(found.asset_check_key)
    event = record.event if record else None
    known = event.asset_check_evaluation if event else None
    return known is not None and (known.passed, known.description) == (
        found.passed,
        found.description,
    )
