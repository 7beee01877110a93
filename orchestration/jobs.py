"""Named selections of the graph. Every job runs in one process, since each stage is its own."""

import dagster as dg

from assets.graph import SUBJECT
from assets.subject import SUBJECTS as LISTED

EVERYTHING, SUBJECTS = "everything", "subjects"

everything = dg.define_asset_job(
    EVERYTHING,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(SUBJECT),
    executor_def=dg.in_process_executor,
    description="From the raw media to the registered model; what has not changed is not run.",
)

subjects = dg.define_asset_job(
    SUBJECTS,
    selection=dg.AssetSelection.assets(SUBJECT),
    partitions_def=LISTED,
    executor_def=dg.in_process_executor,
    description="The tokens of one subject, from its photographs; a backfill takes several.",
)
