"""Asset `drop`: what came into the source folder together, a partition an arrival.

Recorded, never made: the stages take the whole folder, since people are told apart in all of it.
"""

import dagster as dg

DROPS = dg.DynamicPartitionsDefinition(name="drops")
DROP = "drop"

drop = dg.AssetSpec(
    DROP,
    group_name="inputs",
    deps=["raw"],
    partitions_def=DROPS,
    description="Files that came into the source folder together, and how many of them the stages "
    "kept, rejected or failed on.",
)
