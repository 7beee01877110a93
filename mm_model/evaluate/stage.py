"""Evaluate on held-out people: base, after pretraining, after fine-tuning, and the controls.

takes  ingest, faces, pairs, pretrain, finetune
gives  cells.parquet (one row per clip), judged.parquet (one row per clip and judge),
       people.parquet (their pictures), metrics.json, figures.json, plots/, videos/, strips/
Identity comes from judges, recognisers that no loss, filter or conditioning ever used, against
pictures that were not shown to the model; the headline is by the best outsider on the shelf.
Every change of the code that would be served is measured anew: a release is what was evaluated.
"""

from collections.abc import Sequence

from mm_model.records import Bound
from mm_model.run.stage import Job, Report, Stage
from mm_model.serving import code


def run(job: Job) -> Report:
    """Generate, look, measure, summarise."""
    from mm_model.evaluate.study import run_study

    return run_study(job)


def bounds() -> Sequence[Bound]:
    """What the metrics say of their columns."""
    from mm_model.metrics import table

    return table.bounds()


STAGE = Stage(
    name="evaluate",
    title="Scores on held-out people",
    version=7,
    takes=("ingest", "faces", "pairs", "pretrain", "finetune"),
    sections=("run", "model", "faces", "evaluate"),
    models=("backbone", "facepack", "judge", "judges"),
    run=run,
    code=code.digest,
    bounds=bounds,
)
