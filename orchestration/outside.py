"""What an outside `dvc repro` did, as events that bring Dagster's books up to date.

Compares `dvc.lock` with the latest events and reports only what differs. Runs nothing but
`dvc status`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from assets import graph
from assets.graph import INPUT_ASSETS
from mm_model.run import stages
from mm_model.settings import Params, load_params
from mm_model.store.layout import Layout
from orchestration import by_code, code_version, dvc_lock, judged, listing, rendering
from orchestration.dvc_client import DvcStageClient
from orchestration.dvc_command import status
from orchestration.listing import Listing
from orchestration.observed_inputs import observation, recorded_version

Event = dg.AssetObservation | dg.AssetMaterialization | dg.AssetCheckEvaluation
_LATER = Listing("changed after the run that used it", ())


def _used(
    root: Path,
    stage: str,
    params: Params,
    changes: Mapping[str, Any],
    inputs: Mapping[str, Listing],
) -> dict[str, Listing]:
    """The listings the locked run of `stage` used: today's, unless DVC says the input changed."""
    changed = changes.get(stage, {}).get("changed deps", {})
    later = {
        INPUT_ASSETS[model]: _LATER
        for model in graph.node(stage).models
        if getattr(params, model) in changed
    }
    if graph.partition(stage):
        folder = stages.given(stage, root)["folder"]
        there = _LATER if folder in changed else listing.of(root / folder)
        later[graph.PHOTOGRAPHS] = there
    return {**inputs, **later}


def latest(instance: dg.DagsterInstance, stage: str) -> dg.AssetMaterialization | None:
    """The newest materialization of a stage that Dagster recorded, of a subject its own."""
    record = latest_record(instance, stage)
    return record.asset_materialization if record else None


def latest_record(instance: dg.DagsterInstance, stage: str) -> dg.EventLogRecord | None:
    """The same as Dagster's record, whose number no other has."""
    part = graph.partition(stage)
    wanted = dg.AssetRecordsFilter(
        dg.AssetKey(graph.asset(stage)), asset_partitions=[part] if part else None
    )
    return next(iter(instance.fetch_materializations(wanted, limit=1).records), None)


def _is_recorded(
    instance: dg.DagsterInstance,
    stage: str,
    tags: Mapping[str, str],
    used: Mapping[str, Listing],
) -> bool:
    """Whether the latest record says these tags. Of an input that changed since, only the record
    can tell how it was."""
    made = latest(instance, stage)
    known = (made.tags or {}) if made else {}
    unknown = dvc_lock.tags_of_inputs(name for name in used if used[name] is _LATER)
    return all(known.get(name) == value for name, value in tags.items() if name not in unknown)


def events(instance: dg.DagsterInstance, client: DvcStageClient) -> Iterator[Event]:
    """Observations of the inputs first, then each stage whose result Dagster has not recorded, then
    the stages that other code made than Dagster knows of.

    Raises:
        UserError: `params.yaml` is not valid, or DVC cannot tell its status.
    """
    params = load_params(client.root)
    layout = Layout(client.root, params.profile)
    entries = dvc_lock.entries(client.root, params.profile)
    changes, inputs = status(client.root), client.inputs()
    if entries:
        for asset, found in inputs.items():
            if found.digest != recorded_version(instance, asset):
                yield observation(asset, found.digest)
    for stage, entry in entries.items():
        output = layout.output(stage)
        made_by = code_version.of_output(output)
        if made_by is None or "changed outs" in changes.get(stage, {}):
            continue
        used = _used(client.root, stage, params, changes, inputs)
        tags = dvc_lock.version_tags(entry, made_by, client.root, used)
        if not _is_recorded(instance, stage, tags, used):
            metadata = rendering.report_metadata(layout, stage)
            yield dg.AssetMaterialization(
                graph.asset(stage),
                metadata={"how": "outside Dagster", **metadata},
                tags=tags,
                partition=graph.partition(stage),
            )
            yield rendering.check_evaluation(layout, stage, output / "audit.json")
            yield from judged.check_evaluations(layout, stage)
    whole = [stage for stage in entries if graph.partition(stage) is None]  # one check an asset
    yield from by_code.news(instance, layout, whole, client.package)
