"""A profile and the profiles that it builds on, laid over each other.

`base: NAME` in a file names the profile that says what the file does not. A file without that line
builds on `common`, and `local` on `real-small`, from which `make run SOURCES=...` writes it: a file
that says everything loses nothing by that, and goes on working when a new field comes. What
`overrides` says lies over all of them: `dvc exp run -S` writes there, since it rewrites a file.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from mm_model.errors import UserError
from mm_model.store import handwritten
from mm_model.store.handwritten import Place
from mm_model.store.walk import why

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
"""What a profile may be called: its file lies in `profiles/` itself."""

Values = dict[str, Any]
"""What a mapping of a file says, before its section has looked at it."""

BASE = "base"
COMMON, LOCAL, OF_LOCAL = "common", "local", "real-small"
OVERRIDES = "overrides"


@dataclass(frozen=True)
class Origin:
    """Where a value was written."""

    path: Path
    line: int


@dataclass(frozen=True)
class Written:
    """What files say together: the values, where each stands, and the files, nearest first.

    `names_base` is whether the first of them says itself what it builds on.
    """

    values: Any
    origins: dict[Place, Origin]
    files: tuple[Path, ...]
    names_base: bool = False

    def origin(self, place: tuple[int | str, ...]) -> Origin | None:
        """Where the value at `place`, or the one that holds it, was written."""
        keys = tuple(map(str, place[:2]))
        return self.origins.get(keys) or self.origins.get(keys[:1])


def path_of(root: Path, name: str) -> Path:
    """The file of the profile `name`."""
    return root / "profiles" / f"{name}.yaml"


def read(path: Path) -> Written:
    """What one file says.

    Raises:
        UserError: it cannot be read, is not YAML, or gives a key twice.
    """
    try:
        if not path.is_file():
            raise UserError(f"{path} does not exist: run from the repository root, or set MM_ROOT.")
        text = handwritten.read(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({why(error)}): mend its permissions.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except handwritten.Twice as error:
        raise UserError(f"{path}: {error}: leave one of them.") from None
    except (yaml.YAMLError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise UserError(f"{path} is not valid YAML{line}: mend it there.") from None
    origins = {place: Origin(path, line) for place, line in text.lines.items()}
    return Written(text.content, origins, (path,))


def gathered(root: Path, name: str) -> Written:
    """What the file of `name` says, over what the profiles say that it builds on.

    Raises:
        UserError: a file of the chain is absent or no mapping, or the chain has no end.
    """
    chain: dict[str, Written] = {}
    following: str | None = name
    while following is not None:
        chain[following] = said = _mapping(read(path_of(root, following)))
        following = _base(root, following, said)
        if following in chain:
            round_trip = " -> ".join([*list(chain)[list(chain).index(following) :], following])
            raise UserError(
                f"{said.files[0]}: base: {round_trip} leads in a circle: "
                f"let one of them build on another profile."
            )
    result = Written({}, {}, ())
    for said in reversed(chain.values()):
        result = _over(said, result)
    return result


def overridden(root: Path, below: Written) -> Written:
    """What `profiles/overrides.yaml` says over a profile; the profile where it says nothing.

    The file is told as the origin of its values, and is none of the profile's own files.

    Raises:
        UserError: it cannot be read, or is no mapping.
    """
    path = path_of(root, OVERRIDES)
    said = read(path) if path.is_file() else None
    if said is None or not said.values:
        return below
    found = _over(_mapping(said), below)
    return replace(found, files=below.files, names_base=below.names_base)


def overridden_fields(root: Path) -> list[str]:
    """The fields that `profiles/overrides.yaml` gives, as in `pretrain.steps`; [] without it.

    Raises:
        UserError: as `overridden`.
    """
    empty = Written({}, {}, ())
    found = overridden(root, empty).origins
    inner = [".".join(place) for place in found if len(place) == 2]
    return sorted(inner)


def _mapping(said: Written) -> Written:
    if not isinstance(said.values, dict):
        raise UserError(
            f"{said.files[0]} holds no settings: it needs lines like 'title: ...' and 'faces:' "
            "with fields below it."
        )
    return said


def _base(root: Path, name: str, said: Written) -> str | None:
    """The profile that `name` builds on; None for one that stands alone."""
    if BASE not in said.values:
        meant = {COMMON: None, LOCAL: OF_LOCAL}.get(name, COMMON)
        return meant if meant and path_of(root, meant).is_file() else None
    base, (path,) = said.values[BASE], said.files
    if isinstance(base, str) and NAME.fullmatch(base) and path_of(root, base).is_file():
        return base
    line = said.origins[BASE,].line
    shown = repr(base) if isinstance(base, str) else "no name"
    raise UserError(
        f"{path}: base (line {line}) is {shown}, and there is no such file in {path.parent}: "
        f"name one of {', '.join(_names(root, name))}."
    )


def _names(root: Path, asking: str) -> list[str]:
    """The files beside that of `asking` that hold settings; a recipe of people does not."""
    found = []
    for path in path_of(root, asking).parent.glob("*.yaml"):
        try:
            values = read(path).values
        except UserError:
            continue
        is_one = isinstance(values, dict) and any(isinstance(one, dict) for one in values.values())
        if is_one and path.stem != asking:
            found.append(path.stem)
    return sorted(found)


def _over(said: Written, below: Written) -> Written:
    values, origins = dict(below.values), dict(below.origins)
    for key, value in said.values.items():
        if key == BASE:
            continue
        under = values.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            value = {**under, **value}
        values[key] = value
    origins |= {place: origin for place, origin in said.origins.items() if place != (BASE,)}
    return Written(values, origins, (*said.files, *below.files), BASE in said.values)


def without(values: Values, below: Values) -> Values:
    """The part of `values` that differs from `below`, section by section."""
    found: Values = {}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            value = {name: one for name, one in value.items() if one != below[key].get(name, ...)}
            if not value:
                continue
        elif key in below and below[key] == value:
            continue
        found[key] = value
    return found
