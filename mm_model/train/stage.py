"""What pretraining and fine-tuning share: data, processes that learn from it, report.

Pretraining starts a fresh adapter on pictures, fine-tuning continues the pretrained one on clips
(paper, section 3.4); all else is equal.
"""

from pathlib import Path

from mm_model.errors import UserError
from mm_model.run.stage import Job, Report
from mm_model.settings import TrainSettings
from mm_model.settings.device import device_of
from mm_model.store import tables
from mm_model.train import launch
from mm_model.train.learn import learn
from mm_model.train.processes import Processes
from mm_model.train.report import report_of, write_targets
from mm_model.train.shards import ShardSet
from mm_model.train.source import source_of


def train(job: Job, settings: TrainSettings, samples: str, start: Path | None) -> Report:
    """Run one training stage; write `adapter/`, `targets.parquet`, `curve.parquet`, `samples/`.

    `samples` is the set of `precompute` that it learns from; `start` the output of the stage whose
    adapter is continued, or None for a fresh one.

    Raises:
        UserError: nobody, or too few, to learn from.
    """
    run, folder = job.profile.run, job.inputs["precompute"]
    number, sharding = launch.wanted(run, settings.streams), launch.sharding()
    data = ShardSet(folder, samples, source_of(job.layout.root, folder, samples))
    _refuse_few(job, settings, data)
    write_targets(job, data)
    steps = f"{settings.steps} steps of {settings.batch_size}"
    job.say(f"{len(data)} targets of {data.people} people, {steps}")
    if number > 1:
        unreached = launch.train_together(job, samples, start, number, sharding)
    else:
        unreached = learn(job, settings, data, start, Processes(device_of(run)))
    curve = tables.read(job.out / "curve.parquet")
    return report_of(job, settings, data, curve=curve, unreached=unreached)


def _refuse_few(job: Job, settings: TrainSettings, data: ShardSet) -> None:
    """Before hours of work: the audit would not let so few targets pass, nor can streams share too
    few shards."""
    if not len(data):
        raise UserError(
            f"There is no kept training pair for the set '{data.name}': add such files to the "
            "sources, or lower pairs.cosine_above in the profile."
        )
    if len(data) < settings.row_floor:
        raise UserError(
            f"There are {len(data)} targets to learn from, and {job.stage.name}.row_floor of the "
            f"profile asks for {settings.row_floor}: add photographs or clips to the sources, or "
            "lower it."
        )
    data.streams(settings.streams, settings.shuffle_shards, 0)
