"""The source that is a folder of strangers' photographs and clips, with a record of consent."""

from collections.abc import Iterator
from pathlib import Path

from mm_model.media.consent import consent_for, keep
from mm_model.media.names import shown
from mm_model.run.stage import Job
from mm_model.sources.listed import Listed
from mm_model.sources.port import Item, Remarks
from mm_model.store.consents import Statement


def fits(path: Path) -> bool:
    """Any folder."""
    return path.is_dir()


def opened(path: Path, job: Job) -> "Folder":
    """The folder; nothing of it is listed without a record of consent.

    Raises:
        UserError: no consent record, or the folder cannot be listed.
    """
    return Folder(path, job)


class Folder:
    """See `port.Source`."""

    synthetic = False

    def __init__(self, path: Path, job: Job) -> None:
        named = job.profile.sources.consent
        self._consent = consent_for(path, Statement(named) if named else None)
        self._statement = keep(self._consent.statement, job.layout.root)
        self._listed = Listed(path)

    def __len__(self) -> int:
        return len(self._listed.media)

    def items(self) -> Iterator[Item]:
        """Each candidate; its first-level folder is who it shows."""
        for found in self._listed.media:
            covered = self._consent.covers(found.relative.as_posix())
            yield Item(
                found.relative,
                content=found.path,
                problem=found.problem,
                caption=self._listed.caption_of(found),
                consent=self._statement if covered else None,
                subject=shown(found.subject) if found.subject else None,
            )

    def remarks(self) -> Remarks:
        """What is to be said of the folder."""
        return self._listed.remarks()
