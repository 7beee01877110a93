"""What the asset files share: the port to whatever runs a stage, and a stage's description.

Holds no asset, and never runs anything itself.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import dagster as dg

from assets import graph
from mm_model.run import stages

AUDIT, CODE, GOALS = "audit", "code", "goals"
JUDGED = "evaluate"
"""The stage whose output is held against goals."""
_CHECKS = {
    AUDIT: "The suite this stage's output passed before it was published.",
    CODE: "Whether the code that lies here now made this stage's output.",
    GOALS: "Whether the candidate passes what every release must.",
}
StageEvents = Iterator[dg.AssetCheckResult | dg.MaterializeResult]


class StageRunner(Protocol):
    """Runs stages and says which version of an input lies there now."""

    def run(self, context: dg.AssetExecutionContext, stage: str) -> StageEvents:
        """Run one stage to its end; yield its checks and its result, or raise `dg.Failure`."""
        ...

    def study(self, context: dg.AssetExecutionContext, key: str) -> StageEvents:
        """Run one study at one size, as in `protocol|quick`; yield its result, or raise."""
        ...

    def input_version(self, asset: str) -> dg.DataVersion:
        """Version of one of the inputs that `params.yaml` names."""
        ...


Stages = dg.ResourceParam[StageRunner]


def stage_asset(
    name: str, *, group: str, kinds: set[str], pool: str | None = None
) -> dict[str, Any]:
    """Arguments of `dg.asset` for the stage `name`: its edges from `dvc.yaml`, its title and code
    version from the stage itself.
    """
    stage = stages.load(name)
    return {
        "name": name,
        "deps": list(graph.node(name).parents),
        "group_name": group,
        "kinds": {"dvc", *kinds},
        "description": stage.title,
        "code_version": str(stage.version),
        "pool": pool,
        "check_specs": [
            dg.AssetCheckSpec(check, asset=name, description=said)
            for check, said in _CHECKS.items()
            if check != GOALS or name == JUDGED
        ],
    }
