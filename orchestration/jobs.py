"""Named selections of the graph. Every job runs in one process, since each stage is its own."""

import dagster as dg

from assets.graph import SUBJECT
from assets.subject import SUBJECTS as LISTED

EVERYTHING, SUBJECTS = "everything", "subjects"
_TREE = {"magic_mirror/tree": "whole"}
"""By this tag Dagster's queue lets one of them go on at a time (`dagster.yaml`)."""

everything = dg.define_asset_job(
    EVERYTHING,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(SUBJECT),
    executor_def=dg.in_process_executor,
    tags=_TREE,
    description="From the raw media to the registered model; what has not changed is not run.",
)

subjects = dg.define_asset_job(
    SUBJECTS,
    selection=dg.AssetSelection.assets(SUBJECT),
    partitions_def=LISTED,
    executor_def=dg.in_process_executor,
    tags=_TREE,
    description="The tokens of one subject, from its photographs; a backfill takes several.",
)
