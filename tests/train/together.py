"""Trainings that several processes share, for `test_processes.py`; started as the product does it.

The file given holds a list of them; each writes its curve and, if it is the first process, all of
what it learned.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.settings import TrainSettings
from mm_model.train import state
from mm_model.train.loop import Trainer
from mm_model.train.processes import Processes
from mm_model.train.shards import ShardSet
from mm_model.train.source import LocalShards
from tests.train.test_loop import toy_backbone


class Stopped(Exception):
    """The training was to end early."""


def trained(job: dict, processes: Processes | None) -> Trainer:
    """One training from what `job` says, in this process or together with others."""
    backbone, adapter = toy_backbone()
    backbone: Backbone
    if job.get("dtype"):
        backbone.transformer.to(getattr(torch, job["dtype"]))
        backbone = Backbone(
            **{**backbone.__dict__, "dtype": getattr(torch, job["dtype"])},
        )
    folder = Path(job["data"])
    settings = TrainSettings.model_validate(job["settings"])
    data = ShardSet(folder, "pictures", LocalShards(folder / "pictures"))
    trainer = Trainer(
        backbone,
        adapter,
        data,
        settings,
        seed=5,
        fingerprint="fingerprint",
        checkpoints=Path(job["checkpoints"]),
        processes=processes,
    )
    if job.get("together"):
        trainer._together = job["together"]
    trainer.said, trainer.seen = [], []  # type: ignore[attr-defined]
    plain = trainer.step

    def step(number: int, batch):
        trainer.seen.append(list(batch.sample_ids))  # type: ignore[attr-defined]
        return plain(number, batch)

    trainer.step = step  # type: ignore[method-assign]

    def stop(number: int) -> None:
        if number == job.get("stop"):
            raise Stopped

    try:
        trainer.run(lambda m, s: None, stop, trainer.said.append)  # type: ignore[attr-defined]
    except (Stopped, UserError) as error:
        trainer.said.append(str(error))  # type: ignore[attr-defined]
    return trainer


def die_while_writing(step: int) -> None:
    """End this process by SIGKILL when half of its file of that step is on the disk."""
    whole = state.save_file

    def half(tensors: dict, path: Path, metadata: dict) -> None:
        whole(tensors, path, metadata=metadata)
        if metadata["step"] == str(step):
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    state.save_file = half  # type: ignore[assignment]


def main(file: Path) -> None:
    """All trainings of the file."""
    for job in json.loads(file.read_text()):
        processes = Processes(torch.device("cpu"), job["sharding"])
        if job.get("killed") == processes.rank:
            die_while_writing(job["killed_at"])
        trainer = trained(job, processes)
        everything = processes.all_said({"seen": trainer.seen, "said": trainer.said})
        silent = trainer.unreached()
        out = Path(job["out"])
        state = processes.full_state(trainer.adapter)
        with trainer.shown():
            shown = processes.full_state(trainer.adapter)
            if processes.is_first:
                save_file(shown, out.with_name(f"{out.name}-average.safetensors"))
        if processes.is_first:
            save_file(state, out.with_suffix(".safetensors"))
            said = {"curve": trainer.curve, "ranks": everything, "unreached": silent}
            out.with_suffix(".json").write_text(json.dumps(said))
        kept = sum(
            p.to_local().numel() if hasattr(p, "to_local") else p.numel()
            for p in trainer.model.parameters()
        )
        out.with_suffix(f".{processes.rank}.kept").write_text(str(kept))
        processes.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
