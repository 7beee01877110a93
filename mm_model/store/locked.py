"""What `dvc.lock` says of the outputs that lie here: their names in the cache, and their inputs.

Only reads that one file; one that is absent or damaged says nothing.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's reads it ten times as fast


def parsed(text: str | bytes) -> Any:
    """What a lock or graph of DVC's says, of which hundreds of lines are read often.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, Loader=_LOADER)


def stages(root: Path) -> list[Mapping[str, Any]]:
    """The entries of the stages in `<root>/dvc.lock`."""
    try:
        found = parsed((root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
        return [entry for entry in found.values() if isinstance(entry, Mapping)]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return []


def recorded_output(entries: list[Mapping[str, Any]], output: str) -> str | None:
    """DVC's name of `output` (a path from the root); None where there is no record of it."""
    return next((named for one in entries if (named := _named(one, "outs").get(output))), None)


def recorded_input(entries: list[Mapping[str, Any]], output: str, path: str) -> str | None:
    """MD5 of the input `path` from which `output` was made (both from the root); None if unsaid."""
    for entry in entries:
        if output in _named(entry, "outs"):
            return _named(entry, "deps").get(path)
    return None


def differs(recorded: str | None, path: Path) -> bool:
    """Whether the file at `path` is another than recorded, to the byte; not where none is."""
    if recorded is None:
        return False
    try:
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != recorded
    except OSError:
        return True


def _named(entry: Mapping[str, Any], part: str) -> dict[str, str | None]:
    listed = entry.get(part)
    each = listed if isinstance(listed, list) else []
    return {str(one.get("path")): one.get("md5") for one in each if isinstance(one, Mapping)}
