"""Asset `sources`: the inventory of every file that was given, with consent and split.

Runs the stage of that name; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages, stage_asset


@dg.asset(**stage_asset("sources", group="data", kinds={"parquet"}))
def sources(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.run(context, "sources")
