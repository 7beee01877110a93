"""What brings a damaged output back: the commands that help in this tree, as words for a sentence.

DVC copies a damaged cache object without looking, and takes a file for unchanged whose time is; so
its copies are looked at here, and the advice follows what is found. Only reads files.
"""

import configparser
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from mm_model.store import digests, locked


def way_out(output: Path, damaged: Mapping[str, str | None]) -> str:
    """How to get `output` (`<root>/data/<profile>/<stage>`) back, as the end of a sentence.

    `damaged` maps the damaged files to the SHA-256 they should have, None where that is unknown.
    """
    root, stage = _root(output), output.name
    if not (root / "dvc.lock").is_file():
        return f"make it again with 'python -m mm_model run {stage}'"
    place = output.relative_to(root).as_posix()
    if not _lock_is_whole(root):
        return f"dvc.lock is damaged too, so run 'rm -r dvc.lock {place} && dvc repro'"
    copies = _copies(root, place, damaged)
    if copies is None:
        return f"make it again with 'dvc repro -f -s {stage}'"
    broken = [path for path, whole in copies.items() if not whole]
    if not broken:
        return f"restore it with 'rm -r {place} && dvc checkout {place}'"
    remove = " ".join(_shown(path, root) for path in broken)
    return (
        "the cached copy is damaged too, so make it again with "
        f"'rm -f {remove} && dvc repro -f -s {stage}'"
    )


def way_out_of(path: Path) -> str:
    """How to get one file of a published output back, as the end of a sentence."""
    for folder in list(path.parents)[:3]:
        if (folder / "manifest.json").is_file():
            return way_out(folder, {path.relative_to(folder).as_posix(): None})
    return "run the stage that makes it again"


def _root(output: Path) -> Path:
    return output.parents[2] if len(output.parents) > 2 else output.parent


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _copies(root: Path, place: str, damaged: Mapping[str, str | None]) -> dict[Path, bool] | None:
    """DVC's copies of the listing and of the damaged files, and whether each is whole.

    None when DVC has no record of this output.
    """
    if (recorded := _recorded(root, place)) is None:
        return None
    cache = _cache(root)
    listing = _object(cache, recorded)
    if not _is_whole(listing, recorded, None):
        return {listing: False}
    names = {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_bytes())}
    copies = {}
    for name, expected in damaged.items():
        if name not in names:
            return None
        path = _object(cache, names[name])
        copies[path] = _is_whole(path, names[name], expected)
    return copies


def _lock_is_whole(root: Path) -> bool:
    try:
        return isinstance(locked.parsed((root / "dvc.lock").read_text()), dict)
    except (OSError, ValueError, yaml.YAMLError):
        return False


def _recorded(root: Path, place: str) -> str | None:
    """DVC's name of the output, from `dvc.lock`."""
    return locked.recorded_output(locked.stages(root), place)


def _cache(root: Path) -> Path:
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"])
    except (configparser.Error, UnicodeDecodeError):
        config.clear()
    return root / ".dvc" / config.get("cache", "dir", fallback="cache")


def _object(cache: Path, name: str) -> Path:
    return cache / "files" / "md5" / name[:2] / name[2:]


def _is_whole(path: Path, name: str, expected: str | None) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return md5 == name.removesuffix(".dir") and expected in (None, digests.of_bytes(content))
