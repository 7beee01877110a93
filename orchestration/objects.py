"""What a `dvc.lock` names: the objects of each output, and whether they lie in this tree's cache.

An output is one object, or a folder: an object that lists the others.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from assets.graph import FILE
from mm_model.errors import UserError
from orchestration.address import STORE
from orchestration.dvc_lock import MEND


@dataclass(frozen=True)
class Output:
    """One output of a locked stage, and the name of the remote it goes to."""

    stage: str
    path: str
    digest: str
    remote: str


def remotes(graph: Path = FILE) -> dict[str, str]:
    """Stage to the remote of its output, where `dvc.yaml` names one."""
    found: dict[str, str] = {}
    for name, entry in yaml.safe_load(graph.read_text())["stages"].items():
        for out in entry["outs"]:
            for said in out.values() if isinstance(out, dict) else ():
                found[name] = said.get("remote", STORE)
    return found


def outputs(lock: bytes) -> list[Output]:
    """Every output that the lock names.

    Raises:
        UserError: the lock is damaged.
    """
    try:
        stages = yaml.safe_load(lock)["stages"]
        where = remotes()
        return [
            Output(name, out["path"], out["md5"], where.get(name, STORE))
            for name, entry in stages.items()
            for out in entry["outs"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        raise UserError(f"dvc.lock is damaged: {MEND}.") from None


def of_profile(outs: list[Output], profile: str) -> tuple[list[Output], list[Output]]:
    """The outputs that belong to the profile, and the others."""
    own = [one for one in outs if one.path.startswith(f"data/{profile}/")]
    return own, [one for one in outs if one not in own]


def of_only(lock: bytes, profile: str) -> bytes:
    """The lock without the stages that still name an output of another profile.

    Raises:
        UserError: the lock is damaged.
    """
    _, others = of_profile(outputs(lock), profile)
    if not others:
        return lock
    said = yaml.safe_load(lock)
    for one in others:
        said["stages"].pop(one.stage, None)
    return yaml.safe_dump(said, sort_keys=False).encode()


class Cache:
    """This tree's own cache of DVC, in the folder `files`."""

    def __init__(self, files: Path) -> None:
        self.files = files

    def path(self, digest: str) -> Path:
        """Where the object of a digest lies, or would."""
        return self.files / digest[:2] / digest[2:]

    def holds(self, digest: str) -> bool:
        """Whether it lies here."""
        return self.path(digest).is_file()

    def objects(self, output: Output) -> Iterator[tuple[str, str]]:
        """Digest and path in the tree of each object of an output, the folder's own first.

        What a folder holds is not told where the folder's own object does not lie here.
        """
        yield output.digest, output.path
        if output.digest.endswith(".dir") and self.holds(output.digest):
            for entry in json.loads(self.path(output.digest).read_text()):
                yield entry["md5"], f"{output.path}/{entry['relpath']}"
