"""Named selections of the graph. Every job runs in one process, since each stage is its own."""

import dagster as dg

EVERYTHING = "everything"

everything = dg.define_asset_job(
    EVERYTHING,
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="From the raw media to the registered model; what has not changed is not run.",
)
