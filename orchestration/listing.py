"""A cheap version of a file or folder: its names, sizes and modification times, never its bytes.

Good enough to notice a change; DVC's own digest decides whether the content differs.
"""

import hashlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mm_model.store.walk import Entry, entries_below


@dataclass(frozen=True)
class Listing:
    """`digest` names the listing; `arrivals` holds the change time (ctime, seconds) of each file.

    The change time is set by the system when a file is written or copied here, whatever
    modification time it carries.
    """

    digest: str
    arrivals: tuple[float, ...]

    def since(self, moment: float) -> int:
        """How many files arrived after `moment`."""
        return sum(arrival > moment for arrival in self.arrivals)

    @property
    def newest(self) -> float:
        """Arrival of the newest file; 0 when there is none."""
        return max(self.arrivals, default=0.0)


def _entries(path: Path) -> Iterator[Entry]:
    """The file itself, or everything below the folder; nothing for an absent path."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            yield from entries_below(path)
        else:
            yield Entry(path, Path(path.name), status)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield Entry(path, Path(path.name), None, error)


def of(path: Path) -> Listing:
    """The listing of `path`; an absent path has the digest of nothing.

    What cannot be looked into is listed as such by name, and never raises.
    """
    entries = sorted(_entries(path), key=lambda entry: entry.relative.as_posix())
    digest, arrivals = hashlib.sha256(), []
    for entry in entries:
        name = entry.relative.as_posix().encode("utf-8", "surrogateescape")
        if entry.error is not None or entry.status is None:
            digest.update(name + b"\0unreadable\n")
            continue
        status = entry.status
        digest.update(name + f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        arrivals.append(status.st_ctime)
    return Listing(digest.hexdigest(), tuple(arrivals))
