"""Everything Dagster is to know, for `workspace.yaml` and for `-m orchestration.definitions`.

Loads no torch, MLflow, diffusers or Great Expectations: every process of Dagster imports this.
"""

from functools import partial

import dagster as dg

from assets import (
    drop,
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
    study,
    subject,
)
from assets.graph import SUBJECT, nodes
from mm_model.environment import silence_telemetry
from mm_model.settings import Profile, load_params, load_profile
from orchestration import (
    automation,
    code_version,
    home,
    jobs,
    release_jobs,
    resources,
    schedules,
)
from orchestration.drops import source_drops
from orchestration.dvc_client import DvcStageClient
from orchestration.sensors import new_media, outside_runs
from orchestration.subjects import listed_subjects, new_photographs
from orchestration.watching import RELEASE, failed_runs, overdue

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
    study,
    drop,
)


def _versioned(spec: dg.AssetSpec, profile: Profile) -> dg.AssetSpec:
    name = spec.key.to_user_string()
    if name not in (*nodes(), SUBJECT):
        return spec
    spec = spec.replace_attributes(code_version=code_version.current(profile, name))
    fresh = automation.freshness(profile.automation) if name == RELEASE else None
    return spec.replace_attributes(freshness_policy=fresh) if fresh else spec


def build(client: DvcStageClient) -> dg.Definitions:
    """The definitions for the tree of `client`.

    Raises:
        UserError: `params.yaml` or the profile there is not valid.
    """
    profile = load_profile(client.root, load_params(client.root).profile)
    said = profile.automation
    assets = dg.load_assets_from_modules(_MODULES, include_specs=True)
    versioned = partial(_versioned, profile=profile)
    return dg.Definitions(
        assets=[
            asset.map_asset_specs(versioned) if isinstance(asset, dg.AssetsDefinition) else asset
            for asset in assets
        ],
        jobs=[jobs.everything(said), jobs.subjects(said), jobs.studies(said), *release_jobs.JOBS],
        schedules=[schedules.nightly(said)],
        sensors=[
            *(new_media, outside_runs, listed_subjects, new_photographs, source_drops),
            *(failed_runs, overdue),
        ],
        resources={"stages": resources.for_runs(client)},
        executor=dg.in_process_executor,
    )


silence_telemetry()
defs = build(resources.stages(home.root()))
