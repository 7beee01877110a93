"""Where a clip and its record lie: what may be written there, and that all of it is or nothing.

Several shots are the file that was named and one each beside it, as `out-shot1.mp4`. A picture is
a PNG, a clip an MP4.
"""

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from mm_model.commands.generate import interrupt
from mm_model.commands.generate.sidecar import MadeKind, Sidecar
from mm_model.errors import UserError
from mm_model.serving import fields
from mm_model.store import atomic, digests, documents
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.store.walk import why

SUFFIXES = {MadeKind.CLIP: ".mp4", MadeKind.PICTURE: ".png"}


@dataclass(frozen=True)
class FinishedClip:
    """A finished clip or picture and its record; `shots`: its parts, where there are several."""

    whole: bytes
    said: Sidecar
    _: KW_ONLY
    shots: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class ClipFiles:
    """The names of a clip, its shots and its record; nothing says that they are free."""

    target: Path
    shots: int = 0

    @property
    def record(self) -> Path:
        """The record beside it."""
        return self.target.with_suffix(".json")

    @property
    def each(self) -> tuple[Path, ...]:
        """A file for each shot, none where there is one alone."""
        stem = self.target.stem
        return tuple(self.target.with_stem(f"{stem}-shot{n}") for n in range(1, self.shots + 1))

    @property
    def files(self) -> tuple[Path, ...]:
        """All that is written."""
        return (self.target, *self.each, self.record)

    def free(self) -> "ClipFiles":
        """This one, or where somebody wrote there meanwhile the first free one like it."""
        tried, number = self, 1
        while any(os.path.lexists(path) for path in tried.files):
            number += 1
            named = self.target.with_stem(f"{self.target.stem}-{number}")
            tried = ClipFiles(named, self.shots)
        return tried


def begun(layout: Layout, asked: Document, target: Path | None) -> tuple[Document, MadeKind, Path]:
    """What was asked for with its seed, drawn where none is given; what is made, and where."""
    values = dict(asked)
    if values.get("seed") is None:
        values["seed"] = secrets.randbelow(fields.MAX_SEED + 1)
    if values.get("num_frames") is None and target is not None and target.suffix == ".png":
        values["num_frames"] = 1
    kind = MadeKind.PICTURE if values.get("num_frames") == 1 else MadeKind.CLIP
    usual = layout.root / "work" / layout.profile / "clips" / f"{values['seed']}{SUFFIXES[kind]}"
    return values, kind, target or usual


def of(target: Path, prompts: Sequence[str]) -> ClipFiles:
    """The place of a clip of so many shots."""
    return ClipFiles(target, len(prompts) if len(prompts) > 1 else 0)


def refuse_kind(target: Path, kind: MadeKind) -> None:
    """Raises `UserError` where a picture is named as a clip, or a clip as a picture."""
    if target.suffix == SUFFIXES[kind]:
        return
    if kind is MadeKind.PICTURE:
        raise UserError(
            f"One frame is a picture, and {target} is the name of a clip: name one that ends in "
            ".png, as out.png, or ask for more frames with --frames (FRAMES=... for make)."
        )
    raise UserError(
        f"{target} is the name of a picture, which is one frame: leave --frames out, or name one "
        "that ends in .mp4, as out.mp4."
    )


@contextlib.contextmanager
def kept_free(place: ClipFiles, force: bool) -> Iterator[None]:
    """The clip's place while it is made: writable, and free. Its folder is made when it is written,
    and does not stay empty.

    Raises:
        UserError: the clip or its record cannot be written, or would replace something.
    """
    made = []
    with contextlib.suppress(OSError):
        made = [folder for folder in place.target.absolute().parents if not folder.exists()]
    try:
        _refuse(place, force)
        yield
    finally:
        for folder in made:  # the innermost first
            with contextlib.suppress(OSError):  # something lies there
                folder.rmdir()


def _refuse(place: ClipFiles, force: bool) -> None:
    """Before work starts: all of it can be written, and nothing is replaced."""
    target = place.target
    if target.suffix not in SUFFIXES.values():
        raise UserError(
            f"{target} is no name of a clip: name one that ends in .mp4, as out.mp4, or for a "
            "picture in .png."
        )
    for path in place.files:
        with contextlib.suppress(OSError):  # such as a name that is too long
            if path.is_dir():
                raise UserError(f"{path} is a folder: name another clip with -o.")
        if os.path.lexists(path) and not force:
            raise UserError(
                f"{path} exists and stays as it is: name another clip with -o, or add --force "
                "(FORCE=1 for make) to replace it."
            )
    try:
        _try_names(place)
    except OSError as error:
        raise UserError(
            f"{target} cannot be written ({why(error)}): name another clip with -o."
        ) from None


def _try_names(place: ClipFiles) -> None:
    """Raises `OSError` where the files could not be made; no folder is made for that."""
    above = next(one for one in place.target.absolute().parents if os.path.lexists(one))
    with tempfile.TemporaryFile(dir=above):
        pass
    for path in place.files:
        for name in (path, *(above / part for part in path.absolute().relative_to(above).parts)):
            with contextlib.suppress(FileNotFoundError):  # a name may be too long
                name.lstat()


def write(made: FinishedClip, place: ClipFiles) -> None:
    """Write all of it; nothing takes its place before all is whole on disk. Further shots of the
    clip that it replaces go with it.
    """
    surplus = list(_surplus(place))
    record = json.dumps(made.said.as_dict(), indent=1, sort_keys=True, allow_nan=False) + "\n"
    with (
        interrupt.held_back(),  # or the clip might lie there without its record
        contextlib.ExitStack() as aside,
    ):
        said = aside.enter_context(atomic.written_aside(place.record))
        for path, shot in zip((place.target, *place.each), (made.whole, *made.shots), strict=True):
            aside.enter_context(atomic.written_aside(path)).write_bytes(shot)
        said.write_text(record, "utf-8")
    for path in surplus:
        path.unlink(missing_ok=True)


def _surplus(place: ClipFiles) -> Iterator[Path]:
    """Shots that the record there calls its own, byte for byte, and the new clip has not."""
    known = documents.read_or_empty(place.record).get("shots_sha256")
    before = known if isinstance(known, list) else []
    shots = ClipFiles(place.target, len(before)).each
    for path, digest in list(zip(shots, before, strict=True))[place.shots :]:
        if path.is_file() and digests.of_file(path) == digest:
            yield path
