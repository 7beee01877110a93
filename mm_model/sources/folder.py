"""The source that is a folder of photographs and clips, with a record of consent."""

from collections.abc import Iterator
from pathlib import Path

from mm_model.media.names import shown
from mm_model.run.stage import Job
from mm_model.sources.listed import Listed
from mm_model.sources.port import Item, Remarks
from mm_model.sources.told import Own, Told, told_of


def fits(path: Path) -> bool:
    """Any folder."""
    return path.is_dir()


def opened(path: Path, job: Job) -> "Folder":
    """The folder; nothing of it is listed without a record of consent.

    Raises:
        UserError: no consent record, or the folder cannot be listed.
    """
    return Folder(path, told_of(path, job))


class Folder:
    """See `port.Source`.

    Raises:
        UserError: the folder cannot be listed.
    """

    synthetic = False

    def __init__(self, path: Path, told: Told) -> None:
        self._told = told
        self._listed = Listed(path, told.terms.captions)

    def __len__(self) -> int:
        return len(self._listed.media)

    def items(self) -> Iterator[Item]:
        """Each candidate; its first-level folder is who it shows, where folders are people."""
        people = self._told.terms.people == "folders"
        for found in self._listed.media:
            own = Own(
                caption=self._listed.caption_of(found),
                keyframe=self._listed.keyframe_of(found),
                subject=shown(found.subject) if people and found.subject else None,
            )
            yield self._told.item(found.relative, found.path, found.problem, own)

    def remarks(self) -> Remarks:
        """What is to be said of the folder."""
        return self._listed.remarks()
