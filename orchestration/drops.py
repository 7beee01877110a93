"""Source drops as partitions of Dagster: what came into the source folder together, and what the
stages made of it.

The sensor is on: a tick reads three small files. Only when a stage that decides on files has run
since the last look are the folder listed and its tables read, in a process of their own.
"""

import json
import sys

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from assets.drop import DROP, DROPS
from mm_model.errors import UserError
from mm_model.rows import Row
from mm_model.settings import load_params
from mm_model.store import digests, manifest
from mm_model.store.layout import Layout
from orchestration import dynamic, runs
from orchestration.dvc_client import DvcStageClient
from orchestration.dvc_command import ran

Stages = dg.ResourceParam[DvcStageClient]
_DECIDING = ("sources", "ingest", "faces")


def _outputs(layout: Layout) -> str:
    """A name of what the deciding stages published."""
    found = [layout.output(stage) / manifest.NAME for stage in _DECIDING]
    return digests.of_value([digests.of_file(path) if path.is_file() else "" for path in found])


def _found(stages: DvcStageClient) -> list[Row]:
    """The drops, as `python -m mm_model drops` tells them.

    Raises:
        UserError: it cannot tell.
    """
    done = ran([sys.executable, "-m", "mm_model", "drops", "--json"], stages.root)
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        raise UserError(f"The drops cannot be told: {said.removeprefix('Stopped: ')}")
    rows: list[Row] = json.loads(done.stdout)
    return rows


def _version(drop: Row) -> str:
    return digests.of_value(drop)[:40]


def _event(drop: Row) -> dg.AssetMaterialization:
    reasons = [
        f"| {status} | {reason} | {number} |"
        for status in ("rejected", "failed")
        for reason, number in sorted(drop[status].items())
    ]
    table = "\n".join(["| status | reason | files |", "|---|---|---|", *reasons])
    return dg.AssetMaterialization(
        DROP,
        partition=drop["key"],
        tags={DATA_VERSION_TAG: _version(drop)},
        metadata={
            "files": drop["files"],
            "bytes": drop["bytes"],
            "came from": dg.MetadataValue.timestamp(drop["first"]),
            "to": dg.MetadataValue.timestamp(drop["last"]),
            "kept": drop["kept"],
            "rejected": sum(drop["rejected"].values()),
            "failed": sum(drop["failed"].values()),
            "not read yet": drop["waiting"],
            "beside (captions, lists, archives)": drop["beside"],
            **({"reasons": dg.MetadataValue.md(table)} if reasons else {}),
        },
    )


def _recorded(instance: dg.DagsterInstance, key: str) -> str | None:
    """The version of a drop as it was last recorded."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(DROP), asset_partitions=[key])
    for record in instance.fetch_materializations(wanted, limit=1).records:
        made = record.asset_materialization
        return (made.tags or {}).get(DATA_VERSION_TAG) if made else None
    return None


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Gives each arrival of files in the source folder its partition, with what the "
    "stages kept and rejected of it, and takes away that of one that is gone.",
)
def source_drops(
    context: dg.SensorEvaluationContext, stages: Stages
) -> dg.SensorResult | dg.SkipReason:
    """Record the drops whose account is another than before."""
    try:
        params = load_params(stages.root)
        if not (stages.root / params.sources).is_dir():
            return dg.SkipReason(f"{params.sources} is not a folder: nothing arrives there.")
        cursor = _outputs(Layout(stages.root, params.profile))
        if cursor == context.cursor:
            return dg.SkipReason("No stage decided on a file since the last look.")
        if runs.under_way(context.instance):
            return dg.SkipReason("A run is going on; what came is told after it.")
        found = {str(drop["key"]): drop for drop in _found(stages)}
    except UserError as error:
        return dg.SkipReason(str(error))
    events = [
        _event(drop)
        for key, drop in found.items()
        if _recorded(context.instance, key) != _version(drop)
    ]
    return dg.SensorResult(
        skip_reason=f"{len(events)} arrivals have another account than before.",
        dynamic_partitions_requests=dynamic.in_step(DROPS, found, context.instance),
        asset_events=events,
        cursor=cursor,
    )
