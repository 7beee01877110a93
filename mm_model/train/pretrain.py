"""Pretrain the adapter on pictures: who a person is, before how they move.

takes  precompute (pictures: photographs and one frame a clip)   and ingest and pairs, to look at
       held-out people
gives  adapter/, targets.parquet, curve.parquet, samples/
Paper, section 3.4, stage 1 (30K steps of 64 images). Held-out people are only looked at.
"""

from mm_model.run.stage import Job, Report, Stage


def run(job: Job) -> Report:
    """Train a fresh adapter on single frames."""
    from mm_model.precompute.names import PICTURES
    from mm_model.train.stage import train

    return train(job, job.profile.pretrain, PICTURES, start=None)


STAGE = Stage(
    name="pretrain",
    title="Adapter pretrained on pictures",
    version=6,
    takes=("ingest", "pairs", "precompute"),
    sections=("run", "model", "pretrain"),
    models=("backbone",),
    run=run,
)
