"""What DVC cannot digest in the inputs that `params.yaml` names, and in `profiles/`, found before
DVC meets it.

DVC stops at the first such entry with an error of its own, and waits for ever on a pipe. Here all
are found first and named in one sentence. Knows nothing of Dagster.
"""

import fnmatch
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from assets.graph import INPUT_ASSETS
from mm_model.errors import UserError
from mm_model.media.names import shown
from mm_model.run import stages
from mm_model.settings import load_params
from mm_model.settings.listed import NAME as LIST
from mm_model.store.walk import Entry, entries_below, why

PROFILES = "profiles"
"""The folder that the stage `settings` reads."""
_NAMED = 3
_EDITORS = (".#*", "*~", "*.sw?")


def check(
    root: Path,
    names: Iterable[str] = tuple(INPUT_ASSETS),
    subjects: Iterable[str] | None = None,
) -> None:
    """Look through the inputs called `names` in `params.yaml`, and through `profiles/`.

    subjects: stages of subjects whose folders are looked through too; all that are listed if None.

    Raises:
        UserError: DVC cannot digest an entry; the message counts them and names the first. Or the
            folder of one of the named subjects is not there.
    """
    params = load_params(root)
    places = {
        f"{getattr(params, name)} (params.yaml: {name})": getattr(params, name) for name in names
    }
    places |= _of_subjects(root, stages.listed(root) if subjects is None else subjects)
    if gone := [
        said
        for said, place in _of_subjects(root, subjects or ()).items()
        if not (root / place).exists()
    ]:
        raise UserError(f"{gone[0]} does not exist: correct the path there.")
    for said, name in {**places, PROFILES: PROFILES}.items():
        path = root / name
        inside = path.resolve().is_relative_to(root.resolve())
        found = [
            f"{shown(entry.relative)} ({why})"
            for entry, why in _obstacles(path, inside)
            if name != PROFILES or not is_an_editors(entry.path.name)
        ]
        if found:
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            raise UserError(
                f"DVC cannot digest {len(found)} entries of {said}: "
                f"{', '.join(sorted(found)[:_NAMED])}{more}: mend or remove them there and run "
                "again."
            )


def _of_subjects(root: Path, names: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        for what, place in stages.given(name, root).items():
            found[f"{place} ({LIST}: {what})"] = place
    return found


def _obstacles(path: Path, inside: bool) -> Iterator[tuple[Entry, str]]:
    """`inside` this repository DVC looks for a .gitignore in every folder; elsewhere it passes by
    a folder that it cannot list.
    """
    try:
        if not path.is_dir():
            return
        for entry in entries_below(path):
            passed = entry.is_folder and not inside
            if not passed and (said := _obstacle(entry)):
                yield entry, said
    except OSError as error:
        yield Entry(path, Path(path.name), None, error), why(error)


def is_an_editors(name: str) -> bool:
    """Whether it is what an editor leaves beside a profile, which DVC passes by (`.dvcignore`)."""
    return any(fnmatch.fnmatchcase(name, one) for one in _EDITORS)


def _obstacle(entry: Entry) -> str | None:
    """Why DVC would stop at this entry; None where it would not."""
    if entry.error is not None:
        return why(entry.error)
    try:
        os.fsencode(entry.relative).decode("utf-8")
        mode = entry.path.stat().st_mode
    except UnicodeDecodeError:
        return "its name is not UTF-8"
    except OSError as error:
        return f"a link: {why(error)}"
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        return "a pipe, socket or device"
    return None if os.access(entry.path, os.R_OK) else "no permission to read it"
