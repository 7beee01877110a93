"""The manifest a stage writes last: what its output folder holds and what made it.

The manifest is the one owner of "what this stage produced". It contains no clock and no host,
so equal work gives equal bytes, and its own digest, so that a change to it is noticed too.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from mm_model.errors import UserError
from mm_model.store import atomic, digests, documents, recovery

NAME = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """Content and origin of one stage output.

    `files` maps relative paths to SHA-256; `inputs` maps input names to their digests;
    `fingerprint` names stage, code version, settings, inputs and models together. `code` says what
    computed it and `before` which other code began it, as `mm_model.run.made_by` has it; empty
    in manifests from before it was recorded.
    """

    stage: str
    version: int
    fingerprint: str
    inputs: dict[str, str]
    settings_digest: str
    report: dict
    files: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA
    own_digest: str = ""
    code: dict[str, dict[str, str]] = field(default_factory=dict)
    before: list[dict[str, dict[str, str]]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """One digest for the whole output; equal work of other code has the same."""
        return _digest_of(asdict(self), without=("own_digest", "code", "before"))


def _digest_of(content: dict, without: tuple[str, ...] = ("own_digest",)) -> str:
    return digests.of_value({key: value for key, value in content.items() if key not in without})


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Digest every file of `folder` and write the manifest there, last."""
    files = {
        name: digests.of_file(folder / name) for name in digests.files_below(folder) if name != NAME
    }
    sealed = Manifest(**{**asdict(manifest), "files": files})
    sealed = Manifest(**{**asdict(sealed), "own_digest": _digest_of(asdict(sealed))})
    atomic.write_json(folder / NAME, asdict(sealed))
    return sealed


def read(folder: Path) -> Manifest:
    """The manifest of a stage output.

    Raises:
        UserError: no manifest, or one of another schema.
    """
    path = folder / NAME
    if not path.is_file():
        raise UserError(
            f"{folder} has no {NAME}: run the stage that makes it "
            f"(python -m mm_model run {folder.name}, or dvc repro)."
        )
    way_out = partial(recovery.way_out, folder, {NAME: None})
    content = documents.read(path, way_out)
    if content.get("own_digest", "") not in ("", _digest_of(content)):
        raise _changed(path, way_out())
    if content.get("schema") != SCHEMA:
        raise UserError(
            f"{path} has schema {content.get('schema')}, this version reads {SCHEMA}: "
            "run the stage again."
        )
    try:
        return Manifest(**content)
    except TypeError:
        raise _changed(path, way_out()) from None


def _changed(path: Path, way_out: str) -> UserError:
    return UserError(f"{path} is damaged (it differs from its own digest): {way_out}.")


def verified(folder: Path, elsewhere: Callable[[str], bool] = lambda name: False) -> Manifest:
    """The manifest, after every listed file was found with its digest, but those `elsewhere`: who
    reads them compares theirs.

    Raises:
        UserError: a file is missing or was changed after the stage published it; the message says
            what brings it back here.
    """
    manifest = read(folder)
    damaged: Mapping[str, str] = {
        name: expected
        for name, expected in manifest.files.items()
        if not elsewhere(name) and not _has_digest(folder / name, expected)
    }
    if damaged:
        first, *others = damaged
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(
            f"{folder / first}{more} is missing or differs from {folder / NAME}: "
            f"{recovery.way_out(folder, damaged)}."
        )
    return manifest


def _has_digest(path: Path, expected: str) -> bool:
    return path.is_file() and digests.of_file(path) == expected
