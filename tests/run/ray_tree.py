"""A small root for the tests on a Ray cluster, and its run without one."""

from pathlib import Path

import pytest

from benchmarks.tree import Tree, draw, draw_clips
from mm_model.run.pools.table import VARIABLE


def ray_tree(place: Path) -> Tree:
    """A root with two dozen drawn photographs and two clips, nothing of it run yet."""
    draw(place / "files", 0, 24, size=96)
    draw_clips(place / "files", 2, size=96, num_frames=9)
    made = Tree(place / "root")
    made.use(place / "files")
    made.set("ingest", min_side=64)
    return made


def run_alone(tree: Tree, *stages: str) -> None:
    """Run stages on one machine."""
    with pytest.MonkeyPatch.context() as usual:
        usual.setenv(VARIABLE, "local")
        tree.run(*stages)
