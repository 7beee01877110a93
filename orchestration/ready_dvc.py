"""DVC in a process that has loaded it: while one stage works, the next one's DVC gets ready.

Loading DVC takes most of a second, and each stage has a DVC of its own.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestration.dvc_command import dvc, environment
from orchestration.process_group import ProcessGroup

_COMMAND = [
    sys.executable,
    "-m",
    "orchestration.ready_dvc",
    "dvc",
]  # as `python -m dvc` names itself


class ReadyDvc:
    """Starts DVC for stages of the tree at `root`, and gets one ready for the next of them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._group: ProcessGroup | None = None

    @contextlib.contextmanager
    def started(
        self, arguments: tuple[str, ...], env: Mapping[str, str], more: bool
    ) -> Iterator[ProcessGroup]:
        """A group in which `dvc` runs with these arguments; `more`: another will follow."""
        with contextlib.ExitStack() as own:
            group = self._taken(own, arguments, env)
            if group is None:
                group = own.enter_context(ProcessGroup(dvc(*arguments), self._root, env))
            if more:
                self._get_ready()
            try:
                yield group
            except BaseException:
                self.leave()  # who is interrupted needs none, and whoever looks finds none
                raise

    def leave(self) -> None:
        """End one that got ready and was not needed."""
        group, self._group = self._group, None
        if group is not None:
            group.__exit__(None, None, None)

    def _get_ready(self) -> None:
        group = ProcessGroup(_COMMAND, self._root, environment(self._root), hears=True)
        self._group = group.__enter__()

    def _taken(
        self, own: contextlib.ExitStack, arguments: tuple[str, ...], env: Mapping[str, str]
    ) -> ProcessGroup | None:
        """The one that got ready, told what to do; None where there is none that lives."""
        group, self._group = self._group, None
        if group is None:
            return None
        own.push(group)
        told = {"arguments": dvc(*arguments)[3:], "environment": dict(env)}
        return group if group.tell(json.dumps(told) + "\n") else None


def main() -> int:
    """Load DVC, wait for one line that says what to do, and do it; the exit status."""
    from dvc.cli import main as run
    from dvc.commands import repro
    from dvc.repo import Repo

    assert repro and Repo  # loaded while there is time
    line = sys.stdin.readline()
    if not line:
        return 0
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a stage has nothing to read
    said = json.loads(line)
    os.environ.clear()
    os.environ.update(said["environment"])
    sys.argv = ["dvc", *said["arguments"]]
    return run(said["arguments"])


if __name__ == "__main__":
    sys.exit(main())
