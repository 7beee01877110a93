"""One at a time in a tree: `make run`, a Dagster run, a plain `dvc repro`, a stage by hand.

Who comes second is told at once who is at work, instead of waiting without a word. Only a run of
Dagster waits for another, since whoever starts several on its page expects them one after another.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dagster._core.errors import raise_execution_interrupts

from mm_model.errors import BusyError
from mm_model.store import lease
from mm_model.store.layout import Layout
from orchestration import dvc_command

DAGSTER = "A Dagster run"
_LOOK_SECONDS = 1.0


def _doubt(holder: lease.Holder) -> None:
    print(
        f"{holder.what} of {holder.host} has not ended its work here; watching for "
        f"{lease.PATIENCE:.0f} s whether it lives.",
        flush=True,
    )


@contextlib.contextmanager
def held(root: Path, what: str) -> Iterator[lease.Lease | None]:
    """Be the only one at work in the tree at `root` for the length of the block.

    Raises:
        BusyError: somebody else is; the message says who.
    """
    path = Layout(root, "").lease
    nested = lease.handed_on(path)
    with lease.held(path, what, on_doubt=_doubt) as taken:
        if taken is not None and not nested and (sentence := dvc_command.at_work(root)):
            raise BusyError(sentence)
        yield taken


def come(stack: contextlib.ExitStack, root: Path, say: Callable[[str], None]) -> None:
    """Have the tree to ourselves until `stack` ends, after runs of Dagster in other processes.

    `say` is told once that this one waits. Where somebody else is at work nothing is waited for:
    the first stage says who. Dagster's own interruption ends it when this run is cancelled.
    """
    said = False
    while True:
        if not _other_run(root):
            try:
                stack.enter_context(held(root, DAGSTER))
                return
            except BusyError:
                if not _other_run(root):
                    return
        elif not said:
            say("Another run of Dagster is at work in this tree: this one waits for its end.")
            said = True
        with raise_execution_interrupts():
            time.sleep(_LOOK_SECONDS)


def _other_run(root: Path) -> bool:
    path = Layout(root, "").lease
    if lease.handed_on(path):  # it is ours
        return False
    holder, lives = lease.look(path)
    return bool(lives) and holder is not None and holder.what == DAGSTER
