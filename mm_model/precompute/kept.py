"""Samples of the run before, by their keys: what did not change is copied, not computed.

The shards of the last run keep a second name in `work/<profile>/precomputed`, which costs no room
until that run's output is replaced. It is a cache: it may be removed at any time, and holds nobody
whom the last run did not learn from.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from mm_model.errors import UserError
from mm_model.precompute.shards import SamplePlace
from mm_model.store import atomic
from mm_model.store.lookup import Lookup

_COLUMNS = ("key", "shard", "offset", "bytes", "digest")


class EarlierSamples:
    """The kept samples of one set; empty where there are none, or what is there is damaged."""

    def __init__(self, folder: Path, index: Path) -> None:
        self._folder = folder
        self._known: Lookup | None = None
        if index.is_file():
            try:
                self._known = Lookup(index, "key", _COLUMNS)
            except UserError:
                self._known = None

    def get(self, key: str) -> bytes | None:
        """The safetensors of the sample with this key, or None."""
        if self._known is None or key not in self._known:
            return None
        rows = self._known.rows(key).slice(0, 1).to_pylist()
        return SamplePlace.of(rows[0]).read(self._folder)


def keep(out: Path, place: Path, names: Sequence[str]) -> None:
    """Keep the files `names` of `out` in `place`, instead of what was kept there before."""
    fresh = place.with_name(place.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name in names:
        atomic.link(out / name, fresh / name)
    if fresh.is_dir():
        atomic.publish_folder(fresh, place)
