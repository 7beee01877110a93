"""The page of how far one machine goes, written by `python -m mm_model.planning.page FILE`."""

import sys
from pathlib import Path

from mm_model.planning import check, text
from mm_model.planning.plan import RunPlan, asked_of, likely, plan, usual
from mm_model.planning.rates import GPUS
from mm_model.planning.work import Machine, PlannedRun, sampled
from mm_model.store.layout import repository_root

SIZES = ((10_000, 300), (100_000, 3_000), (1_000_000, 30_000), (5_000_000, 150_000))
MACHINES = (Machine("h100", 1, 16), Machine("h100", 8, 64))
_DATA = ("sources", "ingest", "faces", "pairs", "precompute")
_GB = 1e9

_HEAD = """# How far one machine goes

This page is written by `python -m mm_model.planning.page docs/how-far.md`; change the rates in
`mm_model/planning/rates.py` instead. **Nothing on it was run at these sizes**: it is arithmetic on
rates, each of which says where it comes from. Two digits are shown, and the ranges are wide.

    .venv/bin/python -m mm_model plan            # profile paper, 5 M pictures, 150 K clips
    .venv/bin/python -m mm_model plan --profile NAME --pictures N --clips N --gpu a100 --json
    .venv/bin/python -m mm_model plan --check    # the same arithmetic held to a finished run

## By the number of files

The profile `paper`, likely values, work shared out over all GPUs and cores; `data` are the stages
from `sources` to `precompute`, whose hours grow with the files. Trainings and evaluation take what
their steps take. Memory is what the largest of `sources`, `faces` and `pairs` holds for its rows
([decisions/long-tables.md](decisions/long-tables.md)); a worker that decodes may take 8.2 GB
besides (`ingest.decode_memory_mb`). `paper` refuses the two smaller sizes unless its `row_floor`s
are lowered. A row's command:
`python -m mm_model plan --pictures N --clips N --gpus N --cores N`.
"""
_CHANGE = """
## When to change to a cluster

* **Up to a million pictures** the trainings take longer than the data on 16 cores and one GPU:
  more machines for the data gain little, a second GPU for painting more.
* **From about two million on** the data take longer than the trainings: painting in `pairs` first,
  then `faces` and `ingest`. Frames of clips and painted pictures are independent, so several
  machines pay. `run.threads` in the profile says how many workers there are; it is 8 in `paper`,
  and most of 64 cores stand idle until it is raised.
* Memory is no reason to change: all tables stay within a few GB.
* Trainings take the GPUs of one machine by themselves ([training.md](training.md)). Painting runs
  on one GPU; `precompute` and evaluation too, unless a Ray cluster has more
  ([decisions/ray.md](decisions/ray.md)): for those the column of eight GPUs says what there is to
  gain, not what one command does.
* Before renting: measure `face_look`, `frame_look` and `paint_step` on a hundred files of your own
  and one GPU. They are what the plan hangs on, and none was measured on what you would rent.

## What stays the same

The stages' code, their outputs byte for byte, `dvc.yaml`, the commands, the audits, and what a kill
costs (a shard). A pool of workers on one machine or on many stands behind one port
([ports.md](ports.md)); stages do not know which it is.
"""
_TRUTH = """
## Against what others measured

Seconds for one clip of 49 frames, 480 x 720, 50 steps with guidance, at the share of peak that one
of the rows gave (H100, eager). The other rows were not used for it:

| GPU | published | s | predicted s | predicted / published |
|---|---|---|---|---|"""
PUBLISHED = (
    ("h100", "diffusers-torchao, eager (gave the share)", 112.4),
    ("h100", "diffusers-torchao, compiled", 87.5),
    ("h100", "zai-org/CogVideo README", 90.0),
    ("h100", "ConsisID, by TeaCache", 110.0),
    ("a100", "zai-org/CogVideo README", 180.0),
    ("a100", "diffusers-torchao, eager", 243.0),
    ("a800", "the paper's table 3, if its GPU is that of its training", 209.0),
)
_SMALLER = """
A slower GPU reaches more of its peak: one share for all makes A100s look slower than they are, by
up to a factor of two. The plan's hours on such GPUs are too many by as much.

## Against finished runs

`python -m mm_model plan --check` and `--against docs/runs/wide.json`. A stage is a start and
a slope times its work: rows of its table, or the model's TFLOP by the formulas of the plan. Both
numbers come from two small runs (`docs/runs/fifth.json`, `docs/runs/two-fifths.json`); what is
predicted was calibrated on by neither. It tests the arithmetic (what grows with what), not the
rates above, which are of other files, networks and machines.
"""


_SMALL_CARD = """## One card of 24 GB

`python -m mm_model plan --profile workstation`. The preset `lean` (0.75 B trained numbers) learns
clips of 17 frames, with moments in 8 bits ([decisions/optimizer.md](decisions/optimizer.md)). On a
card of less than 40 GB the text encoder and the vision encoder wait on the CPU beside a training
and an evaluation, the transformer beside `precompute` (there on every card); large pictures pass
the VAE in tiles; and 4,096 tokens pass the model at once instead of 32,768. **No GPU has run it.**
"""
_SMALL_CARD_NOTES = """`lite` (1.07 B) does not fit: weights, gradients and moments of its numbers
take 10.0 GiB, the frozen transformer 10.4, and clips of 17 frames ask for 3. Clips of 49 frames ask
for 4 GiB of the inputs of blocks alone. An evaluation's and `precompute`'s memory is known less
well than a training's: decoding and encoding count 4 GB flat.
"""


def _planned(root: Path, files: tuple[int, int], machine: Machine, name: str = "paper") -> RunPlan:
    pictures, clips = files
    asked = asked_of(root, name, pictures=pictures, clips=clips, gpu=machine.gpu)
    return plan(name, asked, machine)


def _hours(made: RunPlan, *, data: bool) -> str:
    chosen = [one for one in made.stages if (one.stage in _DATA) == data]
    return text.two(sum(one.hours(made.machine, made.values) for one in chosen))


def sizes(root: Path) -> list[str]:
    """Hours, disk and memory by the number of files, on each machine."""
    head = ["pictures", "clips", "CPU h", "GPU h"]
    for machine in MACHINES:
        where = f"{machine.cores} cores, {machine.gpus} x {machine.gpu}"
        head += [f"h data, {where}", f"h training and evaluation, {where}"]
    head += ["low to high, all hours, larger machine", "disk GB", "memory GB"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for files in SIZES:
        plans = [_planned(root, files, machine) for machine in MACHINES]
        large = plans[-1]
        cells = [f"{files[0]:,}", f"{files[1]:,}"]
        cells += [text.two(large.totals[name].likely) for name in ("cpu_hours", "gpu_hours")]
        for made in plans:
            cells += [_hours(made, data=True), _hours(made, data=False)]
        span = large.totals["hours"]
        cells.append(f"{text.two(span.low)} to {text.two(span.high)}")
        cells.append(text.two(large.totals["disk"].likely / _GB))
        held = [one for one in large.stages if one.stage in ("sources", "faces", "pairs")]
        most = max(held, key=lambda one: one.memory)
        cells.append(f"{text.two(most.memory / _GB)} ({most.stage})")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def seconds_a_clip(asked: PlannedRun, gpu: str) -> float:
    """Seconds to sample one clip on a GPU by the plan's rates, without decoding."""
    r = likely()
    frames, rules = asked.profile.model.num_frames, asked.profile.evaluate
    work = sampled(asked, r, clips=1, steps=rules.inference_steps, guided=True, frames=frames)
    return work / (GPUS[gpu].tflops * r["sampling_share"])


def _published(asked: PlannedRun) -> list[str]:
    lines = []
    for gpu, who, seconds in PUBLISHED:
        found = seconds_a_clip(asked, gpu)
        lines.append(
            f"| {gpu} | {who} | {seconds:g} | {text.two(found)} | {text.two(found / seconds)} |"
        )
    return lines


def _checks(root: Path) -> list[str]:
    parts = []
    for title, name, note in check.SHOWN:
        path = root / name
        parts += ["", f"**{title}** (`{name}`). {note}", "", check.text(check.against(root, path))]
    return parts


def _small_card(root: Path) -> list[str]:
    """The plan of the profile for one card of 24 GB."""
    meant = usual("workstation")
    files = (meant.pictures, meant.clips)
    made = _planned(root, files, meant.machine, "workstation")
    parts = ["", _SMALL_CARD, text.heading(made), "", *text.table(made), ""]
    return [*parts, *text.training_memory(made), "", _SMALL_CARD_NOTES, ""]


def written(root: Path) -> str:
    """The whole page, for the tree at `root`."""
    paper = _planned(root, SIZES[-1], MACHINES[-1])
    parts = [_HEAD, *sizes(root), _CHANGE, "## The paper's size", ""]
    parts += [f"`python -m mm_model plan`: {text.heading(paper)}", "", *text.table(paper), ""]
    parts += [text.ENDS, text.deciding(paper), "", *text.training_memory(paper), "", _NOTES]
    parts += [*_small_card(root), "## Assumptions", ""]
    parts += [*text.assumptions(paper), _TRUTH, *_published(paper.asked), _SMALLER]
    parts += [*_checks(root), ""]
    return "\n".join(parts)


_NOTES = """Captions cost GPU hours only where the profile names a model for them; `paper` as it is
reads those that lie beside the files. Traffic is what a stage reads from and writes to a store that
is not on the machine, each stage on its own; on one machine it is the first stage's reading alone.
Scratch are two checkpoints, gone when the training ends."""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(written(repository_root()), encoding="utf-8")
