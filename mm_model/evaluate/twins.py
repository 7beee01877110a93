"""The forced choice between a person and colour twins, for people who are drawn.

A judge that knows colours alone is at chance here; one that sees the face is not. Photographs of
the twins are drawn in memory, as the sources draw a person's. Where people are not drawn, there is
no choice.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import Person, person
from mm_model.embedded.people.sources import seed_of
from mm_model.embedded.people.twins import COUNT, twins
from mm_model.evaluate.cells import Cell, Known
from mm_model.evaluate.judged import SHORT
from mm_model.evaluate.ladder import TRAINING_PEOPLE
from mm_model.evaluate.looks import look_at
from mm_model.evaluate.people import Subject
from mm_model.facepack.port import FacePack
from mm_model.judges.port import Judge
from mm_model.metrics.identity import centroid
from mm_model.run.stage import Job
from mm_model.settings import FacesSettings
from mm_model.store import tables
from mm_model.store.atomic import Document
from mm_model.store.lookup import Lookup

PHOTOGRAPHS = 4
"""Drawn of each twin (design choice)."""

CHANCE = 1 / (1 + COUNT)

NOT_DRAWN = "no forced choice between colour twins: not all tested people are drawn."

_STREAM = 0x2717


def drawn_people(job: Job, identities: Sequence[str]) -> list[Person] | None:
    """Who stands behind each identity, as the folders of its samples say; None where somebody is
    not drawn, or an identity mixes two people.
    """
    told = Lookup(job.inputs["ingest"] / "samples.parquet", "sample_id", ("subject", "synthetic"))
    meant = {"status": "kept", "identity": identities}
    shown = ("sample_id", "identity")
    faces = tables.read(job.inputs["faces"] / "samples.parquet", shown, meant)
    found = []
    for name in identities:
        rows = [told.row(one) for one in faces[faces["identity"] == name]["sample_id"]]
        subjects = {row["subject"] for row in rows}
        seed = seed_of(str(subjects.pop())) if len(subjects) == 1 else None
        if seed is None or not all(row["synthetic"] for row in rows):
            return None
        found.append(person(seed))
    return found


def twin_galleries(
    who: Person, judges: Sequence[Judge], *, pack: FacePack, rules: FacesSettings, size: int
) -> dict[str, np.ndarray]:
    """By judge, the unit mean embedding `[4,E]` of photographs of each twin of `who`.

    Photographs are `size` pixels wide; `pack` finds the faces. NaN rows where it finds none.
    """
    rows: dict[str, list[np.ndarray]] = {one.name: [] for one in judges}
    for k, twin in enumerate(twins(who)):
        rng = np.random.default_rng([_STREAM, who.seed, k])
        pictures = np.stack([photograph(twin, rng, size).image for _ in range(PHOTOGRAPHS)])
        look = look_at(pictures, pack=pack, judges=judges, rules=rules)
        for one in judges:
            mean = centroid(look.faces[one.name])
            rows[one.name].append(mean if mean is not None else np.full(one.pack.width, np.nan))
    return {name: np.stack(found) for name, found in rows.items()}


def chosen(probe: np.ndarray | None, own: np.ndarray, twins: np.ndarray) -> bool | None:
    """Whether `probe [E]` is nearer to the person's `own [E]` than to every row of `twins [4,E]`.

    A clip without a face (None), a tie, and a person without an embedding are no choice. A twin
    without an embedding (NaN) cannot be chosen; None where no twin has one: nothing was put to
    choice.
    """
    others = twins[np.isfinite(twins).all(axis=1)]
    if not len(others):
        return None
    if probe is None or not np.isfinite(own).all():
        return False
    return bool((others @ probe < own @ probe).all())


def forced_choice(
    probes: Mapping[str, Sequence[Sequence[np.ndarray | None]]],
    own: np.ndarray,
    twins: Sequence[np.ndarray],
) -> Document:
    """One judge's record: by variant `hits`, `people` and what `chance` would hit.

    `probes` holds by variant and person the unit centroids of the person's clips (None without a
    face); they share one hit. People without a clip of the variant, or without a twin that has an
    embedding, do not count. `own [P,E]` are
    means of the people's pictures, `twins` a gallery `[4,E]` a person.
    """
    found: Document = {}
    for variant, by_person in probes.items():
        choices = [
            [chosen(probe, own[p], twins[p]) for probe in clips]
            for p, clips in enumerate(by_person)
        ]
        shares = [
            float(np.mean([one is True for one in made]))
            for made in choices
            if made and None not in made
        ]
        if shares:
            people = len(shares)
            found[variant] = {"hits": sum(shares), "people": people, "chance": people * CHANCE}
    return found


def study(
    job: Job,
    people: Sequence[Subject],
    cells: Sequence[Cell],
    judges: Sequence[Judge],
    pack: FacePack,
) -> tuple[Document, list[str]]:
    """What `metrics.json` holds under `twins`, by judge and variant, and notes.

    Photographs of twins are as large as the person's. Nothing and a note where somebody of the
    tested `people` is not drawn.
    """
    drawn = drawn_people(job, [one.identity for one in people])
    if drawn is None:
        return {}, [NOT_DRAWN]
    galleries = [
        twin_galleries(
            who,
            judges,
            pack=pack,
            rules=job.profile.faces,
            size=min(subject.shown[0].pixels.shape[:2]),
        )
        for who, subject in zip(drawn, people, strict=True)
    ]
    found = {}
    for one in judges:
        probes = {
            short: [
                [
                    cell.centroids[one.name]
                    for cell in cells
                    if (cell.variant, cell.identity) == (variant, subject.identity)
                ]
                for subject in people
            ]
            for variant, short in SHORT.items()
            if variant != TRAINING_PEOPLE
        }
        own = Known.of(people, one).everybody
        found[one.name] = forced_choice(probes, own, [each[one.name] for each in galleries])
    return {"twins": found}, []
