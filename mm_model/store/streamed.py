"""Shards that are read from an object store: whether, which files those are, where each one lies.

`MM_SHARDS` names a place that outputs were pushed to. It belongs to a machine, not to a profile: it
changes no result and stands in no fingerprint. Objects lie there by digest; `dvc.lock` tells that
of an output's listing, and the listing that of each file, so whatever arrives can be checked.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.store import locked, places
from mm_model.store.objects import ObjectName, ObjectStore

VARIABLE = "MM_SHARDS"
"""Environment variable that names the place, s3://bucket/prefix; shards lie here when not set."""

_STREAMED = {"precompute": ".tar"}
"""Output to the ending of those of its files that may be read from a store."""


def asked() -> bool:
    """Whether this process was told to read shards from a store."""
    return bool(os.environ.get(VARIABLE))


def has_shards(stage: str) -> bool:
    """Whether the output of `stage` has files that may be read from a store."""
    return stage in _STREAMED


def is_shard(stage: str, file: str) -> bool:
    """Whether a file of the output of `stage` is one that may be read from a store."""
    ending = _STREAMED.get(stage)
    return ending is not None and file.endswith(ending)


def elsewhere(stage: str) -> Callable[[str], bool]:
    """Tells whether a file of the output of `stage` need not lie here.

    Who reads such a file compares it with its digest then.
    """
    there = asked()
    return lambda file: there and is_shard(stage, file)


@dataclass(frozen=True)
class StoredFiles:
    """The files of one output in a store; `digests` maps their relative paths to MD5s."""

    store: ObjectStore
    digests: dict[str, str]

    @classmethod
    def of(cls, root: Path, output: Path) -> "StoredFiles":
        """Those of `output` below `root`, from the place that the variable names.

        Raises:
            UserError: the variable names no place, `dvc.lock` no such output, or the store does not
                give its listing.
        """
        store = ObjectStore(places.place(os.environ.get(VARIABLE, ""), VARIABLE), VARIABLE)
        name = output.relative_to(root).as_posix()
        digest = locked.recorded_output(locked.stages(root), name)
        if digest is None:
            raise UserError(
                f"dvc.lock names no {name}, so its objects in {store.place.url} are not known: "
                f"make pull, or leave {VARIABLE} out to read the shards that lie here."
            )
        return cls.listed(store, name, digest)

    @classmethod
    def listed(cls, store: ObjectStore, name: str, digest: str) -> "StoredFiles":
        """Those that the listing with this digest names, of the output called `name`.

        Raises:
            UserError: as `of`.
        """
        listing = ObjectName(_key(digest), f"the listing of {name}")
        content = store.read(listing)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != digest.removesuffix(".dir"):
            raise UserError(cls(store, {}).damage(listing, "its digest is another"))
        return cls(store, {one["relpath"]: one["md5"] for one in json.loads(content)})

    def object_of(self, file: str) -> ObjectName:
        """The object that holds a file.

        Raises:
            UserError: the listing does not name it.
        """
        if (digest := self.digests.get(file)) is None:
            raise UserError(
                f"What was pushed to {self.store.place.url} has no {file}: run precompute again, "
                "then make push."
            )
        return ObjectName(_key(digest), file)

    def holds(self, file: str, path: Path) -> bool:
        """Whether the file as it was pushed is the one that lies at `path`, byte for byte."""
        with path.open("rb") as opened:
            said = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False))
        return said.hexdigest() == self.digests.get(file)

    def below(self, folder: str) -> "StoredFiles":
        """Those of a folder that are streamed."""
        known = self.digests.items()
        endings = tuple(_STREAMED.values())
        kept = {k: v for k, v in known if k.startswith(f"{folder}/") and k.endswith(endings)}
        return StoredFiles(self.store, kept)

    def damage(self, name: ObjectName, why: str) -> str:
        """The sentence for an object whose bytes are not what its digest says."""
        return (
            f"{name.what} in {self.store.place.url} is damaged ({why}): delete {name.key} there "
            "and make push where it was made, then run again; finished steps are kept."
        )


def _key(digest: str) -> str:
    return f"files/md5/{digest[:2]}/{digest[2:]}"
