"""Painted pictures, kept below `work/painted` by what they were made from: none is made twice.

A picture's name is a digest of all that decides how it looks, so one made for another profile or
before a changed threshold is found again. The folder may be removed at any time; then its pictures
are painted anew. It is bounded, and what was longest unused goes first.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mm_model.rows import Row
from mm_model.store import atomic, digests

MOST_BYTES = 200 * 2**30
"""How much is kept: some 600,000 pictures of 1024 pixels."""


@dataclass(frozen=True)
class PaintedPictures:
    """The kept pictures; `folder` may be absent."""

    folder: Path

    def find(self, key: str) -> Path | None:
        """The picture called `key`, whole; None where it must be made."""
        picture, told = self._paths(key)
        try:
            known = json.loads(told.read_bytes())["sha256"]
            if digests.of_file(picture) != known:
                return None
            os.utime(told)  # used now: it is dropped last
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return picture

    def keep(self, key: str, jpeg: bytes, told: Row) -> Path:
        """Keep a picture under `key`, with what it was made from; a kill leaves it whole or out."""
        picture, record = self._paths(key)
        atomic.write_bytes(picture, jpeg)
        atomic.write_json(record, told | {"sha256": digests.of_bytes(jpeg)})
        return picture

    def trim(self, used: Iterable[str], most: int = MOST_BYTES) -> int:
        """Drop the longest unused pictures until at most `most` bytes stand there; how many went.

        Those `used` now stay.
        """
        names = set(used)
        found = [
            (record.stat().st_mtime, record.with_suffix(".jpg"), record)
            for record in self.folder.glob("*/*.json")
        ]
        sizes = {
            picture: record.stat().st_size + (picture.stat().st_size if picture.is_file() else 0)
            for _, picture, record in found
        }
        whole, gone = sum(sizes.values()), 0
        for _, picture, record in sorted(found):
            if whole <= most:
                break
            if record.stem in names:
                continue
            record.unlink()  # the record first: a picture without one is not there
            picture.unlink(missing_ok=True)
            whole -= sizes[picture]
            gone += 1
        return gone

    def _paths(self, key: str) -> tuple[Path, Path]:
        place = self.folder / key[:2]
        return place / f"{key}.jpg", place / f"{key}.json"
