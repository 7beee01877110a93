"""Stage `sources`: the inventory of raw files, from a user's folder or a recipe of drawn people.

Lists, digests and reads captions; opens no picture. A folder of real people needs a consent
record; procedural people are drawn here, carry their own mark and need none.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from mm_model.media.captions import CaptionError, Sidecars, read_caption, sidecars
from mm_model.media.consent import consent_for, keep
from mm_model.media.failure import MediaError
from mm_model.media.folder import Contents, Found, contents_of
from mm_model.media.names import shown, stored
from mm_model.records import SOURCES_COLUMNS, Counts, Reason, Status
from mm_model.run.stage import Job, Report, Stage
from mm_model.store import atomic, digests, tables
from mm_model.store.consents import Statement
from mm_model.store.walk import why

PROCEDURAL = Statement("synthetic:procedural")
"""What stands for the consent of drawn people."""

_TYPES = {"bytes": "count", "synthetic": "flag", **tables.DECISION_TYPES}


def run(job: Job) -> Report:
    """Write `inventory.parquet` (one row a file) and `captions.json` (source_id to caption).

    A row stands for what could not be looked into as well: a folder without permission, a link
    that leads nowhere.

    Raises:
        UserError: no consent record, nothing found, or a recipe that cannot be met.
    """
    source = job.model("sources")
    drawn = not source.is_dir()
    if drawn:
        place = job.layout.output(job.stage.name) / "files"
        contents, described = _drawn(job, source)
    else:
        place = source
        named = job.profile.sources.consent
        consent = consent_for(source, Statement(named) if named else None)
        statement = keep(consent.statement, job.layout.root)
        contents = contents_of(source)
        described = [
            (found, {"subject": shown(found.subject) if found.subject else None, "split": None,
                     "synthetic": False,
                     **_stated(statement if consent.covers(found.relative.as_posix()) else None)})
            for found in contents.media
        ]  # fmt: skip
    beside = sidecars(contents.media, contents.texts)
    rows, captions = _inventory(job, described, place, beside)
    tables.write(job.out / "inventory.parquet", rows, SOURCES_COLUMNS, _TYPES)
    atomic.write_json(job.out / "captions.json", captions)
    return _report(rows, contents, beside, drawn)


def _drawn(job: Job, recipe_file: Path) -> tuple[Contents, list[tuple[Found, dict[str, Any]]]]:
    """Draw the recipe's people into `out/files`; what lies there, each file with what is known."""
    from mm_model.embedded.people.split import split_of
    from mm_model.sources.recipe import draw, load_recipe

    folder = job.out / "files"
    truth = draw(load_recipe(recipe_file), folder, job)
    contents, described = contents_of(folder), []
    for found in contents.media:
        person = int(truth[found.relative.as_posix()]["person"])
        described.append((found, {"subject": found.subject, "split": split_of(person),
                                  "synthetic": True, **_stated(PROCEDURAL)}))  # fmt: skip
    return contents, described


def _stated(statement: Statement | None) -> dict[str, str | None]:
    return {
        "consent": statement.id if statement else None,
        "consent_digest": statement.digest if statement else None,
    }


def _inventory(
    job: Job, described: list[tuple[Found, dict[str, Any]]], place: Path, beside: Sidecars
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
        if own := beside.of.get(found.relative):
            captions[source_id] = _caption(own[0])
    return rows, captions


def _from_root(job: Job, path: Path) -> Path:
    return path.relative_to(job.layout.root) if path.is_relative_to(job.layout.root) else path


def _digested(found: Found) -> dict[str, Any]:
    problem, size = found.problem, None
    if problem is None:
        try:
            size = found.path.stat().st_size
            return {"bytes": size, "sha256": digests.of_file(found.path), "status": Status.KEPT}
        except PermissionError:
            problem = MediaError(Reason.IO_UNREADABLE, "no permission to read the file")
        except OSError as error:
            problem = MediaError(Reason.SYS_IO, f"reading failed: {why(error)}")
    failed = problem.reason.startswith("SYS_")
    return {
        "bytes": size,
        "status": Status.FAILED if failed else Status.REJECTED,
        "reason": problem.reason,
        "message": problem.message,
    }


def _caption(sidecar: Found) -> dict[str, str]:
    """{"text": ...}, or {"problem": ..., "message": ...} where the file gives none."""
    try:
        return {"text": read_caption(sidecar)}
    except CaptionError as error:
        return {"problem": error.problem, "message": str(error)}


def _report(
    rows: list[dict[str, Any]], contents: Contents, beside: Sidecars, synthetic: bool
) -> Report:
    counts = Counts.of_rows([r["status"] for r in rows], [r.get("reason") for r in rows])
    uncovered = sum(row["consent"] is None for row in rows)
    notes = []
    if not rows:
        notes.append("the folder holds no photographs or clips")
    if uncovered:
        notes.append(f"the consent record leaves out {uncovered} of {len(rows)} files")
    if unlisted := [found for found in contents.media if found.unlisted]:
        notes.append(
            f"folders that could not be listed, each with an unknown number of files: "
            f"{len(unlisted)}, e.g. {shown(unlisted[0].relative)}: {unlisted[0].problem}"
        )
    notes += _caption_notes(beside)
    if not synthetic:
        notes.append("no age weights: that everyone shown is an adult rests on the consent record")
    metrics = {
        "files": len(rows),
        "bytes": sum(row.get("bytes") or 0 for row in rows),
        "subjects": len({row["subject"] for row in rows} - {None}),
        "synthetic": synthetic,
        "without_consent": uncovered,
        "age_gate": "synthetic" if synthetic else "unavailable",
        "caption_files_unused": len(beside.stray) + sum(len(t) - 1 for t in beside.of.values()),
    }
    return Report(counts, metrics, (), tuple(notes))


def _caption_notes(beside: Sidecars) -> list[str]:
    notes = []
    if crowded := beside.crowded:
        media, texts = next(iter(crowded.items()))
        notes.append(
            f"files with more than one caption file: {len(crowded)}, e.g. {shown(media)}: "
            f"{shown(texts[0].relative)} is used, {shown(texts[1].relative)} is not"
        )
    if stray := beside.stray:
        notes.append(
            f"text files that caption no photograph or clip: {len(stray)}, e.g. "
            f"{shown(stray[0].relative)}"
        )
    return notes


STAGE = Stage(
    name="sources",
    title="Raw files and their consent",
    version=3,
    takes=(),
    sections=("sources",),
    models=("sources",),
    run=run,
)
