"""What the assets are given: the client that runs stages of one tree.

The tree is the one this file lies in, or `MM_ROOT`; there is no other knob, so that a run from
Dagster's page cannot differ from `dvc repro`.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg

from orchestration import automation, runs
from orchestration.dvc_client import DvcStageClient

_LOG = logging.getLogger(__name__)


def stages(tree: Path, echo: Callable[[str], None] | None = None) -> DvcStageClient:
    """The resource `stages` for `tree`; `echo` also receives each line a stage prints."""
    return DvcStageClient(tree, echo=echo)


def for_runs(client: DvcStageClient) -> dg.ResourceDefinition:
    """The resource as a run gets it: a run of stages waits for those that Dagster started before,
    and its end gives the tree free. A run that touches no stage waits for nobody."""

    @dg.resource(description="Runs one stage of this tree through DVC.")
    def lent(context: dg.InitResourceContext) -> Iterator[DvcStageClient]:
        try:
            run, instance = context.dagster_run, context.instance
            if run is not None and instance is not None and not runs.is_beside(run):
                runs.claim(instance, run.run_id)
                automation.keep(client.root, run, instance)
                client.come((context.log or _LOG).info)
            yield client
        finally:
            client.leave()

    return lent
