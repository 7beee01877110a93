"""Reads `params.yaml` and profiles; what is wrong with one is one sentence with the way out."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from mm_model.errors import UserError
from mm_model.settings import bases
from mm_model.settings.bases import BASE, COMMON, OF_LOCAL, Written
from mm_model.settings.bounds import CALLED, PROFILE
from mm_model.settings.section import Section, fields
from mm_model.settings.sections import Params, Profile, asks_for_paint
from mm_model.store import digests
from mm_model.store.walk import why

_SHOWN = 80
_WORDS = {
    "Value error, ": "",
    "Input should be a valid string": "it should be text, in quotes where it reads as a number or "
    "as yes or no",
    "Input should be": "it should be",
    "Tuple should have": "the list should have",
    f"String should match pattern '{CALLED}'": "a name has up to 40 small letters, digits and "
    "hyphens, as in my-dog",
    f"String should match pattern '{PROFILE}'": "a profile is called by small letters, digits and "
    "hyphens, as its file in profiles/",
    " after validation": "",
}
_OF_KEY = "[key]"
"""What pydantic puts behind a name that is wrong itself."""

_Kind = TypeVar("_Kind", bound=Section)


def load_params(root: Path) -> Params:
    """Read `<root>/params.yaml`.

    Raises:
        UserError: absent, not YAML, a key that does not belong, or an input that holds the tree.
    """
    written = bases.read(root / "params.yaml")
    params = checked(Params, written, root)
    for name in [one for one in Params.model_fields if one != "profile"]:
        if holds(root, Path(getattr(params, name))):
            raise UserError(
                f"{written.files[0]}: {name}: {getattr(params, name)} holds the tree itself: name "
                f"a folder beside or inside it in line {written.origins[name,].line}."
            )
    return params


def holds(root: Path, path: Path) -> bool:
    """Whether the tree at `root` lies in the folder `path`, which may count from there."""
    whole = Path(os.path.realpath(root))
    return whole.is_relative_to(os.path.realpath(whole / path))


def load_profile(root: Path, name: str) -> Profile:
    """Read `<root>/profiles/<name>.yaml` and the profiles that it builds on, below overrides.

    Raises:
        UserError: absent, not YAML, a missing value, or one against the laws of its section.
    """
    return resolved(root, name)[0]


def resolved(root: Path, name: str) -> tuple[Profile, Written]:
    """The profile `name`, and where each of its values stands.

    Raises:
        UserError: as `load_profile`.
    """
    if not bases.NAME.fullmatch(name) or not bases.path_of(root, name).is_file():
        raise UserError(
            f"There is no profile '{name}': params.yaml may name one of {', '.join(names(root))}."
        )
    written = bases.gathered(root, name)
    if name == COMMON:
        raise UserError(
            f"{written.files[0]} is what other profiles build on, and no profile itself: "
            f"params.yaml may name one of {', '.join(names(root))}."
        )
    written = bases.overridden(root, written)
    return _with_prompts(checked(Profile, written, root), written, root), written


def _with_prompts(profile: Profile, written: Written, root: Path) -> Profile:
    """The profile with the digest of its prompts, where a synthesiser draws from them."""
    said = written.values["pairs"]
    if not asks_for_paint(said["synthesizer"], said["kinds"]):
        return profile
    path = root / "profiles" / said["prompts"]
    try:
        digest = digests.of_file(path)
    except OSError as error:
        raise UserError(
            f"{written.files[0]}: pairs.prompts: {path} cannot be read ({why(error)}): name a file "
            "of prompts that lies beside the profile."
        ) from None
    pairs = profile.pairs.model_copy(update={"prompts_digest": digest})
    return profile.model_copy(update={"pairs": pairs})


def names(root: Path) -> list[str]:
    """The profiles below `root` that are complete, sorted."""
    found = []
    for name in sorted(path.stem for path in (root / "profiles").glob("*.yaml")):
        try:
            if name != COMMON:
                Profile.model_validate(bases.gathered(root, name).values)
                found.append(name)
        except (UserError, ValidationError, RecursionError):
            continue
    return found


def checked(kind: type[_Kind], written: Written, root: Path) -> _Kind:
    """What a file says, as its section.

    Raises:
        UserError: a value is missing, does not belong, or is none.
    """
    try:
        return kind.model_validate(written.values)
    except ValidationError as error:
        found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise UserError(_sentence(kind, found[0], written, root)) from None
    except RecursionError:
        raise UserError(f"{written.files[0]} is nested without end: mend it there.") from None


def _sentence(kind: type[Section], error: Mapping[str, Any], written: Written, root: Path) -> str:
    place = error["loc"]
    named = [part for part in map(str, place) if part != _OF_KEY]
    field = " ".join(".".join(named).split())[:_SHOWN] or "the file"
    origin = written.origin(place)
    inside = any(isinstance(part, int) for part in place)
    if error["type"] == "missing" and not inside:
        return f"{written.files[0]}: {field} is missing: {_how_to_say(written, root)}."
    path = origin.path if origin else written.files[0]
    line = f"line {origin.line}" if origin else "the file"
    if error["type"] == "extra_forbidden":
        return f"{path}: {field} is no setting: {_meant(kind, place)} ({line})."
    if error["type"] in ("model_type", "dict_type", "invalid_key"):
        needed = f"fields below '{field}:'" if place else "lines like 'profile: tiny'"
        return f"{path}: {field} is no group of settings: give {needed}, mended in {line}."
    said = "a value is missing there" if error["type"] == "missing" else _plain(error["msg"])
    return f"{path}: {field}: {said}: mend {line} (mm_model/settings/ says what the value means)."


def _plain(said: str) -> str:
    """A library's words, for somebody who knows lists and numbers and no library."""
    for theirs, ours in _WORDS.items():
        said = said.replace(theirs, ours)
    return said


def _how_to_say(written: Written, root: Path) -> str:
    if written.names_base:
        return f"give it a value there or in {written.files[-1]}"
    if written.files[0].parent == root:
        return "give it a value there"
    known = names(root)
    if not known:
        return "give it a value there"
    base = OF_LOCAL if OF_LOCAL in known else known[0]
    return (
        f"give it a value there, or add the line '{BASE}: {base}', "
        "and what the file does not say comes from that profile"
    )


def _meant(kind: type[Section], place: tuple[int | str, ...]) -> str:
    """What somebody may have meant who gave a key that does not belong, and the way out."""
    *above, key = map(str, place)
    known = fields(kind)
    here = [name for name in known if name[:-1] == tuple(above)]
    near = difflib.get_close_matches(key, [name[-1] for name in here], 1)
    if near:
        return f"did you mean {'.'.join([*above, near[0]])}? Mend its name"
    elsewhere = [name for name in known if name[-1] == key]
    if elsewhere:
        return f"did you mean {' or '.join('.'.join(name) for name in elsewhere)}? Move it there"
    return "remove it"
