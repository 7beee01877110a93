"""Named selections of the graph. Every job runs in one process, since each stage is its own."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.graph import SUBJECT
from assets.study import STUDIES as SIZES
from assets.study import STUDY
from assets.subject import SUBJECTS as LISTED
from mm_model.settings import AutomationSettings
from orchestration import automation

EVERYTHING, SUBJECTS, STUDIES = "everything", "subjects", "studies"
_TREE = {"magic_mirror/tree": "whole"}
"""By this tag Dagster's queue lets one of them go on at a time (`dagster.yaml`)."""


def everything(said: AutomationSettings) -> UnresolvedAssetJobDefinition:
    """The job that makes all but the listed subjects and the studies."""
    return dg.define_asset_job(
        EVERYTHING,
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(SUBJECT, STUDY),
        executor_def=dg.in_process_executor,
        op_retry_policy=automation.again(said),
        tags=_TREE,
        description="From the raw media to the registered model; what has not changed is not run.",
    )


def subjects(said: AutomationSettings) -> UnresolvedAssetJobDefinition:
    """The job that learns a listed subject."""
    return dg.define_asset_job(
        SUBJECTS,
        selection=dg.AssetSelection.assets(SUBJECT),
        partitions_def=LISTED,
        executor_def=dg.in_process_executor,
        op_retry_policy=automation.again(said),
        tags=_TREE,
        description="The tokens of one subject, from its photographs; a backfill takes several.",
    )


def studies(said: AutomationSettings) -> UnresolvedAssetJobDefinition:
    """The job that runs a study at a size."""
    return dg.define_asset_job(
        STUDIES,
        selection=dg.AssetSelection.assets(STUDY),
        partitions_def=SIZES,
        executor_def=dg.in_process_executor,
        op_retry_policy=automation.again(said),
        tags=_TREE,
        description="Methods compared on drawn people, at one size; a backfill takes several.",
    )
