"""Paths that somebody names on a command line: read as they are meant, and said when they fail."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from mm_model.errors import UserError
from mm_model.store.walk import why

_OF_THE_PATH = {
    errno.ENOENT: "it is not there",
    errno.ENOTDIR: "a file lies where a folder is needed",
    errno.EISDIR: "it is a folder",
    errno.EEXIST: "a file lies where a folder is needed",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ELOOP: "its links lead in a circle",
    errno.EINVAL: "the system knows no such path",
    errno.ENXIO: "it is neither a file nor a folder",
}
"""Faults that lie in the path itself, so that another path is the way out."""


def path(text: str, what: str = "a file or folder") -> Path:
    """The path that `text` names; `~` is the home folder.

    Raises:
        UserError: the text is empty, or names a home that nobody has.
    """
    if not text:
        raise UserError(f"An empty text is no path: name {what}.")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(
            f"{text} begins with a home folder that is not there: name {what}."
        ) from None


def fault(error: BaseException, given: Iterable[object]) -> UserError | None:
    """The sentence for a path among `given` that cannot be used; None when it is something else.

    A path may also fail by a folder above it.
    """
    if not isinstance(error, OSError) or error.errno not in _OF_THE_PATH:
        return None
    seen = {
        os.fsdecode(name)
        for name in (error.filename, error.filename2)
        if isinstance(name, str | bytes | Path)
    }
    for text in filter(None, map(str, given)):
        meant = Path(text).absolute()
        for name in map(Path, seen):
            if _is_beside(name.absolute(), meant):  # made for a moment, under a name of ours
                return UserError(
                    f"{text} cannot be made (nothing can be put into {meant.parent}): name another."
                )
            if name.stem == text or _lies_on(name.absolute(), meant):
                return UserError(
                    f"{name} cannot be used ({_OF_THE_PATH[error.errno]}): name another."
                )
    return None


def as_given(error: BaseException, given: Iterable[object]) -> BaseException:
    """`error`, in whose sentence a path among `given` stands as it was given where what fails is
    one that was made for a moment beside it.
    """
    texts = [text for text in map(str, given) if text]
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            for part in ("filename", "filename2"):  # an error without a path keeps its words
                if (name := getattr(seen, part)) is not None:
                    setattr(seen, part, _meant(name, texts))
        seen = seen.__cause__
    return error


def _meant(name: object, texts: Iterable[str]) -> object:
    """The path that stands for `name`: what is made for a moment is nobody's to look into."""
    if not isinstance(name, str | bytes | Path):
        return name
    failed = Path(os.fsdecode(name)).absolute()
    for text in texts:
        if any(_is_beside(one, Path(text).absolute()) for one in (failed, *failed.parents)):
            return text
    return name


def _is_beside(one: Path, other: Path) -> bool:
    return one.parent == other.parent and one.name.startswith(f".{other.name}.")


def _lies_on(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def reason(error: OSError) -> str:
    """Why a path that was named cannot be used, as a clause."""
    return _OF_THE_PATH.get(error.errno or 0) or why(error)
