"""A study of a size, as `make methods` and `make protocol` do it, recorded as a partition.

A study goes on by its own parts, which are sealed by all that decides them: asked for again it
measures nothing twice.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from mm_model.reproduce import tiers
from mm_model.store import digests
from orchestration import automation
from orchestration.dvc_command import environment
from orchestration.outcome import Outcome
from orchestration.process_group import ProcessGroup


def brought_up(
    context: dg.AssetExecutionContext,
    root: Path,
    key: str,
    *,
    command: tuple[str, ...],
    say: Callable[[str], None],
) -> dg.MaterializeResult:
    """Run the study of the partition `key`, as in `protocol|quick`; what it left is the result.

    `command` are the words after Python's, up to the study's name; `say` hears each line.

    Raises:
        dagster.Failure: it stopped; the description is its sentence.
    """
    study, _, tier = key.partition("|")
    words = [*command, study, "--tier", tier]
    numbers = tiers.numbers_of(root, study, tier)
    before = digests.of_file(numbers) if numbers.is_file() else None
    outcome = Outcome(key, command=f"python {' '.join(words)}")
    started = time.time()
    with ProcessGroup([sys.executable, *words], root, environment(root)) as group:
        for line in group.lines():
            if line.strip():
                outcome.hear(line)
                say(line)
        outcome.status = group.wait()
    if outcome.status:
        again = outcome.may_be_repeated and automation.is_unattended(context.run)
        raise automation.stopped(context, dg.Failure(outcome.sentence, allow_retries=again), root)
    now = digests.of_file(numbers)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(now),
        metadata={
            "how": "unchanged" if now == before else "computed",
            "seconds": round(time.time() - started, 1),
            "numbers": dg.MetadataValue.path(str(numbers.relative_to(root))),
            "plot": dg.MetadataValue.path(str(numbers.with_suffix(".png").relative_to(root))),
        },
    )
