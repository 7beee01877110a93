"""The cluster of the tests on Ray: two nodes of one CPU each, started once a file."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.tree import Tree
from mm_model.run.pools import cluster, ray
from mm_model.run.pools.table import VARIABLE
from tests.run.ray_tree import ray_tree

SOON = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
}
"""A node that is gone is missed soon."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """The cluster; its first node is the one that this process joins."""
    made = cluster.library("ray.cluster_utils").Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": SOON},
    )
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()


@pytest.fixture
def on_ray(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pools are of the cluster; at the end nothing of them is left open."""
    monkeypatch.setenv(VARIABLE, "ray")
    monkeypatch.setenv(cluster.ADDRESS, nodes.address)
    yield
    assert cluster._users == 0 and ray._open == []


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A small root of the file's own."""
    return ray_tree(tmp_path_factory.mktemp("ray"))
