"""What somebody asks for: photographs, whose use is agreed to, and a sentence.

A photograph is a file, or each picture that lies directly in a folder of one person's photographs;
a folder's `consent.yaml` counts. Reads bytes and opens no picture. The result is a record as a
server takes it, so that the same rules refuse it with the same sentences.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.media import consent as records
from mm_model.media import names
from mm_model.media.folder import MediaFile, media_below
from mm_model.media.sniff import HEAD_BYTES, IMAGE_KINDS, kind_of
from mm_model.serving.consent import parse
from mm_model.settings import ServeSettings
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.store.consents import is_of_words
from mm_model.store.walk import why

_NAMED = 4
"""How many files that are left out are named; of the others one is told the number."""


@dataclass(frozen=True)
class Photographs:
    """Files that are shown to the model, what they hold, and what their folders' records state.

    consents: one for each folder with a record. unstated: a file whose folder says nothing of it.
    in_words: folders whose record states a basis in words alone.
    unused: how many pictures of the folders are not shown. left_out: what else of them is not, in
    words, a line a folder and reason.
    """

    paths: tuple[Path, ...]
    contents: tuple[bytes, ...]
    _: KW_ONLY
    consents: tuple[dict[str, str], ...] = ()
    unstated: bool = True
    unused: int = 0
    in_words: tuple[Path, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def digests(self) -> list[str]:
        """Hex SHA-256 of each file."""
        return [digests.of_bytes(content) for content in self.contents]


def photographs(given: Sequence[Path], limits: ServeSettings) -> Photographs:
    """The photographs of `given` files and folders; of a folder's pictures the first by name, as
    many as the files beside it leave room for, and at least one.

    Raises:
        UserError: one is not there, cannot be read, or is a folder without a picture that its
            consent record covers.
    """
    paths: list[Path] = []
    consents: list[dict[str, str]] = []
    unstated, unused = False, 0
    in_words: list[Path] = []
    left_out: list[str] = []
    folders = sum(place.is_dir() for place in given)
    room = limits.max_references - (len(given) - folders)
    for place in given:
        if not (place.is_dir() or place.is_file()):
            gone = "is not there" if not place.exists() else "is neither a file nor a folder"
            raise UserError(f"{place} {gone}: name a photograph, or a folder of them.")
        if not place.is_dir():
            paths.append(place)
            unstated = True
            continue
        found, stated, others = _in_folder(place)
        folders -= 1
        shown = found[: max(1, room - folders)]  # each folder after this one has one of its own
        room -= len(shown)
        paths += shown
        unused += len(found) - len(shown)
        left_out += others
        if stated is None:
            unstated = True
            in_words += [place] if (place / records.NAME).is_file() else []
        elif stated not in consents:
            consents.append(stated)
    contents = tuple(_content(path, limits.max_reference_bytes) for path in paths)
    return Photographs(
        tuple(paths),
        contents,
        consents=tuple(consents),
        unstated=unstated,
        unused=unused,
        in_words=tuple(in_words),
        left_out=tuple(left_out),
    )


def _in_folder(folder: Path) -> tuple[list[Path], dict[str, str] | None, list[str]]:
    """The pictures directly in `folder` that its record covers, what the record states, and what
    is left out, in words."""
    record = records.consent_for(folder, None) if (folder / records.NAME).is_file() else None
    found = media_below(folder)
    direct = [one for one in found if one.subject is None]
    deeper = [one for one in found if one.subject is not None]
    pictures, others = _parted(direct, lambda one: one.problem is None and _is_picture(one.path))
    reasons = [(others, "no JPEG, PNG or WebP picture"), (deeper, "in a folder of its own")]
    if not pictures:
        raise UserError(_without(folder, reasons))
    covered = pictures
    if record is not None:
        covered, not_covered = _parted(pictures, lambda one: record.covers(one.relative.as_posix()))
        reasons.append((not_covered, f"not covered by {records.NAME}"))
    if not covered:
        raise UserError(
            f"{folder / records.NAME} covers none of the pictures there: list them under 'files:'."
        )
    left_out = [
        f"left out of {folder}, as {why_not}: {_names(ones)}" for ones, why_not in reasons if ones
    ]
    return [one.path for one in covered], None if record is None else _stated(record), left_out


def _parted(
    found: list[MediaFile], wanted: Callable[[MediaFile], bool]
) -> tuple[list[MediaFile], list[MediaFile]]:
    """Those that are wanted, and the others."""
    parts: tuple[list[MediaFile], list[MediaFile]] = ([], [])
    for one in found:
        parts[not wanted(one)].append(one)
    return parts


def _without(folder: Path, reasons: list[tuple[list[MediaFile], str]]) -> str:
    """The sentence for a folder that has no picture, with what it has instead."""
    instead = [f"{why_not}: {_names(ones)}" for ones, why_not in reasons if ones]
    has = f" ({'; '.join(instead)})" if instead else ""
    return (
        f"{folder} holds no JPEG, PNG or WebP picture of its own{has}: name a folder of one "
        "person's photographs, or the files."
    )


def _names(found: list[MediaFile]) -> str:
    """The first few names, and how many there are."""
    first = ", ".join(names.shown(one.relative) for one in found[:_NAMED])
    more = len(found) - _NAMED
    return f"{first} and {more} more" if more > 0 else first


def _stated(record: records.ConsentRecord) -> dict[str, str] | None:
    """What a record states as basis:evidence; None where it says it in words alone."""
    if record.statement is None or is_of_words(record.statement.id):
        return None
    said = parse(record.statement.id)
    return {"basis": said.basis.value, "evidence": said.evidence}


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return kind_of(file.read(HEAD_BYTES)) in IMAGE_KINDS
    except OSError:
        return False


def _content(path: Path, most: int) -> bytes:
    """The file, or of a larger one just enough for it to be refused as too large."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({why(error)}): name a photograph.") from None


def consent_of(shown: Photographs, stated: str | None) -> dict[str, str]:
    """The consent of a request: what is `stated` as basis:evidence, else what the folders state.

    Raises:
        UserError: a photograph has neither, or the folders state different things.
    """
    if stated is not None:
        said = parse(stated)
        return {"basis": said.basis.value, "evidence": said.evidence}
    for folder in shown.in_words:
        raise UserError(
            f"{folder / records.NAME} states its basis in words: make it <basis>:<evidence> there, "
            "as in written:form-17, or say so with --consent."
        )
    if shown.unstated or not shown.consents:
        parse("")
    if len(shown.consents) > 1:
        raise UserError(
            "The folders state different consents: say which holds with --consent basis:evidence."
        )
    return shown.consents[0]


def record_of(
    shown: Photographs, consent: dict[str, str], prompt: str, values: Document
) -> Document:
    """The record of a request; `values` are its other fields, None where the model's own hold."""
    return {
        "prompt": prompt,
        "reference_images": [base64.b64encode(one).decode("ascii") for one in shown.contents],
        "consent": consent,
        **{name: value for name, value in values.items() if value is not None},
    }
