"""The inventory of a source, item by item: where each lies, its digest, its consent, its caption.

What cannot be read is a row as well, with the reason.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mm_model.media import names
from mm_model.media.captions import CaptionError
from mm_model.media.failure import MediaError
from mm_model.media.names import shown, stored
from mm_model.records import Reason, Status
from mm_model.rows import Row
from mm_model.run.stage import Job
from mm_model.sources.port import Item, Source
from mm_model.store import digests
from mm_model.store.consents import Statement
from mm_model.store.walk import why

_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}")


Captions = dict[str, dict[str, str]]
"""Source id to what is said of its caption (see `_caption`)."""


def inventory(job: Job, source: Source, captions: Captions) -> Iterator[Row]:
    """Rows of `inventory.parquet`, one at a time; captions are put into `captions`."""
    for item in job.each(source.items(), len(source), "digesting files"):
        source_id = names.source_id(item.name)
        place, found = _kept(item, source_id, job)
        if item.caption is not None:
            captions[source_id] = _caption(item.caption, item.caption_origin)
        yield {
            "source_id": source_id,
            "name": shown(item.name),
            "path": stored(place),
            "subject": item.subject,
            "split": item.split,
            "synthetic": source.synthetic,
            **_stated(item.consent),
            "source": item.source,
            "licence": item.licence,
            "origin": item.origin,
            "framing": item.framing,
            **found,
        }


def _kept(item: Item, source_id: str, job: Job) -> tuple[Path, Row]:
    """Where the item will lie, and its digest or why it has none."""
    content = item.content
    if isinstance(content, Path):
        return _lasting(job, content), _digested(content, item.problem)
    # It has no file of its own yet, and its name may be anything.
    ending = item.name.suffix if _ENDING.fullmatch(item.name.suffix) else ""
    path = job.out / "files" / f"{source_id}{ending}"
    if item.problem is not None:
        return _lasting(job, path), _refused(item.problem)
    # Nobody sees the output before it is published whole, so it is written where it stays.
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    digest = digests.of_bytes(content)
    return _lasting(job, path), {"bytes": len(content), "sha256": digest, "status": Status.KEPT}


def _lasting(job: Job, path: Path) -> Path:
    """Where `path` lies once the output is published, from the root if it lies below."""
    out, root = Path(os.path.realpath(job.out)), job.layout.root
    for below in (job.out, out):
        if path.is_relative_to(below):
            path = job.layout.output(job.stage.name) / path.relative_to(below)
    return path.relative_to(root) if path.is_relative_to(root) else path


def _stated(statement: Statement | None) -> dict[str, str | None]:
    return {
        "consent": statement.id if statement else None,
        "consent_digest": statement.digest if statement else None,
    }


def _digested(path: Path, problem: MediaError | None) -> Row:
    size = None
    if problem is None:
        try:
            size = path.stat().st_size
            return {"bytes": size, "sha256": digests.of_file(path), "status": Status.KEPT}
        except PermissionError:
            problem = MediaError(Reason.IO_UNREADABLE, "no permission to read the file")
        except OSError as error:
            problem = MediaError(Reason.SYS_IO, f"reading failed: {why(error)}")
    return _refused(problem) | {"bytes": size}


def _refused(problem: MediaError) -> Row:
    failed = problem.reason.startswith("SYS_")
    return {
        "status": Status.FAILED if failed else Status.REJECTED,
        "reason": problem.reason,
        "reason_value": problem.value,
        "reason_threshold": problem.threshold,
        "message": problem.message,
    }


def _caption(said: str | CaptionError, origin: str | None) -> dict[str, str]:
    """{"text": ...}, or {"problem": ..., "message": ...} where there is none to be read.

    Beside a text that is not the file's own stands its "origin".
    """
    if isinstance(said, CaptionError):
        return {"problem": said.problem, "message": str(said)}
    return {"text": said} | ({"origin": origin} if origin else {})
