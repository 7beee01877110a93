"""What each process of a training does: load, train, and, if it is the first, save."""

from pathlib import Path

import pandas as pd
import torch

from mm_model.generation.backbone import given_adapter, load_backbone
from mm_model.generation.clips import pipeline_of
from mm_model.planning.shapes import shape_of
from mm_model.run import views
from mm_model.run.stage import Job
from mm_model.settings import TrainSettings
from mm_model.settings.device import settle
from mm_model.store import digests
from mm_model.store.atomic import write_json, written_aside
from mm_model.train import milestones
from mm_model.train.loop import Trainer, Watch
from mm_model.train.processes import Processes
from mm_model.train.shards import ShardSet
from mm_model.train.start import fresh_adapter
from mm_model.train.watch import Watcher


def learn(
    job: Job, settings: TrainSettings, data: ShardSet, start: Path | None, processes: Processes
) -> list[str]:
    """Train on `data`; the first process writes `adapter/`, `curve.parquet` and `samples/`.

    `start` is the output of the stage whose adapter is continued, or None for a fresh one. Returns
    the names of trained tensors that no gradient reached.

    Raises:
        UserError: a sample cannot be read, or a step has no finite loss.
    """
    torch.set_num_threads(max(1, job.profile.run.threads // processes.count))
    backbone = load_backbone(job.model("backbone"), job.profile.run)
    settle(backbone.device)
    adapter = (
        given_adapter(start, backbone, torch.float32) if start else fresh_adapter(job, backbone)
    )
    watcher = Watcher(job, backbone, pipeline_of(backbone, adapter), settings, processes)
    seed = int(digests.of_value([job.profile.run.seed, job.stage.name])[:12], 16)
    trainer = Trainer(
        backbone,
        adapter,
        data,
        settings,
        seed=seed,
        fingerprint=job.fingerprint,
        checkpoints=job.work / "checkpoints",
        processes=processes,
        tflop=_tflop(job, settings, data),
    )

    watch, keep = _watching(job, trainer, watcher), _keeping(job, trainer)
    say = job.say if processes.is_first else _nothing
    curve = trainer.run(job.tracker.log, watch, say, keep)
    unreached = trainer.unreached()
    with trainer.shown():
        state = processes.full_state(adapter)
        if processes.is_first:
            step = settings.steps
            adapter.save_pretrained(job.out / "adapter", state, stage=job.stage.name, step=step)
    if processes.is_first:
        milestones.hand_over(job)
        frame = pd.DataFrame(curve).astype({"identity_cosine": float})
        with written_aside(job.out / "curve.parquet") as aside:
            frame.to_parquet(aside, index=False)
    processes.wait()
    return unreached


def _watching(job: Job, trainer: Trainer, watcher: Watcher) -> Watch:
    """Makes the samples after a step, and lets the live curve grow."""
    at = trainer.processes

    def watch(step: int) -> None:
        live = {"step": step, "steps": trainer.settings.steps, "curve": trainer.curve}
        if at.is_first:
            views.attempt("live curve", lambda: write_json(job.work / "live.json", live))
        with trainer.shown(), at.whole(trainer.model):
            watcher(step)

    return watch


def _keeping(job: Job, trainer: Trainer) -> Watch:
    """Keeps the adapter of a milestone."""
    at, adapter = trainer.processes, trainer.adapter

    def keep(step: int) -> None:
        with trainer.shown():
            state = at.full_state(adapter)
            if at.is_first:
                milestones.keep(job, adapter, state, step)
        at.wait()

    return keep


def _tflop(job: Job, settings: TrainSettings, data: ShardSet) -> float:
    """Work of one sample's forward and backward pass through the transformer."""
    shape = shape_of(job.profile.model, job.model("backbone"))
    frames = 1 + (data.latent_shape[0] - 1) * shape.squeeze
    return shape.trained_sample(frames, settings.gradient_checkpointing)


def _nothing(text: str) -> None:
    """Others than the first process say nothing."""
