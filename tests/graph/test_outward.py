"""What a stage mends outside the tree is told to DVC, so that the next run finds nothing to do."""

from __future__ import annotations

from typing import Any

import dagster as dg

from orchestration import definitions, jobs
from orchestration.dvc_client import DvcStageClient
from orchestration.outcome import Outcome
from tests.graph.conftest import Tree


class Mending(DvcStageClient):
    """A client whose stage `register` finds the outside world changed, once: it says so in its
    output, which DVC knows otherwise."""

    asked = 0

    def _ask_the_stage(self, context: dg.AssetExecutionContext, outcome: Outcome) -> bool:
        self.asked += 1
        if self.asked > 1:
            return True
        (self.root / "data" / "tiny" / "register" / "result.txt").write_text("version 2\n")
        return False


def run(tree: Tree, client: DvcStageClient) -> dict[str, str]:
    job = definitions.build(client).resolve_job_def(jobs.EVERYTHING)
    client.look()
    done: Any = job.execute_in_process(instance=tree.instance, raise_on_error=False)
    client.leave()
    assert done.success
    return {outcome.stage: outcome.how for outcome in client.finished}


def test_a_mended_registration_is_told_to_dvc(done: Tree) -> None:
    client = Mending(done.root, views=())
    assert run(done, client)["register"] == "computed"
    assert done.executed() == ["register"]
    assert done.is_clean()
    client.finished.clear()
    assert run(done, client)["register"] == "unchanged"
    assert done.executed() == []
