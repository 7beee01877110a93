"""One at a time in a tree: `make run`, a Dagster run, a plain `dvc repro`, a stage by hand.

Who comes second is told at once who is at work, instead of waiting without a word.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mm_model.errors import BusyError
from mm_model.store import lease
from mm_model.store.layout import Layout
from orchestration import dvc_command


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
