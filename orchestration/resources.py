"""What the assets are given: the client that runs stages of one tree.

The tree is the one this file lies in, or `MM_ROOT`; there is no other knob, so that a run from
Dagster's page cannot differ from `dvc repro`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg

from orchestration.dvc_client import DvcStageClient


def stages(tree: Path, echo: Callable[[str], None] | None = None) -> DvcStageClient:
    """The resource `stages` for `tree`; `echo` also receives each line a stage prints."""
    return DvcStageClient(tree, echo=echo)


def for_runs(client: DvcStageClient) -> dg.ResourceDefinition:
    """The resource as a run gets it: the run's end gives the tree free."""

    @dg.resource(description="Runs one stage of this tree through DVC.")
    def lent(_: dg.InitResourceContext) -> Iterator[DvcStageClient]:
        try:
            yield client
        finally:
            client.leave()

    return lent
