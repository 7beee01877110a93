"""Which version of an input lay there, as Dagster records it."""

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG


def observation(asset: str, version: str) -> dg.AssetObservation:
    """An event that records which version of an input lies there."""
    return dg.AssetObservation(asset, tags={DATA_VERSION_TAG: version})


def recorded_version(instance: dg.DagsterInstance, asset: str) -> str | None:
    """Version of an input as last observed; None when it never was."""
    records = instance.fetch_observations(dg.AssetKey(asset), limit=1).records
    event = records[0].asset_observation if records else None
    return event.tags.get(DATA_VERSION_TAG) if event and event.tags else None
