"""What a `dvc.lock` names: the objects of each output, and whether they lie in this tree's cache.

An output is one object, or a folder: an object that lists the others.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from assets.graph import FILE, asset, partition
from mm_model.errors import UserError
from mm_model.store import locked
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
    for name, entry in locked.parsed(graph.read_text())["stages"].items():
        for out in entry.get("do", entry)["outs"]:
            for said in out.values() if isinstance(out, dict) else ():
                found[name] = said.get("remote", STORE)
    return found


def outputs(lock: bytes) -> list[Output]:
    """Every output that the lock names.

    Raises:
        UserError: the lock is damaged.
    """
    try:
        stages = locked.parsed(lock)["stages"]
        where = remotes()
        return [
            Output(name, out["path"], out["md5"], where.get(asset(name), STORE))
            for name, entry in stages.items()
            for out in entry["outs"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        raise UserError(f"dvc.lock is damaged: {MEND}.") from None


def of_profile(outs: list[Output], profile: str) -> tuple[list[Output], list[Output]]:
    """The outputs that belong to the profile, and the others."""
    own = [one for one in outs if one.path.startswith(f"data/{profile}/")]
    return own, [one for one in outs if one not in own]


def without(lock: bytes, outs: list[Output]) -> bytes:
    """The lock without the stages that made these outputs."""
    said = locked.parsed(lock)
    for name in {one.stage for one in outs}:
        del said["stages"][name]
    return yaml.safe_dump(said, sort_keys=False).encode()


def unlisted(outs: list[Output], subjects: Collection[str]) -> list[Output]:
    """The outputs of stages of subjects that are none of `subjects`, as in `subject@rex`."""
    return [one for one in outs if partition(one.stage) and one.stage not in subjects]


def plain(lock: bytes) -> bytes:
    """The lock with names that a `dvc.yaml` without `foreach` may have."""
    said = locked.parsed(lock)
    said["stages"] = {plainly(name): entry for name, entry in said["stages"].items()}
    return yaml.safe_dump(said, sort_keys=False).encode()


def plainly(stage: str) -> str:
    """The name of a stage without the sign that `foreach` alone may give it."""
    return stage.replace("@", "-of-")


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
