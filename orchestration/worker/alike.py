"""What two trees must hold alike, so that what one makes counts in the other.

Code by what it says (`mm_model.store.syntax`), other files of the graph byte by byte, inputs by
names and sizes: DVC's own digests tell the rest after the work.
"""

from pathlib import Path

from assets.graph import nodes
from mm_model.errors import UserError
from mm_model.run import made_by
from mm_model.settings import Params
from mm_model.store import closure, digests
from mm_model.store.walk import entries_below
from orchestration.dvc_inputs import is_an_editors

PARAMS, PROFILES = "params.yaml", "profiles"


def chosen(root: Path) -> dict[str, str]:
    """Text of every file that says what runs, by path: the working end takes them over.

    Raises:
        UserError: one is no text.
    """
    found = {}
    for path in [root / PARAMS, *sorted((root / PROFILES).rglob("*"))]:
        if path.is_file() and not is_an_editors(path.name):
            try:
                found[path.relative_to(root).as_posix()] = path.read_bytes().decode("utf-8")
            except UnicodeDecodeError:
                raise UserError(f"{path} is no text in UTF-8: move it out of {PROFILES}.") from None
    return found


def facts(root: Path, stage: str, package: Path = closure.PACKAGE) -> dict[str, str]:
    """Digest of everything that must be alike, by its path from the root."""
    said = {
        f"{name} (code)": digests.of_value(parts)
        for name, parts in made_by.record(stage, package).items()
    }
    files = [root / "dvc.yaml", root / "requirements.lock"]
    files += [root / name for name in nodes()[stage].code]
    files += (root / "mm_model" / "settings").rglob("*.py")
    for path in sorted(files):
        name = path.relative_to(root).as_posix()
        if path.is_file():
            said[name] = digests.of_file(path)
    return said


def inputs(root: Path, stage: str, params: Params) -> dict[str, str]:
    """Digest of the names and sizes in each input that the stage reads."""
    return {name: _shape(root / getattr(params, name)) for name in nodes()[stage].models}


def _shape(path: Path) -> str:
    """Names and sizes below a path; a link counts as what it leads to."""
    whole = path.resolve()
    if not whole.is_dir():
        return digests.of_value(_size(whole))
    found = [(entry.relative.as_posix(), _size(entry.path)) for entry in entries_below(whole)]
    return digests.of_value(sorted(found))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def compare(here: dict[str, str], asked: dict[str, str], commit: str) -> None:
    """See that this tree holds what the asking one holds.

    Raises:
        UserError: something differs; the message names it.
    """
    if other := sorted(
        name for name in here.keys() | asked.keys() if here.get(name) != asked.get(name)
    ):
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        way = f" (git checkout {commit[:10]} in the worker's clone)" if commit else ""
        raise UserError(
            f"{other[0]}{more} on the worker is not what lies here: bring both trees to one "
            f"commit{way}, and commit what is changed."
        )


def compare_inputs(here: dict[str, str], asked: dict[str, str], params: Params) -> None:
    """See that the inputs here have the names and sizes of those of the asking tree.

    Raises:
        UserError: one has not; the message names it.
    """
    for name, digest in asked.items():
        if here.get(name) != digest:
            raise UserError(
                f"{getattr(params, name)} ({name} in params.yaml) on the worker is not what lies "
                "here: copy it there under the same path."
            )
