"""What a folder of raw media says of itself: `source.yaml`, and what holds where there is none.

Its kind, licence and origin, on what basis who is shown may be used, and what becomes of captions.
Every entry may be absent. The words of a consent go where `media.consent` puts them.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from mm_model.errors import UserError
from mm_model.media.captions import clean
from mm_model.store import handwritten
from mm_model.store.consents import EVIDENCE, Basis, Statement, stated
from mm_model.store.walk import why

NAME = "source.yaml"

Kind: TypeAlias = Literal["folder", "tars", "index", "collection"]

BORDERS = "borders"
"""`framing` of a source whose pictures training shows whole, between black borders."""

WHO = "{who}"
"""In a line of a pool: who is shown, as in "a woman"."""

_MARKS = re.compile(r"\{[^{}]*\}")
_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_OF_ONE = {"table": "index", "columns": "index", "people": "folder", "largest_mb": "tars"}
_OF_ITEMS = ("licence", "origin", "captions", "framing")


def _line(value: str) -> str:
    if value != clean(value) or not value:
        raise ValueError("one line of plain text is needed")
    return value


def _below(value: str) -> str:
    """A relative path that stays below the folder it counts from."""
    path = Path(value)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in value:
        raise ValueError("a relative path without '..' is needed")
    return value


Line: TypeAlias = Annotated[str, Field(max_length=300), AfterValidator(_line)]
Below: TypeAlias = Annotated[str, AfterValidator(_below)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CaptionRules(_Strict):
    """Where a caption comes from: the file's own, a keyframe's, else a line of the pool.

    `own` false sets captions of the files' own aside. `keyframes` reads the first line of
    `<name>.keyframes.txt` beside a clip. `pool` is a list of lines, or a text file that holds one a
    line; which line a file gets depends on its name alone.
    """

    own: bool = True
    keyframes: bool = False
    pool: Annotated[list[Line], Field(min_length=1)] | Below | None = None

    @field_validator("pool")
    @classmethod
    def _only_who(cls, value: list[str] | str | None) -> list[str] | str | None:
        if isinstance(value, list) and any(set(_MARKS.findall(line)) - {WHO} for line in value):
            raise ValueError(f"the one thing that may stand in braces is {WHO}")
        return value


class Columns(_Strict):
    """Names of the columns of an index; None where it has none of that kind."""

    path: str | None = None
    caption: str | None = None
    keyframe: str | None = None
    licence: str | None = None
    origin: str | None = None
    subject: str | None = None


def _nothing_said(value: Any) -> Any:
    """`name:` with nothing behind it is a source of which nothing is said here."""
    if not isinstance(value, dict):
        return value
    return {name: {} if said is None else said for name, said in value.items()}


class Terms(_Strict):
    """One `source.yaml`.

    `people` says whether first-level folders are people, of a `folder`; `largest_mb` is the largest
    member that is read, of `tars`; `table` and `columns` are of an `index`, `sources` of a
    `collection`. `framing`: what a training frame is made of: what lies around the face, or the
    whole picture, with black borders where its shape is not the frame's.
    """

    kind: Kind = "folder"
    licence: Line | None = None
    origin: Line | None = None
    consent: Annotated[str, Field(min_length=3, max_length=300)] | None = None
    adults: Literal[True] | None = None
    people: Literal["folders", "unknown"] = "folders"
    captions: CaptionRules = CaptionRules()
    framing: Literal["face", "borders"] = "face"
    largest_mb: Annotated[int, Field(ge=1, le=65536)] = 256
    table: Below | None = None
    columns: Columns = Columns()
    sources: Annotated[dict[str, "Part"], BeforeValidator(_nothing_said)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = self.model_fields_set
        many = self.kind == "collection"
        if stray := [name for name in _OF_ITEMS if name in given and many]:
            raise ValueError(f"{stray[0]} is said for each of a collection's sources, not for all")
        for name, kind in _OF_ONE.items():
            if name in given and self.kind != kind:
                raise ValueError(f"{name} is for 'kind: {kind}' alone")
        if many != bool(self.sources):
            raise ValueError("'kind: collection' and 'sources:' go together")
        if self.consent and not self.adults and not self._of_nobody_real():
            raise ValueError("consent needs 'adults: true' beside it, unless it is synthetic:<id>")
        # In an index and in the samples of tars, a licence may stand beside each file.
        if self.adults and not (self.consent or self.licence or self.kind in ("index", "tars")):
            raise ValueError("'adults: true' needs a licence or a consent beside it")
        return self

    @field_validator("sources")
    @classmethod
    def _plain_names(cls, value: dict[str, "Part"] | None) -> dict[str, "Part"] | None:
        if bad := [name for name in value or () if not _SOURCE.fullmatch(name)]:
            short = bad[0][:32]
            raise ValueError(f"{short!r} is no name of a source: small letters, digits, - and _")
        return value

    def _of_nobody_real(self) -> bool:
        return bool(self.consent) and stated(str(self.consent)).id.startswith(Basis.SYNTHETIC)

    def statement(self, licence: str | None = None) -> Statement | None:
        """On what basis a file of this licence (None: the source's) may be used, as said here.

        The consent that is named; else, where all shown are adults, the licence.
        """
        licence = licence or self.licence
        if self.consent:
            return stated(self.consent)
        return Statement(f"{Basis.LICENCE}:{slug(licence)}") if self.adults and licence else None


class Part(Terms):
    """One source of a collection; `folder` is where it lies, absent: its name."""

    folder: Below | None = None

    @field_validator("kind")
    @classmethod
    def _one_source(cls, value: Kind) -> Kind:
        if value == "collection":
            raise ValueError("a collection holds no other collection: list its sources here")
        return value


Terms.model_rebuild()


def slug(licence: str) -> str:
    """A licence as the id of evidence: what an id cannot hold becomes a dash, the end is cut."""
    plain = re.sub(r"[^A-Za-z0-9._:-]+", "-", licence).strip("-._:")[:64]
    return plain if EVIDENCE.fullmatch(plain) else "unnamed"


def terms_of(folder: Path) -> Terms:
    """What `folder` says of itself; everything as usual where it says nothing.

    Raises:
        UserError: its `source.yaml` cannot be read, or says what nobody can mean.
    """
    path = folder / NAME
    try:
        if not path.is_file():
            return Terms()
        content = handwritten.read(path.read_text("utf-8")).content
        return Terms.model_validate({} if content is None else content)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({why(error)}), so nothing of the folder is used: give this "
            "user permission to read it."
        ) from None
    except handwritten.Twice as error:
        one, other = error.lines
        raise UserError(
            f"{path}: the same key stands twice (lines {one} and {other}): leave one of them."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise UserError(f"{path} is no valid YAML: docs/real-media.md shows one.") from None
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error)}: mend that value.") from None


def _first(error: ValidationError) -> str:
    """Where the first mistake lies, as far as names are known, and what it is."""
    first = error.errors()[0]
    # A sentence may stand where the name of a field should: it is not repeated.
    where = [str(part) for part in first["loc"] if _SOURCE.fullmatch(str(part))]
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        said = "there is no such entry"
    elif first["type"] == "model_type":
        said = "lines of the form '<name>: <value>' are needed"
    return f"{'.'.join(where)}: {said}" if where else said


def parts_of(folder: Path, terms: Terms) -> dict[str, tuple[Path, Terms]]:
    """Of a collection: name to folder and terms of each source, in order; else empty.

    What the collection says of a source goes, and what the source's own `source.yaml` says where
    the collection says nothing.

    Raises:
        UserError: no such folder, one inside another, or both files say something of a source.
    """
    found: dict[str, tuple[Path, Terms]] = {}
    for name, entry in sorted((terms.sources or {}).items()):
        place = folder / (entry.folder or name)
        said = f"{folder / NAME}: sources.{name}"
        if not place.is_dir() or not place.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{said}: {place} is no folder inside {folder}: name one that is.")
        for other, (there, _) in found.items():
            if there.resolve() in (place.resolve(), *place.resolve().parents) or (
                place.resolve() in there.resolve().parents
            ):
                raise UserError(f"{said}: its folder and that of {other} lie in one another.")
        own = (place / NAME).is_file()
        if own and entry.model_fields_set - {"folder"}:
            raise UserError(f"{said}: {place / NAME} says it too: leave one of them.")
        found[name] = place, terms_of(place) if own else entry
        if found[name][1].kind == "collection":
            raise UserError(f"{place / NAME}: a collection holds no other: list its sources above.")
    return found


def pool_of(folder: Path, captions: CaptionRules) -> tuple[str, ...]:
    """The lines of the pool, read from its file where it names one; empty without a pool.

    Raises:
        UserError: the file cannot be read, holds no line, or one with something else in braces.
    """
    if not isinstance(captions.pool, str):
        return tuple(captions.pool or ())
    path = folder / captions.pool
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{path} leads out of the folder: put the pool's file into it.")
        with path.open("rb") as handle:
            text = handle.read(1 << 22).decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}, the pool of captions, cannot be read ({why(error)}).") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}, the pool of captions, is no UTF-8: save it as such.") from None
    lines = tuple(line for line in map(clean, text.splitlines()) if line)
    if not lines:
        raise UserError(f"{path}, the pool of captions, holds no line: write one a line.")
    if odd := [line for line in lines if set(_MARKS.findall(line)) - {WHO}]:
        raise UserError(
            f"{path}: the one thing that may stand in braces is {WHO}, unlike in {odd[0][:80]!r}."
        )
    return lines
