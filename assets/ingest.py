"""Asset `ingest`: which raw files are usable, and verified copies of those.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("ingest", group="data", kinds={"parquet"}))
def ingest(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "ingest")
