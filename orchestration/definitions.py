"""Everything Dagster is to know, for `workspace.yaml` and for `-m orchestration.definitions`.

Loads no torch, MLflow, diffusers or Great Expectations: every process of Dagster imports this.
"""

from functools import partial
from pathlib import Path

import dagster as dg

from assets import (
    evaluate,
    faces,
    finetune,
    ingest,
    inputs,
    pairs,
    precompute,
    pretrain,
    register,
    sources,
    subject,
)
from assets.graph import SUBJECT, nodes
from mm_model.environment import silence_telemetry
from orchestration import code_version, home, release_jobs, resources
from orchestration.dvc_client import DvcStageClient
from orchestration.jobs import everything, subjects
from orchestration.schedules import nightly
from orchestration.sensors import new_media, outside_runs
from orchestration.subjects import listed_subjects, new_photographs

_MODULES = (
    inputs,
    sources,
    ingest,
    faces,
    pairs,
    precompute,
    pretrain,
    finetune,
    evaluate,
    register,
    subject,
)


def _versioned(spec: dg.AssetSpec, root: Path) -> dg.AssetSpec:
    name = spec.key.to_user_string()
    if name not in (*nodes(), SUBJECT):
        return spec
    return spec.replace_attributes(code_version=code_version.current(root, name))


def build(client: DvcStageClient) -> dg.Definitions:
    """The definitions for the tree of `client`.

    Raises:
        UserError: `params.yaml` or the profile there is not valid.
    """
    assets = dg.load_assets_from_modules(_MODULES, include_specs=True)
    versioned = partial(_versioned, root=client.root)
    return dg.Definitions(
        assets=[
            asset.map_asset_specs(versioned) if isinstance(asset, dg.AssetsDefinition) else asset
            for asset in assets
        ],
        jobs=[everything, subjects, *release_jobs.JOBS],
        schedules=[nightly],
        sensors=[new_media, outside_runs, listed_subjects, new_photographs],
        resources={"stages": resources.for_runs(client)},
        executor=dg.in_process_executor,
    )


silence_telemetry()
defs = build(resources.stages(home.root()))
