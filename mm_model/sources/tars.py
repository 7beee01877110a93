"""The source that is a folder of tars (or one tar) whose members are samples, as WebDataset has it.

`000000123.jpg`, `000000123.txt` and `000000123.json` are one sample: a picture or clip, its
caption, and what is known of it (`caption`, `licence`, `url`). A member's bytes are read when its
item is asked for and let go after it; no name of a member leads to any file. Nothing is unpickled.
A packed tar (`packed.PACKED`) is unpacked as it is read, within bounds.
"""

import errno
import json
import posixpath
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mm_model.media.captions import (
    MAX_BYTES,
    CaptionError,
    caption_in,
    caption_of,
    clean,
    first_line,
)
from mm_model.media.failure import MediaError
from mm_model.media.folder import Contents, MediaFile, contents_of
from mm_model.media.names import shown, tar_ending
from mm_model.media.terms import terms_of
from mm_model.records import Reason
from mm_model.run.stage import Job
from mm_model.sources.members import Bytes, Member, Plain, members
from mm_model.sources.packed import PACKED, Unpacked
from mm_model.sources.port import Item, Remarks
from mm_model.sources.told import Own, Said, Told, told_of
from mm_model.store import digests
from mm_model.store.walk import why

MEDIA = frozenset(
    "jpg jpeg jpe jfif png webp gif bmp tif tiff avif heic heif mp4 m4v mov webm mkv avi".split()
)
"""Endings of members that are taken for pictures and clips; stage `ingest` tells by the bytes."""

_MOST_OF_SAMPLE = 64
_CAPTION, _KEYFRAMES, _KNOWN = "txt", "keyframes.txt", "json"


def fits(path: Path) -> bool:
    """A tar, or a folder that says that it is one of tars."""
    if path.is_dir():
        return terms_of(path).kind == "tars"
    return tar_ending(path) is not None


def opened(path: Path, job: Job) -> "Tars":
    """The tars at `path`; none is looked into without a record of consent.

    Raises:
        UserError: no consent record, or the folder cannot be listed.
    """
    return Tars(path, told_of(path, job))


@dataclass
class Sample:
    """Members of one key that follow each other: its pictures and clips, and what goes with them.

    `problem` is what is wrong with the sample as a whole.
    """

    key: str
    media: list[Member] = field(default_factory=list)
    beside: dict[str, Member] = field(default_factory=dict)
    problem: MediaError | None = None


@dataclass
class _Notes:
    """How many members are of no use, by what they are, with an example of each."""

    number: Counter[str] = field(default_factory=Counter)
    example: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, shard: MediaFile, name: str) -> None:
        self.number[what] += 1
        self.example.setdefault(what, shown(f"{shard.relative}/{name}"))


_STRAY = "captions without a picture or clip"
_BAD_JSON = "JSON members that cannot be read"
_UNUSED = "members of no use here"


class Tars:
    """See `port.Source`. In memory: names of files, one sample, and a mark a key of one tar.

    Raises:
        UserError: the folder cannot be listed.
    """

    synthetic = False

    def __init__(self, path: Path, told: Told) -> None:
        self._told = told
        found = contents_of(path) if path.is_dir() else Contents([MediaFile(path, Path(path.name))])
        self._shards = [one for one in found.media if one.unlisted or tar_ending(one.path)]
        shards = {one.relative for one in self._shards}
        pool = {Path(str(told.terms.captions.pool))}
        self._others = [
            one for one in (*found.media, *found.texts) if one.relative not in shards | pool
        ]
        self._notes = _Notes()

    @cached_property
    def _number(self) -> int:
        return sum(
            1 if isinstance(found, MediaError) else len(found[0].media)
            for shard in self._shards
            for found in _samples(shard, _Notes())
        )

    def __len__(self) -> int:
        return self._number

    def items(self) -> Iterator[Item]:
        """Every picture and clip of every shard, in the order of names and of members.

        A shard that cannot be read to its end is an item too, with the reason.
        """
        self._notes = _Notes()
        for shard in self._shards:
            for found in _samples(shard, self._notes):
                if isinstance(found, MediaError):
                    yield self._told.item(shard.relative, b"", found)
                else:
                    yield from self._items_of(shard, *found)

    def remarks(self) -> Remarks:
        """Files that are no tars, and members that are of no use here."""
        notes = []
        if self._others:
            first = shown(self._others[0].relative)
            notes.append(f"files beside the tars that are none: {len(self._others)}, e.g. {first}")
        for what, number in sorted(self._notes.number.items()):
            notes.append(f"{what}: {number}, e.g. {self._notes.example[what]}")
        return Remarks(tuple(notes), self._notes.number[_STRAY])

    def _items_of(self, shard: MediaFile, sample: Sample, handle: Bytes) -> Iterator[Item]:
        own, failed = Own(), None
        try:
            own = self._own(shard, sample, handle) if sample.media else own
        except OSError as error:
            failed = _unread(error)
        for member in sample.media:
            problem = member.problem or sample.problem or failed or self._too_large(member)
            name, content = f"{shard.relative}/{member.name}", b""
            if problem is None:
                try:
                    content = _content(handle, member)
                except OSError as error:
                    problem = _unread(error)
            if problem is not None and problem.reason in (Reason.IO_UNSAFE, Reason.IO_TWICE):
                # Its name may be another's, and must be nobody else's.
                name = f"{name}#member-{member.number}"
            yield self._told.item(Path(name), content, problem, own)

    def _too_large(self, member: Member) -> MediaError | None:
        most = self._told.terms.largest_mb
        if member.size <= most << 20:
            return None
        return MediaError(
            Reason.IO_TOO_LARGE,
            f"the member is larger than {most} MiB (largest_mb of source.yaml)",
            value=member.size,
            threshold=most << 20,
        )

    def _own(self, shard: MediaFile, sample: Sample, handle: Bytes) -> Own:
        """What the members beside the pictures say of them."""
        read: dict[str, bytes] = {}
        for ending, member in sample.beside.items():
            if member.size <= MAX_BYTES:
                read[ending] = _content(handle, member)
        known = _known(read[_KNOWN]) if _KNOWN in read else {}
        if known is None or (_KNOWN in sample.beside and _KNOWN not in read):
            self._notes.add(_BAD_JSON, shard, sample.beside[_KNOWN].name)
        known = known or {}
        caption = _caption(sample, read)
        if caption is None and (text := known.get("caption")):
            caption = _cleaned(text)
        return Own(
            caption=caption,
            keyframe=first_line(read.get(_KEYFRAMES, b"")),
            licence=known.get("licence") or known.get("license"),
            origin=known.get("url"),
        )


def _samples(shard: MediaFile, notes: _Notes) -> Iterator[tuple[Sample, Bytes] | MediaError]:
    """The samples of a shard with its open file, and last why it was not read to its end, if so."""
    if shard.problem is not None:
        yield shard.problem
        return
    try:
        with _bytes_of(shard.path) as handle:
            for sample in _grouped(shard, handle, notes):
                yield sample, handle
    except MediaError as error:
        yield error
    except PermissionError:
        yield MediaError(Reason.IO_UNREADABLE, "no permission to read the tar")
    except OSError as error:
        yield _unread(error)


@contextmanager
def _bytes_of(path: Path) -> Iterator[Bytes]:
    ending = tar_ending(path)
    with path.open("rb") as handle:
        if ending not in PACKED:
            yield Plain(handle)
            return
        with closing(Unpacked(handle, ending, path.stat().st_size)) as unpacked:
            yield unpacked


def _grouped(shard: MediaFile, handle: Bytes, notes: _Notes) -> Iterator[Sample]:
    """Samples in order; a member that must not be used is one for itself.

    Raises:
        MediaError: the tar ends early or is damaged; every sample before was yielded.
    """
    seen: set[bytes] = set()
    sample: Sample | None = None
    try:
        for member in members(handle):
            if member.problem is not None:
                yield Sample(member.name, [member])
                continue
            key, ending = _split(member.name)
            if not key or not _is_of_use(ending):
                notes.add(_UNUSED, shard, member.name)
                continue
            if sample is None or sample.key != key:
                if sample is not None:
                    yield _closed(sample, shard, notes)
                handle.let_go(member.start)
                sample = Sample(key, problem=_twice(key, seen))
            if alone := _taken(sample, member, ending):
                yield alone
    except MediaError:
        if sample is not None:
            yield _closed(sample, shard, notes)
        raise
    if sample is not None:
        yield _closed(sample, shard, notes)


def _split(name: str) -> tuple[str, str]:
    """Key and ending of a member: its path up to the first dot of the last part, and the rest."""
    folder, slash, last = posixpath.normpath(name).rpartition("/")
    base, _, ending = last.partition(".")
    return (folder + slash + base if base else ""), ending.lower()


def _is_of_use(ending: str) -> bool:
    return ending in (_CAPTION, _KEYFRAMES, _KNOWN) or ending.rpartition(".")[2] in MEDIA


def _twice(key: str, seen: set[bytes]) -> MediaError | None:
    mark = bytes.fromhex(digests.of_bytes(key.encode("utf-8", "surrogateescape"))[:16])
    if mark in seen:
        return MediaError(
            Reason.IO_TWICE, "the key stands twice in the tar, so nobody knows which is meant"
        )
    seen.add(mark)
    return None


def _taken(sample: Sample, member: Member, ending: str) -> Sample | None:
    """Put `member` into its sample; a sample for itself where another holds its place."""
    fits = len(sample.media) < _MOST_OF_SAMPLE
    if ending in (_CAPTION, _KEYFRAMES, _KNOWN):
        sample.beside.setdefault(ending, member)
    elif fits and all(Path(other.name) != Path(member.name) for other in sample.media):
        sample.media.append(member)
    else:
        said = "the member stands twice in the tar" if fits else "the sample has too many members"
        return Sample(sample.key, [member], problem=MediaError(Reason.IO_TWICE, said))
    return None


def _closed(sample: Sample, shard: MediaFile, notes: _Notes) -> Sample:
    if not sample.media and _CAPTION in sample.beside:
        notes.add(_STRAY, shard, sample.beside[_CAPTION].name)
    return sample


def _content(handle: Bytes, member: Member) -> bytes:
    handle.seek(member.start)
    content = handle.read(member.size)
    if len(content) < member.size:
        raise OSError(errno.EIO, "the tar became shorter")
    return content


def _unread(error: OSError) -> MediaError:
    return MediaError(Reason.SYS_IO, f"reading the tar failed: {why(error)}")


def _caption(sample: Sample, read: dict[str, bytes]) -> Said:
    if _CAPTION not in sample.beside:
        return None
    try:
        # One that was not read for its length is refused for it.
        return caption_in(read[_CAPTION] if _CAPTION in read else b" " * (MAX_BYTES + 1))
    except CaptionError as error:
        return error


def _cleaned(text: str) -> Said:
    try:
        return caption_of(text, "the caption in its JSON")
    except CaptionError as error:
        return error


def _known(content: bytes) -> dict[str, str] | None:
    """The texts that a sample's JSON holds; None where it is no object."""
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    texts = {key: value for key, value in found.items() if isinstance(value, str)}
    return {
        key: value if key == "caption" else clean(value)[:300]
        for key, value in texts.items()
        if clean(value)
    }
