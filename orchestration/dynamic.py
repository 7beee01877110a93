"""Partitions that come and go with what lies in the tree."""

from collections.abc import Collection

import dagster as dg

Requests = list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]


def changes(
    partitions: dg.DynamicPartitionsDefinition, names: Collection[str], instance: dg.DagsterInstance
) -> tuple[list[str], list[str]]:
    """Names to add and names to delete, so that there are partitions of `names` and no others."""
    known = instance.get_dynamic_partitions(partitions.name or "")
    new = [name for name in names if name not in known]
    return new, [name for name in known if name not in names]


def in_step(
    partitions: dg.DynamicPartitionsDefinition, names: Collection[str], instance: dg.DagsterInstance
) -> Requests:
    """The same as what a sensor is to ask for."""
    new, gone = changes(partitions, names, instance)
    asked: Requests = [partitions.build_add_request(new)] if new else []
    return [*asked, *([partitions.build_delete_request(gone)] if gone else [])]
