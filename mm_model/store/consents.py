"""The file of consents: what was stated, word for word, apart from everything that is shown.

One JSON line for each new statement, appended and flushed to disk, never rewritten; readable by its
owner alone. Tables, tracking, replies and logs carry a statement's id and digest.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

from mm_model.store import digests, experiment
from mm_model.store.atomic import Document, sync_folder

VARIABLE = "MM_CONSENTS"
"""Environment variable that names another file."""

EVIDENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""The id of a record that shows a basis."""

_WORDS = "words"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class Basis(StrEnum):
    """On what a likeness may be used: the closed list."""

    SELF = "self"
    """Who states it is the adult who is shown."""
    WRITTEN = "written"
    """The adult who is shown agreed in writing."""
    LICENCE = "licence"
    """The pictures' licence covers this use of the adult who is shown."""
    SYNTHETIC = "synthetic"
    """Nobody real is shown: the person was drawn or generated."""


ID = re.compile(rf"(?:{'|'.join(Basis)}):{EVIDENCE.pattern}|{_WORDS}:[0-9a-f]{{16}}")
"""What a statement is called: its basis and evidence, or, of words alone, their digest."""


@dataclass(frozen=True)
class Statement:
    """`id` may be shown; `text`, the words of who stated it, lies in this file alone."""

    id: str
    text: str | None = None

    @property
    def digest(self) -> str:
        """Hex SHA-256 over id and text."""
        return digests.of_value([self.id, self.text])

    def __repr__(self) -> str:
        return f"Statement({self.id}, {self.digest[:12]})"


def stated(said: str) -> Statement:
    """The statement that is written as `<basis>:<evidence>`, or in words."""
    said = said.strip()
    basis, _, evidence = said.partition(":")
    if basis in list(Basis) and EVIDENCE.fullmatch(evidence):
        return Statement(said)
    return Statement(f"{_WORDS}:{digests.of_bytes(said.encode())[:16]}", said)


def is_of_words(identity: str) -> bool:
    """Is the statement of this id nothing without its words?"""
    return identity.startswith(f"{_WORDS}:")


def path_below(root: Path) -> Path:
    """The file that `MM_CONSENTS` names, else `work/likeness/consents.jsonl` of the tree."""
    named = os.environ.get(VARIABLE)
    tree = experiment.tree_of(root)
    return Path(named) if named else tree / "work" / "likeness" / "consents.jsonl"


def record(path: Path, statement: Statement) -> None:
    """Append `statement` unless the file holds it; any number of processes may do so at once.

    When it returns, the statement is on disk. What a failed write left is taken back.

    Raises:
        OSError: the machine would not write; the file holds whole lines all the same.
    """
    _book(path.absolute()).record(statement)


def find(path: Path, identity: str) -> Statement | None:
    """The first statement of this id in the file, with its words; None where there is none.

    Raises:
        OSError: the file is there and cannot be read.
    """
    for known in _lines(path.read_bytes()) if path.is_file() else ():
        if known.get("id") == identity:
            return Statement(identity, known.get("text"))
    return None


def _lines(content: bytes) -> list[Document]:
    """The whole lines; one that a kill cut short is passed over."""
    found = []
    for line in content.splitlines():
        with contextlib.suppress(ValueError):
            if isinstance(known := json.loads(line), dict):
                found.append(known)
    return found


@cache
def _book(path: Path) -> "_Book":
    return _Book(path)


class _Book:
    """One file, and which digests it is known to hold up to where it was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._forget((0, 0))

    def _forget(self, identity: tuple[int, int]) -> None:
        self._identity = identity
        self._read_to = 0
        self._known: set[str] = set()
        self._torn = False

    def record(self, statement: Statement) -> None:
        with self._guard:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(self._path, flags, 0o600)
            try:
                alone = _lock(handle)
                if os.fstat(handle).st_mode & 0o077:
                    os.fchmod(handle, 0o600)
                self._read_on(handle)
                if statement.digest not in self._known:
                    self._append(handle, statement, alone)
            finally:
                os.close(handle)

    def _read_on(self, handle: int) -> None:
        """Take in what was appended since; another or a shorter file is read from the start."""
        now = os.fstat(handle)
        if (now.st_dev, now.st_ino) != self._identity or now.st_size < self._read_to:
            self._forget((now.st_dev, now.st_ino))
        added = b""
        while chunk := os.pread(handle, 1 << 20, self._read_to + len(added)):
            added += chunk
        self._known |= {known.get("digest", "") for known in _lines(added)}
        self._read_to += len(added)
        if added:
            self._torn = not added.endswith(b"\n")

    def _append(self, handle: int, statement: Statement, alone: bool) -> None:
        said = {
            "id": statement.id,
            "digest": statement.digest,
            "text": statement.text,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        # A line cut short by a kill is closed, so that it spoils no other.
        line = b"\n" * self._torn + json.dumps(said).encode() + b"\n"
        size = os.fstat(handle).st_size
        try:
            left = line
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
            if size == 0:
                sync_folder(self._path.parent)
        except OSError:
            if alone:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, size)
            raise
        self._read_to = size + len(line)
        self._known.add(statement.digest)
        self._torn = False


def _lock(handle: int) -> bool:
    """Wait for the file; False where the file system knows no locks: then a line may come twice."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
