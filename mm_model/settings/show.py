"""A profile with all that it builds on in one piece: for people, and for who compares values."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mm_model.settings.bases import Origin, Written
from mm_model.settings.load import load_profile, resolved
from mm_model.settings.sections import Profile
from mm_model.store import atomic
from mm_model.store.layout import Layout

IN_CODE = "default in code"
_COLUMN = 46


def text(root: Path, name: str) -> str:
    """The profile `name` as YAML; behind each value, the file and line that it came from.

    What it prints is a profile itself, which builds on nothing that it does not say.

    Raises:
        UserError: there is no such profile, or it is not valid.
    """
    profile, written = resolved(root, name)
    chain = " <- ".join(_relative(path, root) for path in written.files)
    return "\n".join([f"# {chain}", *_lines(profile, written, root)])


def _lines(profile: Profile, written: Written, root: Path) -> Iterator[str]:
    for key, value in profile.model_dump(mode="json", by_alias=True).items():
        if not isinstance(value, dict):
            yield _line(f"{key}: {_plain(value)}", written.origins.get((key,)), root)
            continue
        yield f"{key}:"
        for name, one in value.items():
            origin = written.origins.get((key, name))
            yield _line(f"  {name}: {_plain(one)}", origin, root)


def _line(said: str, origin: Origin | None, root: Path) -> str:
    came = f"{_relative(origin.path, root)}:{origin.line}" if origin else IN_CODE
    return f"{said.ljust(_COLUMN)}  # {came}"


def _plain(value: Any) -> str:
    """The value as YAML in one line."""
    said = yaml.safe_dump(value, default_flow_style=True, width=1_000_000, allow_unicode=True)
    return said.removesuffix("\n").removesuffix("\n...")


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def write(root: Path, name: str) -> Path:
    """Write the values of the profile `name` into `data/<name>/settings.json`.

    An equal file stays as it is.

    Raises:
        UserError: there is no such profile, or it is not valid.
    """
    path, said = Layout(root, name).settings, _json(load_profile(root, name))
    try:
        if path.read_text("utf-8") == said:
            return path
    except (OSError, UnicodeDecodeError):
        path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, said)
    return path


def _json(profile: Profile) -> str:
    values = profile.model_dump(mode="json", by_alias=True)
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"
