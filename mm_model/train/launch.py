"""Several processes for one training: `accelerate launch` starts them, this stage waits for them.

How many, and what they keep in parts, belongs to a machine and not to a profile: the same batches
are learned from, and any number goes on where any other left off (`MM_PROCESSES`, `MM_SHARDING`).
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model import lifeline
from mm_model.errors import UserError
from mm_model.planning.work import sharing
from mm_model.run.stage import Job
from mm_model.settings import RunSettings
from mm_model.store import documents
from mm_model.store.atomic import write_json
from mm_model.train.processes import SHARDING

PROCESSES, SHARDS_WHAT = "MM_PROCESSES", "MM_SHARDING"
FAILURE = "failure"
"""`failure.<rank>.json` in the launch's folder: the sentence of a process that ended by one."""
UNREACHED = "unreached.json"
_LOOK = 0.5


@dataclass(frozen=True)
class Launch:
    """What a process needs to know to take part; `launch.json` in `folder` holds it."""

    root: Path
    stage: str
    fingerprint: str
    profile: str
    inputs: dict[str, Path]
    work: Path
    samples: str
    start: Path | None
    sharding: str
    spool: Path | None
    starter: tuple[int, float]

    @property
    def folder(self) -> Path:
        """Where its file, the failures and what the processes print as errors lie."""
        return self.work / "launch"

    @property
    def log(self) -> Path:
        """What the processes print as errors."""
        return self.folder / "stderr.log"

    def write(self) -> Path:
        """Write it down; returns the file."""
        said: dict[str, Any] = {
            **self.__dict__,
            "inputs": {name: str(path) for name, path in self.inputs.items()},
            **{
                name: str(value) if value is not None else None
                for name in ("root", "work", "start", "spool")
                for value in (getattr(self, name),)
            },
            "starter": list(self.starter),
        }
        path = self.folder / "launch.json"
        write_json(path, said)
        return path

    @classmethod
    def read(cls, path: Path) -> "Launch":
        """As it was written."""
        said = documents.read(path)
        for name in ("root", "work", "start", "spool"):
            said[name] = Path(said[name]) if said[name] is not None else None
        inputs = {name: Path(place) for name, place in said.pop("inputs").items()}
        return cls(**{**said, "inputs": inputs, "starter": tuple(said["starter"])})


def wanted(run: RunSettings, streams: int) -> int:
    """How many processes train: `MM_PROCESSES`; else one a GPU, as far as they share the streams
    evenly, and one on a CPU.

    Raises:
        UserError: that many cannot share the streams, or there are fewer GPUs.
    """
    import torch

    from mm_model.settings.device import device_of

    on_gpu = device_of(run).type == "cuda"
    has = torch.cuda.device_count() if on_gpu else 0
    said = os.environ.get(PROCESSES, "").strip()
    if not said:
        return sharing(streams, has)
    if not said.isascii() or not said.isdigit() or int(said) < 1:
        raise UserError(f"{PROCESSES} is {said!r}: give a number of processes, or leave it out.")
    number = int(said)
    if on_gpu and number > has:
        raise UserError(
            f"{PROCESSES} is {number}, but PyTorch finds {has} GPUs: give at most {has}."
        )
    if streams % number:
        fit = " or ".join(str(n) for n in range(1, streams + 1) if streams % n == 0)
        raise UserError(
            f"{PROCESSES} is {number}, and the streams of the training are {streams}: give {fit}, "
            f"or set streams to a multiple of {number} in the profile."
        )
    return number


def sharding() -> str:
    """What the processes keep in parts: `MM_SHARDING`, or nothing.

    Raises:
        UserError: it names no such way.
    """
    said = os.environ.get(SHARDS_WHAT, "").strip() or SHARDING[0]
    if said not in SHARDING:
        raise UserError(f"{SHARDS_WHAT} is {said!r}: give one of {', '.join(SHARDING)}.")
    return said


def command(number: int, file: Path, module: str = "mm_model.train") -> list[str]:
    """The line that starts `number` processes of `module` on this machine."""
    options = {
        "num_processes": number,
        "num_machines": 1,
        "mixed_precision": "no",
        "dynamo_backend": "no",
        "main_process_port": 0,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    starter = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    return [*starter, *words, "--module", module, str(file)]


def train_together(
    job: Job, samples: str, start: Path | None, number: int, kept_apart: str
) -> list[str]:
    """Train in `number` processes, sharding what `kept_apart` says.

    What they learned lies in `job.out` as one would leave it.

    Returns the names of trained tensors that no gradient reached.

    Raises:
        UserError: one of them ended before the last step.
    """
    launch = Launch(
        root=job.layout.root,
        stage=job.stage.name,
        fingerprint=job.fingerprint,
        profile=job.layout.profile,
        inputs=job.inputs,
        work=job.work,
        samples=samples,
        start=start,
        sharding=kept_apart,
        spool=job.tracker.folder,
        starter=lifeline.this_process(),
    )
    for old in launch.folder.glob("*.json"):
        old.unlink()
    file = launch.write()
    line = command(number, file)
    job.say(f"{number} processes, sharding {launch.sharding}: {' '.join(line[1:])}")
    with launch.log.open("wb") as stderr:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=stderr)
        try:
            _follow(job, process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        raise UserError(_why(launch, number))
    return documents.read(launch.folder / UNREACHED)["names"]


def _follow(job: Job, process: "subprocess.Popen[bytes]") -> None:
    """Until all have ended; meanwhile tracking and views hear of what they wrote."""
    live, seen = job.work / "live.json", 0
    while process.poll() is None:
        time.sleep(_LOOK)
        job.tracker.poke()
        now = live.stat().st_mtime_ns if live.exists() else 0
        if now != seen:
            seen = now
            job.show()


def _why(launch: Launch, number: int) -> str:
    """Why it failed: what the first of them said, or where the last words are."""
    said = sorted(launch.folder.glob(f"{FAILURE}.*.json"), key=lambda path: path.stat().st_mtime_ns)
    if said:
        return str(documents.read(said[0])["sentence"])
    return (
        f"One of the {number} processes ended without a word, as one does that the system ends for "
        f"want of memory; what they printed last is in {launch.log}. Run the stage again: finished "
        "steps are kept."
    )
