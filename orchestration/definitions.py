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
)
from assets.graph import nodes
from mm_model.environment import silence_telemetry
from orchestration import code_version, home, resources
from orchestration.dvc_client import DvcStageClient
from orchestration.jobs import everything
from orchestration.schedules import nightly
from orchestration.sensors import new_media, outside_runs

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
)


def _versioned(spec: dg.AssetSpec, root: Path) -> dg.AssetSpec:
    name = spec.key.to_user_string()
    if name not in nodes():
        return spec
    return spec.replace_attributes(code_version=code_version.current(root, name))


def build(client: DvcStageClient) -> dg.Definitions:
    """The definitions for the tree of `client`.

    Raises:
        UserError: `params.yaml` or the profile there is not valid.
    """
    assets = dg.load_assets_from_modules(_MODULES)
    versioned = partial(_versioned, root=client.root)
    return dg.Definitions(
        assets=[
            asset.map_asset_specs(versioned) if isinstance(asset, dg.AssetsDefinition) else asset
            for asset in assets
        ],
        jobs=[everything],
        schedules=[nightly],
        sensors=[new_media, outside_runs],
        resources={"stages": resources.for_runs(client)},
        executor=dg.in_process_executor,
    )


silence_telemetry()
defs = build(resources.stages(home.root()))
