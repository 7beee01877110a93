"""A folder of files as every source on disk reads it: who lies there, captions beside them."""

from functools import cached_property
from pathlib import Path

from mm_model.media.captions import (
    MAX_BYTES,
    CaptionError,
    Sidecars,
    first_line,
    read_caption,
    sidecars,
)
from mm_model.media.folder import Contents, MediaFile, contents_of
from mm_model.media.names import shown
from mm_model.media.terms import CaptionRules
from mm_model.records import CaptionProblem
from mm_model.sources.port import Remarks
from mm_model.store.walk import why

KEYFRAMES = ".keyframes.txt"
"""What the name of a clip's captions of keyframes ends with, in place of the clip's ending."""


class Listed:
    """The candidates below `folder`, their captions, and what is to be said of the folder.

    `rules` say whether captions of keyframes are read, and which file is the pool.

    Raises:
        UserError: `folder` itself cannot be listed.
    """

    def __init__(self, folder: Path, rules: CaptionRules | None = None) -> None:
        found, rules = contents_of(folder), rules or CaptionRules()
        pool = Path(rules.pool) if isinstance(rules.pool, str) else None
        texts = [one for one in found.texts if one.relative != pool]
        self._keyframes: dict[Path, MediaFile] = {}
        if rules.keyframes:
            stems = {one.relative.with_suffix("") for one in found.media}
            for one in [text for text in texts if text.relative.name.endswith(KEYFRAMES)]:
                stem = one.relative.with_name(one.relative.name.removesuffix(KEYFRAMES))
                if stem in stems:
                    self._keyframes[stem] = one
                    texts.remove(one)
        self._contents = Contents(found.media, texts)

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

    def keyframe_of(self, found: MediaFile) -> str | CaptionError | None:
        """The first caption of a keyframe of a candidate, or why there is none to be read."""
        own = self._keyframes.get(found.relative.with_suffix(""))
        if own is None or own.problem is not None:
            return None
        try:
            with own.path.open("rb") as handle:
                return first_line(handle.read(MAX_BYTES))
        except OSError as error:
            problem = CaptionProblem.UNREADABLE
            return CaptionError(problem, f"the keyframes' captions cannot be read ({why(error)})")

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
