"""Which code made an output, and how that differs from the code that lies here now.

A record maps each file that a stage imports, however indirectly, to short digests of what it says
(`mm_model.store.syntax`): comments, docstrings and layout do not count. How a stage is started
(`cli.py`) and what only shows its result (the report page, the catalogue, MLflow) stay outside.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mm_model.errors import UserError
from mm_model.run import stages
from mm_model.store import atomic, closure, documents, syntax
from mm_model.store.closure import PACKAGE
from mm_model.store.manifest import Manifest

STRICT = "MM_STRICT"
"""1 in this variable: an output of other code does not count, nor does work that it began."""

Record = dict[str, dict[str, str]]
"""File from the root, to part, to digest; {} stands for code that nobody recorded."""

_SHOWS = ("tracking/tracker.py", "register/announce.py")
"""Imported by stages for what they show: these count, what they import does not."""
_NOTE = "code.json"
_NO_WORK = frozenset({".lock", _NOTE, "out", "live.json"})
_NAMED, _PARTS = 3, 3


def wanted(word: str, name: str = STRICT) -> bool:
    """What the word given as `name` means: "1" is yes, "" and "0" are no.

    Raises:
        UserError: it is another word.
    """
    if word not in ("", "0", "1"):
        raise UserError(f"{name}={word} means nothing: give 1, or leave it out.")
    return word == "1"


def strict() -> bool:
    """Whether this process was told to be strict.

    Raises:
        UserError: the variable holds neither 1 nor 0.
    """
    return wanted(os.environ.get(STRICT, ""))


def record(stage: str, package: Path = PACKAGE) -> Record:
    """What the code of `stage` says now; a file that is not Python counts byte by byte."""
    return record_of((stages.file_of(stage), "run/runner.py"), package)


def record_of(entries: tuple[str, ...], package: Path = PACKAGE) -> Record:
    """What `entries`, files of the package, and all that they import say now; see `record`."""
    syntax.recall(package)
    found = closure.modules(entries, package, leaves=_SHOWS, tolerant=True)
    said = {f"{syntax.NAME}/{name}": syntax.of(package / name).parts for name in found}
    syntax.keep(package)
    return said


@dataclass(frozen=True)
class Difference:
    """How the code that made an output differs from the code of now.

    `files` are those that differ, each with its parts that do; `known` is whether the code was
    recorded at all; `partly` says that other code only began the work.
    """

    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    known: bool = True
    partly: bool = False

    @property
    def word(self) -> str:
        """`same`, `other`, `partly` or `unknown`."""
        if self.partly:
            return "partly"
        if not self.known:
            return "unknown"
        return "other" if self.files else "same"

    def __bool__(self) -> bool:
        return self.word != "same"

    def named(self, most: int | None = _NAMED) -> str:
        """The files with their parts, at most so many of them."""
        shown = [_shown(name, parts) for name, parts in sorted(self.files.items())][:most]
        more = len(self.files) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")

    def sentence(self, most: int | None = _NAMED) -> str:
        """What is to be said of the output, as the end of a sentence; "" when the code is the same.

        At most `most` files are named.
        """
        if self.partly:
            begun = "begun by other code than lies here now"
            return f"{begun}: {self.named(most)}" if self.files else f"{begun}, which none recorded"
        if not self.known:
            return "made before its code was recorded"
        named = self.named(most)
        return f"made by other code than lies here now: {named}" if self.files else ""


def difference(made: Manifest, now: Record) -> Difference:
    """What differs between `now` and all code that had a part in the output."""
    if not made.code:
        return Difference(known=False)
    ended = _differing([made.code], now)
    begun = [{**made.code, **one} for one in made.before if one]
    files = _differing([made.code, *begun], now)
    return Difference(files, partly=not ended and (bool(files) or {} in made.before))


def _differing(records: Iterable[Record], now: Record) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for then in records:
        for name in then.keys() | now.keys():
            old, new = then.get(name, {}), now.get(name, {})
            if old != new:
                parts = {part for part in old.keys() | new.keys() if old.get(part) != new.get(part)}
                whole = len(old) < 2 or len(new) < 2  # a new file, or one that is not Python
                found.setdefault(name, set()).update(() if whole else parts)
    return {name: tuple(sorted(parts)) for name, parts in sorted(found.items())}


def _shown(name: str, parts: tuple[str, ...]) -> str:
    shown = [part for part in parts if part]
    if not shown:
        return name
    more = f", {len(shown) - _PARTS} more" if len(shown) > _PARTS else ""
    return f"{name} ({', '.join(shown[:_PARTS])}{more})"


def begin(work: Path, now: Record, anew: bool) -> list[Record]:
    """Note in the work folder that `now` works there; return the other code that did before.

    With `anew` the work of other code is removed first. The caller holds the folder.
    """
    note = work / _NOTE
    left = [path for path in work.iterdir() if path.name not in _NO_WORK]
    known = _codes(note) if left else []
    others = [one for one in known if one != now]
    if others and anew:
        for path in left:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        others = []
    atomic.write_json(note, {"codes": [*others, now]})
    return others


def _codes(note: Path) -> list[Record]:
    """What worked in a folder that holds work; nobody knows where no note is whole."""
    said = documents.read_or_empty(note).get("codes")
    return said if isinstance(said, list) and said else [{}]


def before(others: Iterable[Record], now: Record) -> list[Record]:
    """How each of `others` differs from `now`, for the manifest: its own record of those files."""
    found: list[Record] = []
    for one in others:
        names = sorted(one.keys() | now.keys()) if one else []
        part = {name: one.get(name, {}) for name in names if one.get(name) != now.get(name)}
        if (part or not one) and part not in found:
            found.append(part)
    return found
