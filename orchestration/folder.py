"""A folder (a disk, a share) as the store that outputs are pushed to; asked as `Bucket` is.

DVC moves the outputs there as into a bucket. This looks first whether the folder is there, lists
it, and keeps the locks.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm_model.errors import UserError
from mm_model.store import atomic, digests
from mm_model.store.walk import why
from orchestration.address import STORE, Remote
from orchestration.bucket import LOCKS, OBJECTS

_COMMIT = "commit"


class Folder:
    """The two places of a remote that are folders."""

    def __init__(self, remote: Remote) -> None:
        self._places = {name: Path(one.url) for name, one in remote.places.items()}

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"{error.filename or self._places[STORE]} cannot be used ({why(error)}): mend it; "
                "what was moved is kept, run again."
            ) from None

    def look(self) -> None:
        """See that the folder is there: a disk that is not mounted is not written beside.

        Raises:
            UserError: it is not.
        """
        if not self._places[STORE].is_dir():
            raise UserError(f"There is no folder {self._places[STORE]}: make it, or mend URL.")

    def objects(self, name: str) -> dict[str, int]:
        """Digest and size of everything that DVC keeps at the place `name`."""
        found = {}
        with self._sentences():
            for folder, _, files in os.walk(self._places[name] / OBJECTS):
                for file in files:
                    digest = f"{Path(folder).name}{file}"
                    found[digest] = (Path(folder) / file).stat().st_size
        return found

    def _object(self, name: str, digest: str) -> Path:
        return self._places[name] / OBJECTS / digest[:2] / digest[2:]

    def put(self, name: str, digest: str, path: Path) -> None:
        """Put the object of a digest where DVC would, at the place `name`."""
        with self._sentences():
            atomic.write_bytes(self._object(name, digest), path.read_bytes())

    def get(self, name: str, digest: str, path: Path) -> None:
        """Bring the small object of a digest here; nothing is written where it is absent or other
        than its digest says.
        """
        with self._sentences():
            try:
                content = self._object(name, digest).read_bytes()
            except FileNotFoundError:
                return
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if md5 == digest.removesuffix(".dir"):
                atomic.write_bytes(path, content)

    def profiles(self) -> list[str]:
        """Profiles whose lock lies there."""
        found = (self._places[STORE] / LOCKS).glob("*/dvc.lock")
        return sorted(path.parent.name for path in found)

    def lock(self, profile: str) -> tuple[bytes, str] | None:
        """The lock of a profile and the commit it was pushed from ("" if not known), or None."""
        path = self._places[STORE] / LOCKS / profile
        with self._sentences():
            try:
                content = (path / "dvc.lock").read_bytes()
            except FileNotFoundError:
                return None
            said = (path / _COMMIT).read_text().split() if (path / _COMMIT).is_file() else []
        of_this = len(said) == 2 and said[0] == digests.of_bytes(content)
        return content, said[1] if of_this else ""

    def put_lock(self, profile: str, content: bytes, commit: str) -> None:
        """Put the lock of a profile there: whoever reads gets the old one or this, whole."""
        path = self._places[STORE] / LOCKS / profile
        with self._sentences():
            atomic.write_text(path / _COMMIT, f"{digests.of_bytes(content)} {commit}\n")
            atomic.write_bytes(path / "dvc.lock", content)

    def keeps_versions(self) -> list[str]:
        """A folder keeps nothing of what is deleted."""
        return []
