"""A proof: the phases one after another, each measured, in a record that is whole at any moment.

A phase that breaks off is recorded with its sentence and costs only those that need it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

from mm_model.errors import first_line
from mm_model.proving import machine, phases
from mm_model.proving.phases import PROBLEMS, ProofPhase
from mm_model.proving.training import training
from mm_model.proving.workbench import ProofOptions, Workbench, check_options
from mm_model.store import atomic
from mm_model.store.atomic import Document

FORMAT = 1
PASSED, WRONG, FAILED, SKIPPED, RUNNING = "passed", "wrong", "failed", "skipped", "running"
"""Of a phase: as it must be; ended, but something is not; broke off; not begun; at work."""

PHASES = (
    ProofPhase("files", "every file is whole", (), phases.files),
    ProofPhase("load", "all parts into memory", ("files",), phases.load),
    ProofPhase("adapter", "a fresh adapter", ("load",), phases.adapter),
    ProofPhase("encode", "a drawn person, a sentence", ("load",), phases.encode),
    ProofPhase(
        "parity", "the plain base, bit for bit", ("load", "adapter", "encode"), phases.parity
    ),
    ProofPhase("clip", "one clip", ("load", "adapter", "encode"), phases.clip),
    ProofPhase("training", "training steps", ("load", "adapter", "encode"), training),
)

Say = Callable[[str], None]


def prove(options: ProofOptions, record: Path, say: Say) -> Document:
    """Run all phases; returns the record, which is written after each, the clip beside it.

    `verdict` is `passed`, or names the phases that are not.

    Raises:
        UserError: there is no such device or preset, or the model could not make such a clip.
    """
    check_options(options)
    bench = Workbench(options, record.with_suffix(".mp4"))
    said: Document = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "weights": options.weights.resolve().name,
        "hardware": machine.hardware(bench.device),
        "versions": machine.versions(),
        "options": options.as_dict(),
        "phases": [],
    }
    done: dict[str, str] = {}
    for number, phase in enumerate(PHASES, start=1):
        head = f"[{number}/{len(PHASES)}] {phase.name}"
        missing = [name for name in phase.needs if done.get(name) not in (PASSED, WRONG)]
        if missing:
            entry: Document = {"name": phase.name, "status": SKIPPED, "needs": missing}
            said["phases"].append(entry)
            say(f"{head}: skipped, needs {', '.join(missing)}")
        else:
            say(f"{head}: {phase.says} ...")
            said["phases"].append({"name": phase.name, "status": RUNNING})
            atomic.write_json(record, said)
            entry = said["phases"][-1] = _measured(phase, bench)
            say(f"{head}: {_sentence(entry)}")
        done[phase.name] = entry["status"]
        atomic.write_json(record, said)
    bad = [name for name, status in done.items() if status != PASSED]
    said["verdict"] = f"not passed: {', '.join(bad)}" if bad else PASSED
    atomic.write_json(record, said)
    return said


def _measured(phase: ProofPhase, bench: Workbench) -> Document:
    seen = machine.MeasuredBlock(bench.device)
    entry: Document = {"name": phase.name, "status": PASSED}
    try:
        with seen:
            found = phase.run(bench)
        problems = found.pop(PROBLEMS, [])
        entry |= {"measured": found}
        if problems:
            entry |= {"status": WRONG, PROBLEMS: problems}
    except Exception as error:  # whatever it is: the others are worth their time all the same
        entry |= {"status": FAILED, "error": _plain(error, bench)}
    gc.collect()
    if bench.device.type == "cuda":
        torch.cuda.empty_cache()
    return entry | seen.as_dict()


def _plain(error: Exception, bench: Workbench) -> str:
    """Kind and first line of an error, without the places of this machine."""
    said = f"{type(error).__name__}: {first_line(error)}"
    weights, out = bench.options.weights, bench.clip.parent
    named = ((weights, "WEIGHTS"), (out, "OUT"), (Path.home(), "~"), (Path.cwd(), "."))
    for folder, word in named:
        for place in (folder.resolve(), folder):
            if len(str(place)) > 1:
                said = said.replace(str(place), word)
    return said


def _sentence(entry: Document) -> str:
    """What a person reads of a finished phase."""
    cuda = "cuda_peak_bytes" in entry
    memory = entry["cuda_peak_bytes" if cuda else "rss_peak_bytes"] / 2**30
    where = "CUDA" if cuda else "resident"
    why = entry.get("error") or "; ".join(entry.get(PROBLEMS, []))
    line = f"{entry['status']} in {entry['seconds']:.1f} s, at most {memory:.2f} GiB {where}"
    return f"{line} ({why})" if why else line
