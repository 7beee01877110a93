"""Brings a backup into an empty clone, after every byte of it was found as it was saved.

Nothing of another tree is ever written over. One that was cut off goes on with the same backup: a
mark in `work/` names it, until all is in place. The lock comes last.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from mm_model.errors import BusyError, UserError
from mm_model.store import atomic, consents, documents, lease
from orchestration import home, views
from orchestration.backup import books, databases, inventory, parts, saving
from orchestration.backup.inventory import Inventory
from orchestration.dvc_command import dvc, ran
from orchestration.team import settings as team

Say = Callable[[str], None]
_MARK = "restore.json"
_LAST = ("mlflow.db", "dvc.lock")
_MADE_BY_SETUP = ("dagster/dagster.yaml", _MARK)


def restore(
    root: Path, folder: Path, say: Say, shown: Sequence[str] = ("catalogue", "page")
) -> None:
    """Bring the backup in `folder` into the tree at `root`; `shown` is made again afterwards.

    Raises:
        UserError: the backup is not whole, the tree or a database is not empty, or one that the
            backup needs has no address.
        BusyError: the services of a team run here.
    """
    holder, lives = lease.look(root / "work" / "team.lease")
    if lives is not False and holder is not None:
        raise BusyError(holder.sentence)
    known = inventory.whole(folder)
    say(f"The backup of {known.made} is whole: {len(known.files)} files.")
    mark, kept = root / "work" / _MARK, books.of(root)
    done = _begun(root, mark, inventory.marker(known))
    dumps = [name for name in _dumps(known) if name not in done]
    _check_books(dumps, kept)
    _note(mark, known, done)
    for name in dumps:
        databases.load(kept.urls[name], folder / "databases" / f"{name}.dump")
        done.append(name)
        _note(mark, known, done)
        say(f"Restored the database of {name}.")
    _place(root, folder, known, kept)
    os.sync()
    _check_out(root)
    mark.unlink()
    views.rebuild(root, shown, say)
    _tell(root, known, say)


def _begun(root: Path, mark: Path, name: str) -> list[str]:
    """Databases that an earlier try with this backup restored.

    Raises:
        UserError: the tree holds something that no such try left.
    """
    said = documents.read_or_empty(mark)
    if said.get("of") == name:
        return list(said.get("databases", []))
    if said:
        raise UserError(f"Another backup was being restored here ({mark}): take a fresh clone.")
    there = [
        f"work/{path}" for path in parts.files_of(root / "work") if parts.wanted(f"work/{path}")
    ]
    there = [path for path in there if path.removeprefix("work/") not in _MADE_BY_SETUP]
    there += [name for name in ("data", "mlruns", "mlflow.db") if (root / name).exists()]
    there += [".dvc/cache"] * (next(parts.files_of(saving.cache_of(root)), None) is not None)
    if there:
        raise UserError(f"{root / there[0]} is there, and a backup goes into an empty clone only.")
    return []


def _note(mark: Path, known: Inventory, done: list[str]) -> None:
    atomic.write_json(mark, {"of": inventory.marker(known), "databases": done})


def _dumps(known: Inventory) -> list[str]:
    return [Path(name).stem for name in known.below("databases")]


def _check_books(dumps: list[str], kept: books.Books) -> None:
    for name in dumps:
        if name not in kept.urls:
            raise UserError(
                f"The backup holds {name}'s database: set {books.DUMPS[name]} to an empty one."
            )
        if not databases.is_empty(kept.urls[name]):
            raise UserError(
                f"The database that {books.DUMPS[name]} names is not empty: name an empty one."
            )


def _place(root: Path, folder: Path, known: Inventory, kept: books.Books) -> None:
    """Put every file in its place; an earlier try's are written again."""
    cache, words = saving.cache_of(root), consents.path_below(root)
    for path in known.below("cache"):
        _put(folder / "cache" / path, cache / path)
    for path in known.below("dagster"):
        _put(folder / "dagster" / path, Path(os.environ["DAGSTER_HOME"]) / path)
    if known.below("artifacts") and kept.artifacts is not None:
        books.bring_artifacts(folder / "artifacts", kept.artifacts)
    elif known.below("artifacts"):
        shutil.copytree(folder / "artifacts", root / "work/team/artifacts", dirs_exist_ok=True)
    if known.below("consents"):
        _put(folder / "consents" / "consents.jsonl", words)
    tree = known.below("tree")
    for path in [
        *(one for one in tree if one not in _LAST),
        *(one for one in _LAST if one in tree),
    ]:
        _put(folder / "tree" / path, root / path)
    if team.folder(root).is_dir():
        team.private_folder(root)
    home.settle_git(root)  # the clone may be kept by git where the saved tree was not


def _put(source: Path, target: Path) -> None:
    aside = target.with_name(f".{target.name}.restored")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, aside)
    shutil.copymode(source, aside)
    aside.replace(target)


def _check_out(root: Path) -> None:
    """Lay the outputs out that the lock names and the cache holds."""
    if not (root / ".dvc").is_dir() or not (root / "dvc.lock").is_file():
        return
    done = ran(dvc("checkout", "--force", "--allow-missing"), root)
    if done.returncode:
        raise UserError(
            f"DVC could not lay the outputs out ({done.stderr.strip()}): mend that, then restore "
            "from the same backup again."
        )


def _tell(root: Path, known: Inventory, say: Say) -> None:
    for name in known.outside:
        say(f"Not in the backup, and to be brought by you: {name}.")
    here = saving.commit(root)
    if known.commit and here and known.commit != here:
        say(
            f"It was saved at commit {known.commit[:10]}, here lies {here[:10]}: stages whose own "
            "files differ run again."
        )
