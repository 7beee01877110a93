"""The card of a release: every file it holds, by digest, and the one digest over all of that.

It lies in the release's folder as `card.json`; the registry keeps its digest beside the version.
Nothing in it depends on when, where or as which version a release was registered, so that equal
content has an equal digest. The card lists every file but itself.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mm_model.store import digests
from mm_model.store.atomic import Document

NAME = "card.json"
SCHEMA = 1
WEIGHTS = ("adapter", "backbone", "facepack")
"""The parts that are folders of weights."""
_LARGEST = 64 << 20


@dataclass(frozen=True)
class File:
    """One file's SHA-256 and its length in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Card:
    """What a release consists of.

    `parts` are the digests of adapter, backbone, facepack, code, configuration, environment and
    evaluation, for people and for comparing two releases; `files` maps POSIX paths inside the
    folder to what lies there.
    """

    parts: Mapping[str, str]
    files: Mapping[str, File]
    schema: int = SCHEMA

    @property
    def digest(self) -> str:
        """The release digest: over everything."""
        return digests.of_value(self._content())

    def as_bytes(self) -> bytes:
        """The text of `card.json`."""
        content = {**self._content(), "release_digest": self.digest}
        return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()

    def below(self, folder: str) -> dict[str, str]:
        """Digests of the files below `folder`, by their paths inside it."""
        start = f"{folder}/"
        return {
            name.removeprefix(start): file.sha256
            for name, file in self.files.items()
            if name.startswith(start)
        }

    def _content(self) -> Document:
        files = {name: asdict(file) for name, file in self.files.items()}
        return {"schema": self.schema, "parts": dict(self.parts), "files": files}


def of_bytes(content: bytes) -> File:
    """The entry of a file with that content."""
    return File(digests.of_bytes(content), len(content))


def of_file(path: Path) -> File:
    """The entry of a file on disk."""
    return File(digests.of_file(path), path.stat().st_size)


def folder_digest(files: Mapping[str, str]) -> str:
    """What `digests.of_folder` gives for a folder with these files (path to digest)."""
    return digests.of_value(sorted(files.items()))


def read(folder: Path) -> Card:
    """The card in `folder`.

    Raises:
        OSError: there is none that can be read.
        ValueError: it is no card, or not in the form in which cards are written.
    """
    path = folder / NAME
    if path.stat().st_size > _LARGEST:
        raise ValueError("too large")
    try:
        found = path.read_bytes()
        content = json.loads(found)
        files = {name: File(**entry) for name, entry in content["files"].items()}
        known = Card(dict(content["parts"]), files, content["schema"])
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        raise ValueError("no card") from error
    if known.schema != SCHEMA or found != known.as_bytes():  # one text for one card
        raise ValueError("no card")
    return known


def odd_name(name: str) -> bool:
    """Whether a path could mean another place elsewhere, or cannot be shown to people."""
    parts = name.split("/")
    return not name.isprintable() or "\\" in name or any(part in ("", ".", "..") for part in parts)


def odd_names(names: Mapping[str, Any]) -> Iterator[str]:
    """Those of `names` that a release may not hold."""
    return filter(odd_name, sorted(names))
