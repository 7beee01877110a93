"""Asset `evaluate`: the figures of the adapter on people no training saw.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("evaluate", group="release", kinds={"pytorch"}, pool="gpu"))
def evaluate(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "evaluate")
