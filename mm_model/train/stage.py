"""What pretraining and fine-tuning share: load, train, save the adapter, report.

Pretraining starts a fresh adapter on pictures, fine-tuning continues the pretrained one on clips
(paper, section 3.3); all else is equal.
"""

from pathlib import Path

import pandas as pd
import torch

from mm_model.errors import UserError
from mm_model.generation.backbone import given_adapter, load_backbone
from mm_model.generation.clips import pipeline_of
from mm_model.run import views
from mm_model.run.stage import Job, Report
from mm_model.settings import TrainSettings
from mm_model.store import digests
from mm_model.store.atomic import write_json, written_aside
from mm_model.train import milestones
from mm_model.train.loop import Trainer
from mm_model.train.report import report_of, write_targets
from mm_model.train.shards import ShardSet
from mm_model.train.source import source_of
from mm_model.train.start import fresh_adapter
from mm_model.train.watch import Watcher


def train(job: Job, settings: TrainSettings, samples: str, start: Path | None) -> Report:
    """Run one training stage; write `adapter/`, `targets.parquet`, `curve.parquet`, `samples/`.

    `samples` is the set of `precompute` that it learns from; `start` the output of the stage whose
    adapter is continued, or None for a fresh one.

    Raises:
        UserError: nobody, or too few, to learn from.
    """
    torch.set_num_threads(job.profile.run.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    backbone = load_backbone(job.model("backbone"), job.profile.run)
    adapter = (
        given_adapter(start, backbone, torch.float32) if start else fresh_adapter(job, backbone)
    )
    folder = job.inputs["precompute"]
    data = ShardSet(folder, samples, source_of(job.layout.root, folder, samples))
    _refuse_few(job, settings, data)
    watcher = Watcher(job, backbone, pipeline_of(backbone, adapter), settings)
    seed = int(digests.of_value([job.profile.run.seed, job.stage.name])[:12], 16)
    trainer = Trainer(
        backbone,
        adapter,
        data,
        settings,
        seed=seed,
        fingerprint=job.fingerprint,
        checkpoints=job.work / "checkpoints",
    )
    write_targets(job, data)
    steps = f"{settings.steps} steps of {settings.batch_size}"
    job.say(f"{len(data)} targets of {data.people} people, {steps}")

    def watch(step: int) -> None:
        live = {"step": step, "steps": settings.steps, "curve": trainer.curve}
        views.attempt("live curve", lambda: write_json(job.work / "live.json", live))
        watcher(step)

    curve = trainer.run(
        lambda metrics, step: job.tracker.log(metrics, step),
        watch,
        job.say,
        lambda step: milestones.keep(job, adapter, step),
    )
    adapter.save_pretrained(job.out / "adapter", stage=job.stage.name, step=settings.steps)
    milestones.hand_over(job)
    frame = pd.DataFrame(curve).astype({"identity_cosine": float})
    with written_aside(job.out / "curve.parquet") as aside:
        frame.to_parquet(aside, index=False)
    return report_of(job, settings, data, curve=frame, unreached=trainer.unreached())


def _refuse_few(job: Job, settings: TrainSettings, data: ShardSet) -> None:
    """Before hours of work: the audit would not let so few targets pass."""
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
