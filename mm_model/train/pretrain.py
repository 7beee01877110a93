"""Pretrain the adapter on pictures: who a person is, before how they move.

takes  ingest, faces, pairs   kept pairs of the training split: photographs and one frame a clip
gives  adapter/, targets.parquet, curve.parquet, samples/
Paper, section 3.3, stage 1 (30K steps of 64 images). Held-out people are only looked at.
"""

from mm_model.run.stage import Job, Report, Stage


def run(job: Job) -> Report:
    """Train a fresh adapter on single frames."""
    from mm_model.train.stage import train

    return train(job, job.profile.pretrain, num_frames=1, media=("image", "clip"), start=None)


STAGE = Stage(
    name="pretrain",
    title="Adapter pretrained on pictures",
    version=5,
    takes=("ingest", "faces", "pairs"),
    sections=("run", "model", "pretrain"),
    models=("backbone",),
    run=run,
)
