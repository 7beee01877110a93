"""What an evaluation leaves to look at: strips for the page, references, overview, contact sheet.

Pictures of clips that exist already; nothing is generated or measured here.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mm_model.evaluate import variants
from mm_model.evaluate.people import Subject
from mm_model.media.sheet import grid, picture_bytes, strip
from mm_model.run.stage import Job
from mm_model.store.atomic import write_bytes

OVERVIEW = "people.jpg"
OVERVIEW_PEOPLE = 7
CONTACT = "contact.jpg"
CONTACT_COLUMNS = 3

Stills = Mapping[str, Mapping[int, np.ndarray]]
"""By variant and person, three frames `[3,H,W,3]` of the first clip: first, middle and last."""


def save_strip(frames: np.ndarray, path: Path) -> None:
    """Frames side by side in one picture, which the report page plays."""
    write_bytes(path, picture_bytes(strip(frames), quality=90))


def save_references(job: Job, people: list[Subject]) -> None:
    """The first reference of everybody as `references/<identity>.jpg`."""
    for person in people:
        still = variants.still_reference(person, job.profile.model)
        path = job.out / "references" / f"{person.identity}.jpg"
        write_bytes(path, picture_bytes(still, quality=92))


def _shown(
    job: Job, person: Subject, stills: Stills, p: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The reference of person p and the stills of each variant, empty where there is no clip."""
    still = variants.still_reference(person, job.profile.model)
    empty = np.repeat(np.full_like(still, 245)[None], 3, axis=0)
    return still, {name: rows.get(p, empty) for name, rows in stills.items()}


def save_overview(job: Job, people: list[Subject], stills: Stills, candidate: str) -> None:
    """One picture of the first people: reference, then three frames of each variant."""
    rows = []
    for p, person in enumerate(people[:OVERVIEW_PEOPLE]):
        still, made = _shown(job, person, stills, p)
        rows.append(
            [still, *(frame for n in ("base", candidate, "true_clip") for frame in made[n])]
        )
    _save_grid(job, rows, OVERVIEW, 128)


def save_contact(job: Job, people: list[Subject], stills: Stills, candidate: str) -> None:
    """Everybody in one picture: reference, then a middle frame of true clip, base and adapter."""
    cells = []
    for p, person in enumerate(people):
        still, made = _shown(job, person, stills, p)
        middles = [made[n][1] for n in ("true_clip", "base", candidate)]
        cells.append([still, *middles, np.full_like(still, 245)])
    rows = [
        [picture for cell in cells[i : i + CONTACT_COLUMNS] for picture in cell]
        for i in range(0, len(cells), CONTACT_COLUMNS)
    ]
    _save_grid(job, rows, CONTACT, 128)


def _save_grid(job: Job, rows: list[list[np.ndarray]], name: str, height: int) -> None:
    sizes = job.profile.model
    sheet = grid(rows, (sizes.height, sizes.width), max(1, height // sizes.height))
    write_bytes(job.out / name, picture_bytes(sheet, quality=92))
