"""What the faces stage says of its work: figures, warnings, and who may be no person at all.

Reads the outcome only; nobody is kept or rejected for what is said here.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from mm_model.faces import identity as people
from mm_model.faces.doubt import doubt
from mm_model.faces.kept import Kept, Pair
from mm_model.faces.redundant import Double
from mm_model.records import HELD_OUT, TRAIN, Counts, Reason, Row, Status
from mm_model.settings import FacesSettings
from mm_model.store.held import HeldRows

FOLDERS_ARE_PEOPLE = 0.5
"""Share of files that must resemble the rest of their folder before folders are taken for people
(design choice: a folder of one person gives nearly 1, an album of many nearly 0)."""

_NAMED = 8


@dataclass(frozen=True, eq=False)
class FacesOutcome:
    """The outcome. rows: all rows of the table. kept: (row of ingest, row of faces) of what was
    kept before the split was made; labels, means: identity and unit embedding of each of those.
    doubles: identities that look like another, None where nobody asked.
    """

    rows: HeldRows
    kept: Kept
    labels: np.ndarray
    means: np.ndarray
    doubles: list[Double] | None = None

    @property
    def subjects(self) -> list[str | None]:
        """The folder, or for procedural people the person, of each kept file."""
        return [sample["subject"] for sample, _ in self.kept]


def counts_of(rows: HeldRows) -> Counts:
    """The account over samples."""
    return Counts.of_tally(Counter((row["status"], row["reason"]) for row in rows))


def on_one_file(kept: Kept) -> list[Pair]:
    """Held-out people known from one file alone, procedural people left out."""
    number = Counter(row["identity"] for _, row in kept if row["status"] == Status.KEPT)
    return [
        (sample, row)
        for sample, row in kept
        if row["status"] == Status.KEPT
        and row["split"] == HELD_OUT
        and number[row["identity"]] == 1
        and not sample["synthetic"]
    ]


def metrics_of(found: FacesOutcome, rules: FacesSettings) -> Row:
    """Figures of the stage; None where there is nothing to measure.

    Purity and completeness compare identities with folders, which only says something where a
    folder is a person: known for procedural people, else judged by likeness within the folders.
    """
    kept = [row for row in found.rows if row["status"] == Status.KEPT]
    names = {
        side: {row["identity"] for row in kept if row["split"] == side}
        for side in (TRAIN, HELD_OUT)
    }
    labels, subjects = list(found.labels), found.subjects
    held_out = np.array([str(row["split"]) == HELD_OUT for _, row in found.kept], bool)
    likeness = people.folder_likeness(found.means, subjects, rules.cluster_above)
    drawn = bool(found.kept) and all(sample["synthetic"] for sample, _ in found.kept)
    told = drawn or (likeness is not None and likeness >= FOLDERS_ARE_PEOPLE)
    frames = sum(row["frames_found"] for row in kept)
    padded = sum(row["padded_share"] * row["frames_found"] for row in kept)
    return {
        "identities": len(names[TRAIN] | names[HELD_OUT]),
        "identities_train": len(names[TRAIN]),
        "identities_held_out": len(names[HELD_OUT]),
        "subjects_known": len({subject for subject in subjects if subject}),
        "folder_likeness": likeness,
        "folders_are_people": told,
        "identity_purity": people.purity(labels, subjects) if told else None,
        "identity_completeness": people.completeness(labels, subjects) if told else None,
        "nearest_train_held_out_cosine": people.nearest_across(found.means, found.labels, held_out),
        "identities_redundant": None if found.doubles is None else len(found.doubles),
        "frames_examined": sum(row["frames_examined"] for row in found.rows),
        "padded_frames_share": padded / frames if frames else None,
        "samples_with_bystanders": sum((row["bystanders"] or 0) > 0 for row in kept),
        "face_size_median": _median([row["face_size"] for row in kept]),
        "sharpness_median": _median([row["sharpness"] for row in kept]),
        "embedding_norm_median": _median([row["embedding_norm"] for row in kept]),
    }


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def notes_of(found: FacesOutcome, metrics: Row, rules: FacesSettings) -> list[str]:
    """Sentences a user should read."""
    counts = counts_of(found.rows)
    notes = []
    if leaks := counts.rejected.get(Reason.LEAK_TEST_IDENTITY, 0):
        notes.append(
            f"{leaks} samples lie among people of the other side of the split between "
            "train and held-out and were rejected."
        )
    failures = [row for row in found.rows if row["status"] == Status.FAILED]
    if failures:
        notes.append(
            f"{len(failures)} files could not be looked at, e.g. {failures[0]['name']}: "
            f"{failures[0]['message']}"
        )
    if number := metrics["samples_with_bystanders"]:
        notes.append(
            f"{number} kept files show further faces, under {rules.bystander_below:g} of "
            "the main one's side: not counted (column bystanders)."
        )
    if found.doubles:
        one = found.doubles[0]
        done = "were rejected" if rules.redundant == "reject" else "are kept"
        notes.append(
            f"{len(found.doubles)} identities look like another and {done}, e.g. {one.identity} "
            f"like {one.stays} (cosine {one.cosine:.2f})."
        )
    loose = sum(subject is None for subject in found.subjects)
    if loose and rules.identity == "folders":
        notes.append(
            f"{loose} files lie in no person's folder; each counts as a person of its own."
        )
    if counts.kept and not metrics["identities_held_out"]:
        notes.append("nobody is held out: the evaluation will have no one to show.")
    return [*notes, *_on_folders(metrics, rules), *_on_doubtful(found, metrics, rules)]


def _on_folders(metrics: Row, rules: FacesSettings) -> list[str]:
    """Whether identities and folders agree, where folders can be people."""
    likeness, purity = metrics["folder_likeness"], metrics["identity_purity"]
    if not metrics["folders_are_people"]:
        if likeness is None:
            return []
        said = (
            f"folders look like albums of several people: {likeness:.0%} of the files resemble "
            "the rest of their folder"
        )
        if rules.identity == "folders":
            return [f"{said}; set faces.identity to clusters."]
        return [f"{said}, so identities are not compared with folders."]
    if purity is not None and purity < 0.9:
        return [
            f"identities mix people (purity {purity:.2f}, each folder taken for one person): "
            "raise faces.cluster_above or set faces.identity to folders."
        ]
    return []


def _on_doubtful(found: FacesOutcome, metrics: Row, rules: FacesSettings) -> list[str]:
    """Held-out people known from one file: the doubtful by name, the others by number."""
    alone = on_one_file(found.kept)
    if not alone:
        return []
    usual = metrics["embedding_norm_median"]
    doubts = [(sample["name"], why) for sample, row in alone if (why := doubt(row, rules, usual))]
    notes = []
    if doubts:
        listed = "; ".join(f"{name} ({why})" for name, why in doubts[:_NAMED])
        more = f"; and {len(doubts) - _NAMED} more" if len(doubts) > _NAMED else ""
        notes.append(
            f"doubtful among the held-out people, perhaps no real face: {listed}{more}. "
            "Look at sheet.jpg and take such files out of the folder."
        )
    if rest := len(alone) - len(doubts):
        more = "more " if doubts else ""
        notes.append(
            f"{rest} {more}held-out people are known from one file each; a good statue or "
            "rendering among them cannot be told from a person."
        )
    return notes
