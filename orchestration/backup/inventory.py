"""The list of a backup, written last: what it holds, file by file with its digest."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from mm_model.errors import UserError
from mm_model.store import atomic, digests, documents

NAME = "backup.json"
SCHEMA = 1
_DAMAGED = "restore from another backup"


@dataclass(frozen=True)
class Inventory:
    """What a backup holds: `files` maps paths in it to SHA-256, `outside` names what it lacks."""

    made: str
    tree: str
    commit: str
    profile: str
    outside: list[str]
    files: dict[str, str]
    schema: int = SCHEMA
    own_digest: str = ""

    def below(self, part: str) -> list[str]:
        """Paths of files of one part, from that part."""
        return [name.removeprefix(f"{part}/") for name in self.files if name.startswith(f"{part}/")]


def _digest_of(content: dict) -> str:
    return digests.of_value({name: one for name, one in content.items() if name != "own_digest"})


def write(folder: Path, inventory: Inventory) -> None:
    """Write it into the backup in `folder`."""
    content = asdict(inventory)
    atomic.write_json(folder / NAME, content | {"own_digest": _digest_of(content)})


def whole(folder: Path) -> Inventory:
    """The list of the backup in `folder`, after every file was found as it was saved.

    Raises:
        UserError: it is no backup, was made by another version, or a file is missing or damaged.
    """
    path = folder / NAME
    if not path.is_file():
        kept = sorted(one.parent.name for one in folder.glob(f"[!.]*/{NAME}"))
        hint = f": the newest one in it is {folder / kept[-1]}" if kept else ""
        raise UserError(f"{folder} is no whole backup (it has no {NAME}){hint}.")
    content = documents.read(path, _DAMAGED)
    if content.get("own_digest") != _digest_of(content):
        raise UserError(f"{path} is damaged (it differs from its own digest): {_DAMAGED}.")
    if content.get("schema") != SCHEMA:
        raise UserError(f"{path} has schema {content.get('schema')}, this version reads {SCHEMA}.")
    known = Inventory(**content)
    if strange := [name for name in known.files if not _is_below(name)]:
        raise UserError(f"{path} names {strange[0]!r}, which is no place in a backup: {_DAMAGED}.")
    wrong = [name for name, digest in known.files.items() if _of(folder / name) != digest]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UserError(f"{folder / wrong[0]}{more} is missing or damaged: {_DAMAGED}.")
    return known


def _is_below(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and ".." not in parts and not name.startswith("/")


def _of(path: Path) -> str | None:
    try:
        return digests.of_file(path)
    except OSError:
        return None


def marker(inventory: Inventory) -> str:
    """What names this backup and no other."""
    return digests.of_bytes(json.dumps(asdict(inventory), sort_keys=True).encode())
