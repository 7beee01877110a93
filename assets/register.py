"""Asset `register`: the registered version, and the promotion decision.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("register", group="release", kinds={"mlflow"}))
def register(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "register")
