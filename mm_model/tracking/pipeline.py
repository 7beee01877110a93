"""Which pipeline run this process belongs to: one of Dagster, one `dvc repro`, or none.

A key names it, equal in all of its stages' processes and in no other run, so that MLflow's parent
run can be found or made by whichever of them reaches the store first.
"""

import os
from dataclasses import dataclass

from mm_model import lifeline

_DAGSTER, _DVC = "DAGSTER_RUN_ID", "DVC_STAGE"


@dataclass(frozen=True)
class PipelineRun:
    """`key` is its name; `by` the program that runs the graph, as people know it."""

    key: str
    by: str


def of_process() -> PipelineRun | None:
    """The pipeline run of this process; None for a stage that somebody runs alone."""
    if run := os.environ.get(_DAGSTER):
        return PipelineRun(f"dagster-{run}", "Dagster")
    if (they := lifeline.starter(_DVC, "dvc")) is not None:
        return PipelineRun(f"dvc-{they}", "dvc repro")
    return None
