"""Adapters that a training keeps on its way, as they were after so many steps."""

import shutil
from pathlib import Path

from torch import Tensor

from mm_model.nn.injection.port import IdentityInjection
from mm_model.run.stage import Job
from mm_model.store import sealed

MILESTONES = "milestones"
"""Below a training stage's output: `step_<n>/adapter/`, as the adapter was after n steps."""


def milestone_folders(folder: Path) -> dict[int, Path]:
    """Earlier adapters of a training stage's output by step."""
    return {int(p.name.removeprefix("step_")): p for p in sorted((folder / MILESTONES).glob("*"))}


def keep(job: Job, adapter: IdentityInjection, state: dict[str, Tensor], step: int) -> None:
    """Save the adapter as it is after `step` steps, sealed, in the work folder; `state` is all of
    its tensors."""
    folder = job.work / "checkpoints" / MILESTONES / f"step_{step:06d}" / "adapter"
    adapter.save_pretrained(folder, state, stage=job.stage.name, step=step)
    sealed.seal(folder, job.fingerprint)


def hand_over(job: Job) -> None:
    """Copy what was kept into the output; what is not whole any more is left out, and said."""
    for kept in sorted((job.work / "checkpoints" / MILESTONES).glob("step_*/adapter")):
        if flaw := sealed.flaw(kept, job.fingerprint):
            job.say(f"milestone {kept.parent.name} of the work folder {flaw}: it is left out")
        else:
            shutil.copytree(kept, job.out / MILESTONES / kept.parent.name / kept.name)
