"""The evaluation stage's work: clips, cells, then means with intervals, judges and goals."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

import numpy as np
import pandas as pd

from mm_model.errors import UserError
from mm_model.evaluate import candidate, judged, sheets, shown, tested, twins, variants
from mm_model.evaluate.cells import Cell, framed, write
from mm_model.evaluate.examination import (
    SHUFFLED,
    ClipBatch,
    Examination,
    batches,
    controls,
    examine,
    of_known,
    shuffled,
    told,
)
from mm_model.evaluate.people import Subject
from mm_model.facepack.port import FacePack
from mm_model.metrics import table as metrics
from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.records import TESTED_COLUMNS, Counts
from mm_model.run import views
from mm_model.run.pools.port import Pool, whole
from mm_model.run.pools.table import open_heavy
from mm_model.run.stage import Job, Report
from mm_model.serving import code
from mm_model.store import digests, tables
from mm_model.store.atomic import Document, write_json

DIED = (
    "A worker process died twice while it made and measured clips: is there too little memory? Run "
    "again, on Ray with fewer workers (MM_POOL_WORKERS)."
)


@dataclass
class _Found:
    """What came back of the clips."""

    cells: list[Cell] = field(default_factory=list)
    stills: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)


def _examined(job: Job, pool: Pool, batches: Iterable[ClipBatch]) -> _Found:
    """Have all clips of the batches made and measured; cells come in the order of the batches."""
    wanted, found = list(batches), _Found()
    number = sum(len(batch.clips) for batch in wanted)
    made = chain.from_iterable(whole(pool.map(examine, wanted), DIED))
    for batch in wanted:
        found.stills.setdefault(batch.variant, {})
    for one in job.each(made, number, "clips made and measured"):
        found.cells += one.cells
        if one.stills is not None:
            found.stills[one.variant][one.person] = one.stills
    return found


def _with_control(cells: list[Cell], stage: str) -> list[Cell]:
    """The candidate's shuffled cells under the control's name, without those of the other stage."""
    kept = []
    for cell in cells:
        if cell.variant == shuffled(stage):
            cell_id = cell.cell_id.replace(cell.variant, SHUFFLED, 1)
            kept.append(replace(cell, variant=SHUFFLED, cell_id=cell_id))
        elif not cell.variant.startswith(f"{SHUFFLED} "):
            kept.append(cell)
    return kept


_PerPerson = dict[str, dict[str, list[float | None]]]


def _figures(cells: list[Cell], people: list[str]) -> tuple[_PerPerson, Document]:
    """By variant, every person's numbers and their means with intervals."""
    frame, means, limits = framed(cells), metrics.means(), metrics.limits()
    per_person: _PerPerson = {}
    for variant, group in frame.groupby("variant", sort=False):
        table = group.groupby("identity")[list(means.values())].mean()
        table = table.reindex(people)
        per_person[str(variant)] = {
            name: [None if pd.isna(v) else float(v) for v in table[column]]
            for name, column in means.items()
        }
    return per_person, {
        variant: {name: mean_interval(v, within=limits[name]) for name, v in values.items()}
        for variant, values in per_person.items()
    }


def summarise(cells: list[Cell]) -> tuple[Document, list[Cell]]:
    """Means over people with intervals, the paired gains, and every person's numbers.

    Also the cells that remain: of the stages' clips judged as other people, the candidate's.
    """
    people = sorted({cell.identity for cell in cells})
    per_person, summary = _figures(cells, people)
    chosen = candidate.choose(summary, per_person)
    cells = _with_control(cells, chosen.stage)
    per_person, summary = _figures(cells, people)

    def gain(first: str, second: str) -> dict:
        return paired_interval(per_person[first]["identity"], per_person[second]["identity"])

    gains = {
        "finetune_over_base": gain("finetune", "base"),
        "pretrain_over_base": gain("pretrain", "base"),
    }
    gains["candidate_over_base"] = gain(chosen.stage, "base")
    if SHUFFLED in per_person:
        gains["candidate_over_shuffled"] = gain(chosen.stage, SHUFFLED)
    return {
        "people": len(people),
        "identities": people,
        "variants": summary,
        "gain": gains,
        "candidate": chosen.stage,
        "stages": {"identity": chosen.identity, "sentence": chosen.sentence},
        "goals": chosen.goals,
        "per_person": per_person,
    }, cells


def curve(summary: Document, *, pretrain: int, finetune: int) -> list[Document]:
    """Identity and faces found over steps of both stages, from the base at 0 to the end."""
    ends = {"base": 0, "pretrain": pretrain, "finetune": pretrain + finetune}
    points = []
    for variant, measures in summary["variants"].items():
        stage, _, step = variant.partition("_step_")
        if variant not in ends and not step:
            continue
        before = pretrain if stage == "finetune" else 0
        at = before + int(step) if step else ends[variant]
        points.append(
            {"step": at, "variant": variant}
            | {name: measures[name] for name in ("identity", "face_found_rate", "rank1")}
        )
    return sorted(points, key=lambda point: point["step"])


def _measured(job: Job, stage: str, before: Document) -> Document:
    """With what was measured, unless it was changed meanwhile."""
    if before != code.measured(job.inputs[stage] / "adapter"):
        raise UserError("The code was changed while it was evaluated: run again.")
    return before


def _conditions(job: Job, people: list[Subject], *, pack: FacePack, judge: FacePack) -> dict:
    rules = job.profile.evaluate
    alike = tested.conditions(
        job.profile, judge=judge.digest, pack=pack.digest, conventions=metrics.conventions()
    )
    tests = tested.by_person(people, rules.clips_per_person)
    return {
        "tests": tests,
        "conditions_digest": alike,
        "test_set_digest": digests.of_value([tests, alike]),
        "judge": judge.describe(),
        "pack": pack.describe(),
        "conventions": {
            **metrics.conventions(),
            "interval": "Student's t over people, 95%, on Hall's scale for skewness, cut to the "
            "figure's bounds; none below four people",
            "ladder": "rank 1 by each judge: mean of all pictures against the mean over one clip, "
            "clips of a person sharing one hit; Wilson 95% from four people on",
        },
        "sampler": rules.model_dump(),
    }


def run_study(job: Job) -> Report:
    """The evaluation stage. Raises UserError when there is no held-out person."""
    measured = {s: code.measured(job.inputs[s] / "adapter") for s in candidate.STAGES}
    exam = Examination(job)
    people, notes = exam.held_out
    sheets.save_references(job, people)
    rows = [row for person in people for row in person.rows()]
    tables.write(job.out / "people.parquet", rows, TESTED_COLUMNS, {})
    with closing(open_heavy(exam, job.profile.run)) as pool:
        models = (*variants.MODELS, *variants.milestones(job.inputs))
        of_models = (one for name in models for one in batches(name, len(people), job))
        found = _examined(job, pool, [*of_models, *controls(people)])
        summary, cells = summarise(found.cells)
        stage = summary["candidate"]
        known = _examined(job, pool, of_known(stage, len(exam.trained_on), job)).cells
        ((said, unavailable),) = whole(pool.map(told, [None]), DIED)
    write(job.out / "cells.parquet", cells)
    judged.write(job.out / "judged.parquet", cells)
    summary |= judged.summary(cells, known, exam.bench, stage)
    steps = {name: job.profile.trainings[name].steps for name in variants.MODELS[1:]}
    summary["curve"] = curve(summary, **steps)
    summary["measured"] = _measured(job, stage, measured[stage])
    summary |= said
    chosen, remarks = twins.study(job, people, cells, exam.bench.judges, exam.pack)
    summary |= chosen
    notes = [*notes, *exam.bench.notes, *remarks]
    notes += [f"{name}: not measured, {why}." for name, why in unavailable.items()]
    conditions = _conditions(job, people, pack=exam.pack, judge=exam.bench.headline.pack)
    write_json(job.out / "metrics.json", {**summary, **conditions})
    shown.write(job.out, summary)
    for make in (sheets.save_overview, sheets.save_contact):
        drawn = partial(make, job, people, found.stills, stage)
        views.attempt("contact sheet", drawn, views.WITHOUT)
    names = (sheets.OVERVIEW, sheets.CONTACT)
    pictures = tuple(name for name in names if (job.out / name).is_file())
    return _report(summary, cells, tuple(notes), pictures)


def _report(
    summary: dict, cells: list[Cell], notes: tuple[str, ...], pictures: tuple[str, ...]
) -> Report:
    flat: dict[str, float | int | None] = {"people": summary["people"]}
    for variant in (*variants.MODELS, "true_clip", SHUFFLED):
        for name, value in summary["variants"].get(variant, {}).items():
            flat[f"{variant}_{name}"] = value["value"]
    flat.update({f"rank1_{rung['variant']}": rung["rank1"] for rung in summary["ladder"]})
    for judge, variants_named in summary["named"].items():
        flat.update({f"named_{judge}_{v}": one["hits"] for v, one in variants_named.items()})
    flat.update({f"goal_{goal['name']}": goal["value"] for goal in summary["goals"]})
    gain = summary["gain"]["candidate_over_base"]
    notes += (summary["stages"]["sentence"],)
    if gain["low"] is None:
        notes += (f"{summary['people']} people are too few for an interval: it takes four.",)
    flat.update({f"identity_gain_{key}": gain[key] for key in ("value", "low", "high")})
    if gain["low"] is not None and gain["low"] <= 0:
        notes += (
            f"the adapter's identity gain over the base is {gain['value']:.3f} with a 95% interval "
            f"from {gain['low']:.3f} to {gain['high']:.3f}: not told apart from nothing on "
            f"{summary['people']} people.",
        )
    return Report(Counts(len(cells), len(cells)), flat, pictures, notes)
