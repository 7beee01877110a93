"""`python -m orchestration.forget NAME`: nothing of a subject that is listed no more stays in this
tree: output, work, what `learn-subject` made, DVC's record and objects, Dagster's books.

Runs of MLflow and Dagster hold values, losses and names of files, no photograph and no token; they
stay. An object store is rid of it by `make push` and `make prune`.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from orchestration import ending


def main() -> int:
    """Forget one subject; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.forget", description=__doc__)
    parser.add_argument("name", help="a subject that subjects.yaml lists no more")
    return ending.of(partial(_forget, parser.parse_args().name))


def _forget(name: str) -> None:
    from orchestration import home, turn

    root = home.root()
    home.prepare(root)
    with turn.held(root, f"forgetting {name}"):
        for line in subject(root, name):
            print(line, flush=True)


def subject(root: Path, name: str) -> Iterator[str]:
    """Remove all of a subject, of every profile; say what was.

    Raises:
        UserError: it is no name of a subject, the subject is listed, or `dvc.lock` is damaged.
    """
    from mm_model.errors import UserError
    from mm_model.run import stages
    from mm_model.settings.bounds import CALLED

    # Folders are looked for by it: ".." or "*" would be everybody's.
    if not re.fullmatch(CALLED, name):
        raise UserError(f"{name!r} is no name of a subject, so nothing was removed: name one.")
    stage = f"{stages.SUBJECT}@{name}"
    if stage in stages.listed(root):
        raise UserError(f"subjects.yaml lists {name}: take it out there first.")
    number = _objects(root, stage)
    folders = [path for path in _folders(root, name, stage) if path.exists()]
    for folder in folders:
        shutil.rmtree(folder)
    partition = _partition(name)
    if not (number or folders or partition):
        yield f"Nothing of {name} lay here."
        return
    yield f"Forgot {name}: {len(folders)} folders, {number} objects of DVC's cache."
    if partition:
        yield partition
    yield "What was pushed to an object store goes by make push and make prune."


def _folders(root: Path, name: str, stage: str) -> Iterator[Path]:
    yield from root.glob(f"work/*/{stage}")
    for kept in (name, f".{name}.*"):  # what a kill left beside it too
        yield from root.glob(f"data/*/subject/{kept}")
        yield from root.glob(f"work/*/subjects/{kept}")


def _objects(root: Path, stage: str) -> int:
    """Take the stage out of the lock and of DVC's record of runs, and delete the objects that
    nothing else names; how many there were."""
    from mm_model.store import atomic
    from orchestration import objects
    from orchestration.bucket import OBJECTS
    from orchestration.dvc_command import dvc, ran

    said = ran(dvc("cache", "dir"), root).stdout.strip()
    files = Path(said or ".dvc/cache")
    cache = objects.Cache(root / files / OBJECTS)
    lock = root / "dvc.lock"
    outs = objects.outputs(lock.read_bytes()) if lock.is_file() else []
    own = [one for one in outs if one.stage == stage]
    named = {digest for one in outs if one not in own for digest, _ in cache.objects(one)}
    wanted = {digest for one in own for digest, _ in cache.objects(one)}
    for path, outputs in _runs(root / files / "runs", stage):
        for digest in outputs:
            then = objects.Output(stage, "", digest, "")
            wanted |= {one for one, _ in cache.objects(then)}
        path.unlink()
    if own:
        atomic.write_bytes(lock, objects.without(lock.read_bytes(), own))
    gone = [cache.path(digest) for digest in wanted - named if cache.holds(digest)]
    for path in gone:
        path.unlink()
    return len(gone)


def _runs(folder: Path, stage: str) -> Iterator[tuple[Path, list[str]]]:
    """The records of runs of the stage, with the digests of what each made."""
    import yaml

    for path in list(folder.glob("*/*/*")):
        try:
            said = yaml.safe_load(path.read_text())
            if str(said["cmd"]).endswith(f" {stage}"):
                yield path, [str(out["md5"]) for out in said["outs"]]
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            continue


def _partition(name: str) -> str:
    """Take the subject's partition off Dagster's page; the sentence on it, "" if none was."""
    import dagster as dg

    from assets.subject import SUBJECTS

    books = SUBJECTS.name or ""
    with dg.DagsterInstance.get() as instance:
        if name not in instance.get_dynamic_partitions(books):
            return ""
        instance.delete_dynamic_partition(books, name)
        return "Its partition is gone from Dagster's page; its runs there keep what they said."


if __name__ == "__main__":
    sys.exit(main())
