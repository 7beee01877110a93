"""Fine-tune the adapter on clips: the same person, now moving.

takes  precompute (clips), pretrain   and ingest and pairs, to look at held-out people
gives  adapter/, targets.parquet, curve.parquet, samples/
Paper, section 3.4, stage 2 (5K steps of 8 clips). Held-out people are only looked at.
"""

from mm_model.run.stage import Job, Report, Stage


def run(job: Job) -> Report:
    """Continue the pretrained adapter on clips."""
    from mm_model.precompute.names import CLIPS
    from mm_model.train.stage import train

    return train(job, job.profile.finetune, CLIPS, start=job.inputs["pretrain"])


STAGE = Stage(
    name="finetune",
    title="Adapter fine-tuned on clips",
    version=6,
    takes=("ingest", "pairs", "precompute", "pretrain"),
    sections=("run", "model", "finetune"),
    models=("backbone",),
    run=run,
)
