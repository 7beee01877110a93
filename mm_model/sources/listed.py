"""A folder of files as every source on disk reads it: who lies there, captions beside them."""

from functools import cached_property
from pathlib import Path

from mm_model.media.captions import CaptionError, Sidecars, read_caption, sidecars
from mm_model.media.folder import MediaFile, contents_of
from mm_model.media.names import shown
from mm_model.sources.port import Remarks


class Listed:
    """The candidates below `folder`, their captions, and what is to be said of the folder.

    Raises:
        UserError: `folder` itself cannot be listed.
    """

    def __init__(self, folder: Path) -> None:
        self._contents = contents_of(folder)

    @property
    def media(self) -> list[MediaFile]:
        """Every candidate, in order."""
        return self._contents.media

    @cached_property
    def _beside(self) -> Sidecars:
        return sidecars(self._contents.media, self._contents.texts)

    def caption_of(self, found: MediaFile) -> str | CaptionError | None:
        """The caption in the file beside a candidate, or why that gives none."""
        own = self._beside.of.get(found.relative)
        if not own:
            return None
        try:
            return read_caption(own[0])
        except CaptionError as error:
            return error

    def remarks(self) -> Remarks:
        """Folders that could not be listed, and caption files that nobody uses."""
        beside, notes = self._beside, []
        if unlisted := [found for found in self.media if found.unlisted]:
            notes.append(
                f"folders that could not be listed, each with an unknown number of files: "
                f"{len(unlisted)}, e.g. {shown(unlisted[0].relative)}: {unlisted[0].problem}"
            )
        notes += _on_captions(beside)
        unused = len(beside.stray) + sum(len(texts) - 1 for texts in beside.of.values())
        return Remarks(tuple(notes), unused)


def _on_captions(beside: Sidecars) -> list[str]:
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
