"""What pretraining and fine-tuning share: load, train, save the adapter, report.

Pretraining starts a fresh adapter on pictures, fine-tuning continues the pretrained one on clips
(paper, section 3.3); all else is equal.
"""

import shutil
from pathlib import Path

import pandas as pd
import torch

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone, given_adapter, load_backbone
from mm_model.generation.clips import pipeline_of
from mm_model.nn.injection import table as injections
from mm_model.nn.injection.port import IdentityInjection, Wanted
from mm_model.records import TARGETS_COLUMNS, Counts
from mm_model.run import views
from mm_model.run.stage import Job, Report
from mm_model.settings import TrainSettings
from mm_model.store import digests, sealed, tables
from mm_model.store.atomic import write_json, written_aside
from mm_model.train import dataset
from mm_model.train.loop import Trainer
from mm_model.train.watch import Watcher

MILESTONES = "milestones"
"""Below a training stage's output: `step_<n>/adapter/`, as the adapter was after n steps."""


def milestone_folders(folder: Path) -> dict[int, Path]:
    """Kept adapters of a training stage's output by step."""
    return {int(p.name.removeprefix("step_")): p for p in sorted((folder / MILESTONES).glob("*"))}


def fresh_adapter(job: Job, backbone: Backbone) -> IdentityInjection:
    """A new adapter of the profile's preset, seeded.

    Raises:
        UserError: `face_perceiver: id_perceiver` asks for a copy whose sizes differ.
    """
    sizes = job.profile.model
    wanted = Wanted(
        preset=sizes.preset,
        attention=sizes.attention,
        ca_out_proj=sizes.ca_out_proj,
        face_perceiver=sizes.face_perceiver,
        reference_margin=sizes.reference_margin,
        backbone_id=backbone.folder.name,
    )
    return injections.of_preset(sizes.preset).fresh(
        backbone.transformer,
        backbone.identity_encoder,
        wanted,
        seed=job.profile.run.seed,
        dtype=torch.float32,
    )


def train(
    job: Job, settings: TrainSettings, num_frames: int, media: tuple[str, ...], start: Path | None
) -> Report:
    """Run one training stage; write `adapter/`, `targets.parquet`, `curve.parquet`, `samples/`.

    `start` is the output of the stage whose adapter is continued, or None for a fresh one.

    Raises:
        UserError: nobody, or too few, to learn from.
    """
    torch.set_num_threads(job.profile.run.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    backbone = load_backbone(job.model("backbone"), job.profile.run)
    adapter = (
        given_adapter(start, backbone, torch.float32) if start else fresh_adapter(job, backbone)
    )
    data = dataset.build(job, backbone, num_frames, media, adapter.config.reference_margin)
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
    _write_targets(job, data)
    people = len({target.identity for target in data.targets})
    job.say(
        f"{len(data)} targets of {people} people, {settings.steps} steps of {settings.batch_size}"
    )

    def watch(step: int) -> None:
        live = {"step": step, "steps": settings.steps, "curve": trainer.curve}
        views.attempt("live curve", lambda: write_json(job.work / "live.json", live))
        watcher(step)

    def keep(step: int) -> None:
        folder = job.work / "checkpoints" / MILESTONES / f"step_{step:06d}" / "adapter"
        adapter.save_pretrained(folder, stage=job.stage.name, step=step)
        sealed.seal(folder, job.fingerprint)

    curve = trainer.run(lambda metrics, step: job.tracker.log(metrics, step), watch, job.say, keep)
    adapter.save_pretrained(job.out / "adapter", stage=job.stage.name, step=settings.steps)
    for kept in sorted((job.work / "checkpoints" / MILESTONES).glob("step_*/adapter")):
        if flaw := sealed.flaw(kept, job.fingerprint):
            job.say(f"milestone {kept.parent.name} of the work folder {flaw}: it is left out")
        else:
            shutil.copytree(kept, job.out / MILESTONES / kept.parent.name / kept.name)
    frame = pd.DataFrame(curve).astype({"identity_cosine": float})
    with written_aside(job.out / "curve.parquet") as aside:
        frame.to_parquet(aside, index=False)
    return _report(job, settings, data, curve=frame, people=people, unreached=trainer.unreached())


def _refuse_few(job: Job, settings: TrainSettings, data: dataset.TrainingSet) -> None:
    """Before hours of work: the audit would not let so few targets pass."""
    if len(data) < settings.row_floor:
        raise UserError(
            f"There are {len(data)} targets to learn from, and {job.stage.name}.row_floor of the "
            f"profile asks for {settings.row_floor}: add photographs or clips to the sources, or "
            "lower it."
        )


def _write_targets(job: Job, data: dataset.TrainingSet) -> None:
    """Who is in the batches: every target that is drawn from."""
    rows = [
        {name: getattr(target, name) for name in TARGETS_COLUMNS[:-1]}
        | {"references": len(target.references)}
        for target in data.targets
    ]
    path = job.out / "targets.parquet"
    tables.write(path, rows, TARGETS_COLUMNS, {"references": "count"})


def _report(
    job: Job,
    settings: TrainSettings,
    data: dataset.TrainingSet,
    *,
    curve: pd.DataFrame,
    people: int,
    unreached: list[str],
) -> Report:
    tail = max(1, len(curve) // 10)
    notes = []
    if unreached:
        notes.append(
            f"{len(unreached)} trained tensors never received a gradient and stayed as "
            f"they began: {', '.join(unreached)}."
        )
    if people < 20:
        notes.append(
            f"only {people} people to learn from: the adapter will copy them rather than learn to "
            "follow a reference."
        )
    pictures = sorted(f"samples/{p.name}" for p in (job.out / "samples").glob("step_*.jpg"))
    last = [p for p in pictures if not p.endswith(".strip.jpg")][-1:]
    metrics = {
        "targets": len(data),
        "people": people,
        "steps": settings.steps,
        "loss_first": float(curve["loss_velocity"].head(tail).mean()),
        "loss_last": float(curve["loss_velocity"].tail(tail).mean()),
    }
    return Report(Counts(len(data), len(data)), metrics, tuple(last), tuple(notes))
