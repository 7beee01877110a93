"""The asking end: hands a stage to the worker, hears it work, and brings back what it made.

Up goes what lies here, down comes what the stage made, both through the object store; the
worker's lines come through the connection. Leaving in the middle ends the work there.
"""

import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mm_model.errors import UserError
from mm_model.settings import load_params
from mm_model.store import closure, digests
from orchestration import dvc_command
from orchestration.process_group import ProcessGroup
from orchestration.transfer import Transfer
from orchestration.worker import alike, named, wire
from orchestration.worker.named import WORKER, Worker

_TRACKING = "MLFLOW_TRACKING_URI"
_STOPPED = "Stopped: "
_SENT = ("MLFLOW_", "AWS_")
"""What begins so in the environment here is set there: who we are, and where runs are kept."""
_GOODBYE = 4.0
"""Seconds that the worker has for its end before the connection is cut."""

Hear = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """A stage of the tree at `root` that the worker is to bring up to date, for a run of Dagster.

    With `force` it runs even where DVC would not run it; `variables` are set there.
    """

    worker: Worker
    root: Path
    stage: str
    force: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


def needed(root: Path, stage: str) -> bool:
    """Whether the stage has to be handed over at all; what the profile says is written down first.

    Raises:
        UserError: DVC cannot tell.
    """
    return stage in dvc_command.settled(root)


def bring_up(order: Order, hear: Hear, package: Path = closure.PACKAGE) -> wire.Answer:
    """Have the worker bring the stage up to date, and its output and lock here; its answer.

    `hear` is given each line, `package` is the library that stages run.

    Raises:
        UserError: no store or tracking server is named that both reach, the worker refused or went
            away, or what it made is not what this tree would have made.
    """
    _see_tracking()
    _see_program(order.worker.ssh[0])
    transfer = Transfer(order.root, hear, views=())
    lock = transfer.push(partly=True)
    answer = _asked(order, _request(order, transfer, lock, package), hear)
    if answer.status:
        return answer
    known = digests.of_file(order.root / "dvc.lock") == lock  # all of it, but another profile's
    transfer.pull(answer.lock, keep=not known)
    if changes := dvc_command.status(order.root).get(order.stage):
        what = ", ".join(sorted({path for kind in changes.values() for path in kind}))
        raise UserError(
            f"{order.stage} ran on {order.worker.url} with another {what} than lies here: make "
            "both the same, and run again."
        )
    return answer


def _see_tracking() -> None:
    said = os.environ.get(_TRACKING, "")
    if "://" not in said or said.startswith(("sqlite:", "file:")):
        raise UserError(
            f"{WORKER} is set and {_TRACKING} names no server: runs of two machines are kept by "
            f"one that both reach, {_TRACKING}=http://host:5001 (docs/cluster.md)."
        )


def _see_program(name: str) -> None:
    if shutil.which(name) is None:
        raise UserError(f"{name} is no program here: install it, or name another by {named.SSH}.")


def _request(order: Order, transfer: Transfer, lock: str, package: Path) -> wire.Request:
    root, stage = order.root, order.stage
    sent = {name: value for name, value in os.environ.items() if name.startswith(_SENT)}
    return wire.Request(
        stage,
        socket.gethostname(),
        lock,
        force=order.force,
        commit=transfer.commit(),
        chosen=alike.chosen(root),
        alike=alike.facts(root, stage, package),
        inputs=alike.inputs(root, stage, load_params(root)),
        environment={**sent, **order.variables},
    )


def _asked(order: Order, request: wire.Request, hear: Hear) -> wire.Answer:
    worker, answer, last, begun = order.worker, None, "", False
    env = dvc_command.environment(order.root)
    hear(f"{request.stage} runs on {worker.url}.")
    with (
        ProcessGroup(worker.command, order.root, env, hears=True) as group,
        _alive(group, request),
    ):
        for line in group.lines():
            if (found := wire.answer(line)) is not None:
                answer = found
                continue
            if line == wire.HEARD:
                begun = True
                continue
            last = line.strip() or last
            hear(line)
        status = group.wait()
    if answer is not None:
        return answer
    if last.startswith(_STOPPED):
        raise UserError(f"On the worker: {last.removeprefix(_STOPPED)}")
    last = (last or f"status {status}").rstrip(".")
    if begun:
        raise UserError(
            f"The worker {worker.url} went away in the middle of its work (last heard: {last}): "
            "what it finished is kept there, run again."
        )
    raise UserError(
        f"The worker {worker.url} did not answer ({last}): see that this "
        "machine reaches it by ssh without a password and that make setup was run there."
    )


@contextlib.contextmanager
def _alive(group: ProcessGroup, request: wire.Request) -> Iterator[None]:
    """Ask, and show for the length of the block that the work is wanted."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(wire.BEAT):
            group.tell("\n")

    group.tell(request.line())
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        group.hang_up(_GOODBYE)
        raise
    finally:
        over.set()
        thread.join()
