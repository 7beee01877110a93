"""The evaluation stage's work: clips, cells, then means with intervals, judges and goals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from mm_model.errors import UserError
from mm_model.evaluate import candidate, judged, ladder, sheets, tested, twins, variants
from mm_model.evaluate.cells import Cell, Known, evidence, framed, write
from mm_model.evaluate.looks import Look, look_at
from mm_model.evaluate.people import Subject, held_out_people, training_people
from mm_model.facepack.port import FacePack, open_judge, open_pack
from mm_model.generation.backbone import Backbone, load_backbone
from mm_model.judges.shelf import Bench, open_judges
from mm_model.metrics import table as metrics
from mm_model.metrics.identity import centroid
from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.metrics.port import Context
from mm_model.metrics.table import Instruments
from mm_model.records import TESTED_COLUMNS, Counts
from mm_model.run import views
from mm_model.run.stage import Job, Report
from mm_model.serving import code
from mm_model.store import digests, tables
from mm_model.store.atomic import Document, write_json

_SHUFFLED = "shuffled"


@dataclass(frozen=True, kw_only=True)
class _Eyes:
    """Who looks at every clip: the pipeline's pack, the judges, and the metrics."""

    pack: FacePack
    bench: Bench
    instruments: Instruments

    def measured(
        self, look: Look, known: Mapping[str, Known], **of_clip: Any
    ) -> dict[str, Mapping[str, float | None]]:
        """By judge, what it says of who a clip shows."""
        found: dict[str, Mapping[str, float | None]] = {}
        asked = self.instruments.only(*judged.METRICS)
        for one in self.bench.judges:
            seen = evidence(look=look, judge=one, known=known[one.name], **of_clip)
            values = asked.measure(seen)
            said = {column: values[column] for column in judged.columns()}
            found[one.name] = {**said, judged.OWN_FACE: look.found.get(one.name)}
        return found


def _cells(
    job: Job, people: list[Subject], clips: dict[str, list[list[np.ndarray]]], eyes: _Eyes
) -> list[Cell]:
    """Write, read back, look at and measure every clip; save strips for the report page."""
    rules, sizes = job.profile.evaluate, job.profile.model
    judges, headline = eyes.bench.judges, eyes.bench.headline
    known = {one.name: Known.of(people, one) for one in judges}
    seeds = variants.seeds_of([p.identity for p in people], rules.clips_per_person)
    work = [
        (name, p, c, clip)
        for name, by_person in clips.items()
        for p, row in enumerate(by_person)
        for c, clip in enumerate(row)
    ]
    cells = []
    for name, p, c, clip in job.each(work, len(work), "clips measured"):
        seed = 0 if name in variants.CONTROLS else seeds[p][c]
        stem = f"{people[p].identity}_{name}_{seed}"
        frames = variants.through_file(clip, job.out / f"videos/{stem}.mp4", sizes.fps)
        sheets.save_strip(frames, job, stem)
        look = look_at(frames, pack=eyes.pack, judges=judges, rules=job.profile.faces)
        whose = [(name, p)]
        if name in candidate.STAGES and len(people) > 1:
            whose.append((_shuffled(name), (p + 1) % len(people)))
        for variant, judged_as in whose:
            of_clip: dict[str, Any] = {
                "frames": frames,
                "fps": sizes.fps,
                "prompt": people[p].prompt,
                "judged_as": judged_as,
            }
            seen = evidence(look=look, judge=headline, known=known[headline.name], **of_clip)
            cells.append(
                Cell(
                    cell_id=f"{variant}/{people[p].identity}/{seed}",
                    variant=variant,
                    identity=people[p].identity,
                    prompt=people[p].prompt,
                    seed=seed,
                    video=f"videos/{stem}.mp4",
                    values=eyes.instruments.measure(seen),
                    judged=eyes.measured(look, known, **of_clip),
                    centroids={name: centroid(faces) for name, faces in look.faces.items()},
                )
            )
    return cells


def _shuffled(stage: str) -> str:
    """A stage's clips judged as other people; in the end the candidate's are the control."""
    return f"{_SHUFFLED} {stage}"


def _with_control(cells: list[Cell], stage: str) -> list[Cell]:
    """The candidate's shuffled cells under the control's name, without those of the other stage."""
    kept = []
    for cell in cells:
        if cell.variant == _shuffled(stage):
            cell_id = cell.cell_id.replace(cell.variant, _SHUFFLED, 1)
            kept.append(replace(cell, variant=_SHUFFLED, cell_id=cell_id))
        elif not cell.variant.startswith(f"{_SHUFFLED} "):
            kept.append(cell)
    return kept


def _known(job: Job, backbone: Backbone, eyes: _Eyes, stage: str) -> list[Cell]:
    """A stage's adapter on people it was trained on, for the ladder only."""
    people = training_people(job, backbone)
    if not people:
        return []
    made = variants.generated(job, backbone, people, (stage,))
    clips = {ladder.TRAINING_PEOPLE: made[stage]}
    only = replace(eyes, instruments=eyes.instruments.only(*judged.METRICS))
    return _cells(job, people, clips, only)


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
    if _SHUFFLED in per_person:
        gains["candidate_over_shuffled"] = gain(chosen.stage, _SHUFFLED)
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
    torch.set_num_threads(job.profile.run.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    measured = {s: code.measured(job.inputs[s] / "adapter") for s in candidate.STAGES}
    pack = open_pack(job.model("facepack"), job.profile.faces.detection_size)
    house = open_judge(job.model("judge"), job.profile.faces.detection_size)
    bench = open_judges(job.model("judges"), house=house, used=[pack])
    judge = bench.headline.pack
    backbone = load_backbone(job.model("backbone"), job.profile.run)
    people, notes = held_out_people(job, backbone)
    sheets.save_references(job, people)
    rows = [row for person in people for row in person.rows()]
    tables.write(job.out / "people.parquet", rows, TESTED_COLUMNS, {})
    kept = variants.milestones(job)
    clips = variants.generated(job, backbone, people, (*variants.MODELS, *kept))
    made = [variants.controls(backbone, person, job.profile.model) for person in people]
    for name in variants.CONTROLS[:-1]:
        clips[name] = [[m[name]] if name in m else [] for m in made]
    instruments = metrics.opened(Context(pack=pack, judge=judge, device=job.profile.run.device))
    eyes = _Eyes(pack=pack, bench=bench, instruments=instruments)
    cells = _cells(job, people, clips, eyes)
    summary, cells = summarise(cells)
    stage = summary["candidate"]
    known = _known(job, backbone, eyes, stage)
    write(job.out / "cells.parquet", cells)
    judged.write(job.out / "judged.parquet", cells)
    summary |= judged.summary(cells, known, bench, stage)
    steps = {name: job.profile.trainings[name].steps for name in variants.MODELS[1:]}
    summary["curve"] = curve(summary, **steps)
    summary["measured"] = _measured(job, stage, measured[stage])
    summary |= instruments.told()
    told, remarks = twins.study(job, people, cells, bench.judges, pack)
    summary |= told
    notes += [*bench.notes, *remarks]
    notes += [f"{name}: not measured, {why}." for name, why in instruments.unavailable.items()]
    conditions = _conditions(job, people, pack=pack, judge=judge)
    write_json(job.out / "metrics.json", {**summary, **conditions})
    for make in (sheets.save_overview, sheets.save_contact):
        views.attempt("contact sheet", partial(make, job, people, clips, stage), views.WITHOUT)
    names = (sheets.OVERVIEW, sheets.CONTACT)
    pictures = tuple(name for name in names if (job.out / name).is_file())
    return _report(summary, cells, tuple(notes), pictures)


def _report(
    summary: dict, cells: list[Cell], notes: tuple[str, ...], pictures: tuple[str, ...]
) -> Report:
    flat: dict[str, float | int | None] = {"people": summary["people"]}
    for variant in (*variants.MODELS, "true_clip", _SHUFFLED):
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
