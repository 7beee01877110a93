"""A cheap version of a file or folder: its names, sizes and modification times, never its bytes.

Good enough to notice a change; DVC's own digest decides whether the content differs.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


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


def _walk(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    if path.is_file():
        yield path.name, path.stat()
        return
    for folder, _, names in os.walk(path):
        for name in names:
            found = Path(folder, name)
            yield found.relative_to(path).as_posix(), found.lstat()


def of(path: Path) -> Listing:
    """The listing of `path`; an absent path has the digest of nothing."""
    rows = sorted(_walk(path), key=lambda row: row[0])
    digest = hashlib.sha256()
    for name, stat in rows:
        digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return Listing(digest.hexdigest(), tuple(stat.st_ctime for _, stat in rows))
