"""Asset `faces`: samples that show exactly one usable face, tracked and named by identity.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("faces", group="data", kinds={"parquet"}))
def faces(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "faces")
