"""Finished outputs go on counting when we move or part a file that DVC knows a stage by.

DVC would find another file there, remove the output and make it again: days of training, for a
rename. So `make run` looks first, and `python -m orchestration.bring_over` does for those who call
DVC themselves. An output is taken over when its own manifest says that it is this very work
(stage, version, settings, inputs, weights) and every byte is as it was sealed. DVC records it.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from assets.graph import SETTINGS, node
from mm_model.errors import BusyError, UserError
from mm_model.run import stages, status
from mm_model.settings import Params, Profile, load_params, load_profile
from mm_model.store import manifest
from mm_model.store.layout import Layout
from orchestration import dvc_lock
from orchestration.dvc_command import dvc, ran
from orchestration.same_work import SAME_WORK


def moved(entry: dvc_lock.Entry, root: Path) -> list[str]:
    """Paths that the lock names for a stage, that the graph no longer does, and that are gone."""
    return [
        path
        for path in sorted(entry.dependencies)
        if not path.startswith("data/")
        and path not in node(entry.stage).code
        and not (root / path).exists()
    ]


def rewritten(entry: dvc_lock.Entry, root: Path) -> list[str]:
    """Files that the lock holds in an earlier form which did the very work of today's."""
    return [
        path
        for path, recorded in sorted(entry.dependencies.items())
        if recorded in SAME_WORK.get(path, ())
        and (root / path).is_file()
        and hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest() != recorded
    ]


def outputs(root: Path) -> Iterator[str]:
    """Take over what can be, one sentence a stage; nothing is said where nothing moved.

    Raises:
        UserError: settings or `dvc.lock` are damaged, or DVC refuses to record.
    """
    params = load_params(root)
    layout, profile = Layout(root, params.profile), load_profile(root, params.profile)
    again: set[str] = set()
    settled = False
    for name, entry in dvc_lock.entries(root, params.profile).items():
        gone, parted = moved(entry, root), rewritten(entry, root)
        if again & set(node(name).takes):
            again.add(name)  # it follows what is made again
            continue
        if not gone and not parted:
            continue
        if (reason := _other_work(name, params, profile, layout)) is not None:
            again.add(name)
            how = _what(gone[0]) if gone else "its code was parted"
            yield f"{name}: {how} and its output is made again, since {reason.rstrip('.')}."
            continue
        if not settled:
            _dvc(root, "repro", "--single-item", SETTINGS)  # what stages are compared by
            settled = True
        _dvc(root, "commit", "--force", name)
        how = f"{gone[0]} lies elsewhere" if gone else f"{parted[0]} is written otherwise"
        yield f"{name}: its output counts on, though {how} now."


def _what(gone: str) -> str:
    """What happened to a path that the lock names and that is gone: inputs do not move by us."""
    return "its code moved" if gone.endswith(".py") else f"{gone} is gone"


def _dvc(root: Path, *arguments: str) -> None:
    done = ran(dvc(*arguments), root)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise UserError(f"DVC did not take over {arguments[-1]} ({said[-1]}): run again.")


def _other_work(name: str, params: Params, profile: Profile, layout: Layout) -> str | None:
    """Why the output that lies there is not what this stage would make; None when it is."""
    reasons = status.reasons(stages.of(name, layout.root), params, profile, layout)
    if reasons:
        return " and ".join(reasons)
    try:
        manifest.verified(layout.output(name))
    except UserError as error:
        return str(error).split(": ")[0]
    return None


def main() -> int:
    """Bring the tree over; return the exit status."""
    from mm_model.commands.cli import BUSY
    from orchestration import home, turn

    try:
        root = home.root()
        with turn.held(root, "bringing over"):
            said = False
            for line in outputs(root):
                said = True
                print(line, flush=True)
            if not said:
                print("Nothing to bring over: every stage is known by a file that lies here.")
    except UserError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return BUSY if isinstance(error, BusyError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
