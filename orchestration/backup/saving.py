"""Saves a tree and its books to a folder of their own: beside, whole, then by a rename.

The caller holds the tree, so no stage is at work. Pages and servers may go on: a database is copied
as it is at one moment, and before the files that it names.
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mm_model.errors import UserError
from mm_model.settings import load_params
from mm_model.store import atomic, digests, lease
from orchestration.backup import books, databases, inventory, parts
from orchestration.dvc_command import dvc, ran

Say = Callable[[str], None]
_ASIDE = ".unfinished"


def save(root: Path, place: Path, say: Say) -> Path:
    """Save the tree at `root` below `place`; the new folder, named by the time.

    Raises:
        UserError: `place` is no folder, or part of what is saved; something cannot be read.
        BusyError: another backup is being written there.
    """
    if not place.is_dir():
        raise UserError(f"There is no folder {place}: make it, or mend TO.")
    place = place.resolve()
    if place == root or place.is_relative_to(root):
        raise UserError(f"TO={place} lies in the tree: name a folder on another disk.")
    with lease.held(place / ".backup.lease", "make backup"):
        for left in place.glob(f".*{_ASIDE}"):
            shutil.rmtree(left)
        name = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
        if (place / name).exists():
            raise UserError(f"{place / name} was made in this second: try again.")
        aside = place / f".{name}{_ASIDE}"
        aside.mkdir(mode=0o700)  # it holds faces, and words of consents
        try:
            _fill(root, aside, say)
            os.sync()
            aside.rename(place / name)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        atomic.sync_folder(place)
    return place / name


def _fill(root: Path, aside: Path, say: Say) -> None:
    kept = books.of(root)
    for name, url in kept.urls.items():
        (aside / "databases").mkdir(exist_ok=True)
        databases.dump(url, aside / "databases" / f"{name}.dump")
        say(f"Saved the database of {name}.")
    count = sum(_copy(root / path, aside / "tree" / path) for path in parts.of_tree(root))
    say(f"Saved {count} files of the tree.")
    home = Path(os.environ["DAGSTER_HOME"])
    if not home.is_relative_to(root):
        for path in parts.files_of(home):
            if parts.wanted(f"work/dagster/{path}"):
                _copy(home / path, aside / "dagster" / path)
    cache = cache_of(root)
    count = sum(_copy(cache / path, aside / "cache" / path) for path in parts.files_of(cache))
    say(f"Saved {count} objects of DVC's cache.")
    for path in _misnamed(aside / "cache"):
        say(f"Damaged in DVC's cache, and saved as it is: {cache / path}.")
    if kept.artifacts is not None:
        books.fetch_artifacts(kept.artifacts, aside / "artifacts")
        say(f"Saved MLflow's artifacts at {kept.artifacts}.")
    if kept.consents is not None and kept.consents.is_file():
        _copy(kept.consents, aside / "consents" / "consents.jsonl")
    outside = [*parts.outside(root), *kept.elsewhere]
    for name in outside:
        say(f"Not in it: {name}.")
    files = {name: digests.of_file(aside / name) for name in parts.files_of(aside)}
    said = inventory.Inventory(
        made=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        tree=str(root),
        commit=commit(root),
        profile=load_params(root).profile,
        outside=outside,
        files=files,
    )
    inventory.write(aside, said)


def _copy(source: Path, target: Path) -> bool:
    """Copy one file with its rights; whether it was still there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.suffix == ".db" and databases.is_sqlite(source):
            databases.copy_sqlite(source, target)
        else:
            shutil.copyfile(source, target)
        shutil.copymode(source, target)
    except FileNotFoundError:
        return False  # a log or a half-written file that went meanwhile
    return True


def _misnamed(cache: Path) -> list[str]:
    """Objects of a cache that are not what their name, their MD5, says."""
    wrong = []
    for path in parts.files_of(cache):
        if path.startswith("files/md5/"):
            name = "".join(path.split("/")[2:]).removesuffix(".dir")
            with (cache / path).open("rb") as content:
                digest = hashlib.file_digest(content, partial(hashlib.md5, usedforsecurity=False))
            if digest.hexdigest() != name:
                wrong.append(path)
    return wrong


def cache_of(root: Path) -> Path:
    """The folder of DVC's cache, wherever its settings put it.

    Raises:
        UserError: DVC does not say.
    """
    if not (root / ".dvc").is_dir():
        return root / ".dvc" / "cache"
    said = ran(dvc("cache", "dir"), root)
    if said.returncode:
        raise UserError(f"DVC does not say where its cache lies: {said.stderr.strip()}")
    return (root / said.stdout.strip().splitlines()[-1]).resolve()


def commit(root: Path) -> str:
    """The commit that lies at `root`; "" without git."""
    with contextlib.suppress(OSError):
        return ran(["git", "rev-parse", "HEAD"], root).stdout.strip()
    return ""
