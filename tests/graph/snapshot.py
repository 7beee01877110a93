"""The graph as Dagster sees it, in words: `python -m tests.graph.snapshot` writes it anew.

A change of the graph shows as a change of `tests/graph/graph.txt`.
"""

from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from orchestration.definitions import defs

FILE = Path(__file__).with_name("graph.txt")


def _partitions(found: dg.PartitionsDefinition | None) -> str:
    """Their name, or all of them where they are fixed."""
    if isinstance(found, dg.StaticPartitionsDefinition):
        return ", ".join(found.get_partition_keys())
    return getattr(found, "name", None) or ""


def _asset(graph: AssetGraph, key: dg.AssetKey) -> str:
    node = graph.get(key)
    checks = ", ".join(sorted(check.name for check in graph.get_check_keys_for_assets({key})))
    said = {
        "group": node.group_name,
        "from": ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys)),
        "checks": checks,
        "pools": ", ".join(sorted(node.pools or ())),
        "partitions": _partitions(node.partitions_def),
        "kinds": ", ".join(sorted(node.kinds)),
    }
    lines = [f"  {name}: {text}" for name, text in said.items() if text]
    return "\n".join([f"asset {key.to_user_string()}", *lines])


def written() -> str:
    """Every asset, job, schedule and sensor."""
    graph = defs.resolve_asset_graph()
    repository = defs.get_repository_def()
    parts = [_asset(graph, key) for key in sorted(graph.get_all_asset_keys())]
    for job in sorted(repository.get_all_jobs(), key=lambda one: one.name):
        if not job.name.startswith("__"):
            steps = ", ".join(sorted(node.name for node in job.nodes))
            parts.append(f"job {job.name}\n  steps: {steps}")
    parts += [
        f"schedule {one.name}\n  at: {one.cron_schedule} {one.execution_timezone}\n"
        f"  job: {one.job_name}\n  by default: {one.default_status.value}"
        for one in sorted(repository.schedule_defs, key=lambda one: one.name)
    ]
    parts += [
        f"sensor {one.name}\n  every: {one.minimum_interval_seconds} s\n"
        f"  job: {one.job_name if one.has_jobs else 'none'}\n"
        f"  by default: {one.default_status.value}"
        for one in sorted(repository.sensor_defs, key=lambda one: one.name)
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    FILE.write_text(written())
