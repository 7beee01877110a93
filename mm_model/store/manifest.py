"""The manifest a stage writes last: what its output folder holds and what made it.

The manifest is the one owner of "what this stage produced". It contains no clock and no host,
so equal work gives equal bytes.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mm_model.errors import UserError
from mm_model.store import atomic, digests

NAME = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """Content and origin of one stage output.

    `files` maps relative paths to SHA-256; `inputs` maps input names to their digests;
    `fingerprint` names stage, code version, settings, inputs and models together.
    """

    stage: str
    version: int
    fingerprint: str
    inputs: dict[str, str]
    settings_digest: str
    report: dict
    files: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def digest(self) -> str:
        """One digest for the whole output."""
        return digests.of_value(asdict(self))


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Digest every file of `folder` and write the manifest there, last."""
    files = {
        name: digests.of_file(folder / name) for name in digests.files_below(folder) if name != NAME
    }
    sealed = Manifest(**{**asdict(manifest), "files": files})
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
    content = json.loads(path.read_text())
    if content.get("schema") != SCHEMA:
        raise UserError(
            f"{path} has schema {content.get('schema')}, this version reads {SCHEMA}: "
            "run the stage again."
        )
    return Manifest(**content)


def verified(folder: Path) -> Manifest:
    """The manifest, after every listed file was found with its digest.

    Raises:
        UserError: a file is missing or was changed after the stage published it.
    """
    manifest = read(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file() or digests.of_file(path) != expected:
            raise UserError(
                f"{path} is missing or differs from {folder / NAME}: restore it with "
                f"'dvc checkout' or run the stage again."
            )
    return manifest
