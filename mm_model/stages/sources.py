"""Stage `sources`: the inventory of raw files, from a user's folder or a recipe of drawn people.

Lists, digests and reads captions; opens no picture. A folder of real people needs a consent
record; procedural people are drawn here, carry their own mark and need none.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mm_model.media.captions import read_caption, sidecar_of
from mm_model.media.consent import consent_for
from mm_model.media.failure import MediaError
from mm_model.media.folder import Found, media_below
from mm_model.media.names import shown, stored
from mm_model.records import SOURCES_COLUMNS, Counts, Reason, Status
from mm_model.stages.stage import Job, Report, Stage
from mm_model.store import atomic, digests, tables

PROCEDURAL = "procedural people: nobody real is shown"
"""What stands in the consent column of drawn people."""

_TYPES = {"bytes": "count", "synthetic": "flag", **tables.DECISION_TYPES}


def run(job: Job) -> Report:
    """Write `inventory.parquet` (one row a file) and `captions.json` (source_id to caption).

    Raises:
        UserError: no consent record, nothing found, or a recipe that cannot be met.
    """
    source = job.model("sources")
    if source.is_dir():
        consent = consent_for(source, job.profile.sources.consent)
        described = [
            (found, {"subject": shown(found.subject) if found.subject else None, "split": None,
                     "synthetic": False, "consent": consent.covers(found.relative.as_posix())})
            for found in media_below(source)
        ]  # fmt: skip
        place = source
    else:
        described = list(_drawn(job, source))
        place = job.layout.output(job.stage.name) / "files"
    rows, captions = _inventory(job, described, place)
    tables.write(job.out / "inventory.parquet", rows, SOURCES_COLUMNS, _TYPES)
    atomic.write_json(job.out / "captions.json", captions)
    return _report(rows, synthetic=not source.is_dir())


def _drawn(job: Job, recipe_file: Path) -> Iterator[tuple[Found, dict[str, Any]]]:
    """Draw the recipe's people into `out/files`; yield each file with what is known of it."""
    from mm_model.stages.sources_recipe import draw, load_recipe
    from mm_model.world.split import split_of

    folder = job.out / "files"
    truth = draw(load_recipe(recipe_file), folder, job)
    for found in media_below(folder):
        person = int(truth[found.relative.as_posix()]["person"])
        yield found, {"subject": found.subject, "split": split_of(person), "synthetic": True,
                      "consent": PROCEDURAL}  # fmt: skip


def _inventory(
    job: Job, described: list[tuple[Found, dict[str, Any]]], place: Path
) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
    rows, captions = [], {}
    for found, known in job.each(described, len(described), "digesting files"):
        source_id = hashlib.sha256(os.fsencode(found.relative)).hexdigest()[:16]
        rows.append(
            {
                "source_id": source_id,
                "name": shown(found.relative),
                "path": stored(_from_root(job, place / found.relative)),
                **known,
                **_digested(found),
            }
        )
        if caption := _caption(found):
            captions[source_id] = caption
    return rows, captions


def _from_root(job: Job, path: Path) -> Path:
    return path.relative_to(job.layout.root) if path.is_relative_to(job.layout.root) else path


def _digested(found: Found) -> dict[str, Any]:
    problem = found.problem
    if problem is None:
        try:
            size = found.path.stat().st_size
            return {"bytes": size, "sha256": digests.of_file(found.path), "status": Status.KEPT}
        except PermissionError:
            problem = MediaError(Reason.IO_UNREADABLE, "no permission to read the file")
        except OSError as error:
            problem = MediaError(Reason.SYS_IO, f"reading failed: {error.strerror}")
    failed = problem.reason.startswith("SYS_")
    return {
        "status": Status.FAILED if failed else Status.REJECTED,
        "reason": problem.reason,
        "message": problem.message,
    }


def _caption(found: Found) -> dict[str, str] | None:
    """{"text": ...} or {"problem": ...} of the sidecar; None without one."""
    try:
        text = read_caption(sidecar_of(found.path))
    except (ValueError, OSError) as error:
        return {"problem": str(error)}
    return {"text": text} if text else None


def _report(rows: list[dict[str, Any]], synthetic: bool) -> Report:
    counts = Counts.of_rows([r["status"] for r in rows], [r.get("reason") for r in rows])
    uncovered = sum(row["consent"] is None for row in rows)
    notes = []
    if not rows:
        notes.append("the folder holds no photographs or clips")
    if uncovered:
        notes.append(f"the consent record leaves out {uncovered} of {len(rows)} files")
    if not synthetic:
        notes.append("no age weights: that everyone shown is an adult rests on the consent record")
    metrics = {
        "files": len(rows),
        "bytes": sum(row.get("bytes") or 0 for row in rows),
        "subjects": len({row["subject"] for row in rows} - {None}),
        "synthetic": synthetic,
        "without_consent": uncovered,
        "age_gate": "synthetic" if synthetic else "unavailable",
    }
    return Report(counts, metrics, (), tuple(notes))


STAGE = Stage(
    name="sources",
    title="Raw files and their consent",
    version=1,
    takes=(),
    sections=("sources",),
    models=("sources",),
    run=run,
)
