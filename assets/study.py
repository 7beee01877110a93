"""Asset `study`: comparisons of methods on drawn people, a partition a study and its size.

Runs the study of that partition; decides nothing.
"""

import dagster as dg

from assets.wiring import StageEvents, Stages
from mm_model.reproduce.tiers import TIERS

STUDY = "study"
STUDIES = dg.StaticPartitionsDefinition(
    [f"{study}|{tier}" for study, sizes in TIERS.items() for tier in sizes]
)


@dg.asset(
    name=STUDY,
    deps=["finetune"],
    group_name="studies",
    kinds={"pytorch"},
    pool="gpu",
    partitions_def=STUDIES,
    description="Methods compared on equal people, sentences and noise (methods), and Magic-Me's "
    "protocol with its ablations (protocol), each as large as its partition says.",
)
def study(context: dg.AssetExecutionContext, stages: Stages) -> StageEvents:
    yield from stages.study(context, context.partition_key)
