"""The working end: takes one request, brings one stage up to date in this tree, says how it ended.

Everything that the stage reads is pulled first, under the lock that the asking end pushed, and what
it made is pushed before the answer. DVC decides here whether anything must run, as anywhere.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from assets.graph import SETTINGS
from mm_model.errors import UserError
from mm_model.settings import load_params
from mm_model.store import atomic, digests, documents
from mm_model.store.layout import Layout
from orchestration import dvc_command, failed, home, turn
from orchestration.process_group import ProcessGroup
from orchestration.transfer import Transfer
from orchestration.worker import alike, wire

_KEPT = Path("work/worker")


def serve(handle: int = 0) -> int:
    """Serve the one request that comes in on a file descriptor; return DVC's status.

    Raises:
        UserError: the trees are not alike, the store does not answer, or an input is absent.
        BusyError: somebody is at work in this tree.
        KeyboardInterrupt: nobody wants the work any more.
    """
    request = wire.receive(handle)
    _write(f"{wire.HEARD}\n")
    os.environ.update(request.environment)
    threading.Thread(target=_until_unwanted, args=(handle,), daemon=True).start()
    root = home.root()
    home.prepare(root)
    with turn.held(root, f"Work for {request.asker}") as held:
        if held is not None:
            held.say(request.stage)
        alike.compare(alike.facts(root, request.stage), request.alike, request.commit)
        _choose(root, request.chosen, request.asker)
        params = load_params(root)
        alike.compare_inputs(alike.inputs(root, request.stage, params), request.inputs, params)
        transfer = Transfer(root, _say, views=())
        transfer.pull(request.lock)
        answer = _made(root, request)
        if not answer.status:
            answer = wire.Answer(0, transfer.push())
        _write(answer.line())
    return answer.status


def _say(line: str) -> None:
    _write(f"[worker] {line}\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _until_unwanted(handle: int) -> None:
    wire.wanted(handle)
    os.kill(os.getpid(), signal.SIGINT)


def _choose(root: Path, wanted: dict[str, str], asker: str) -> None:
    """Take over what says which profile runs on what; what stood here is kept beside."""
    found = alike.chosen(root)
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) == wanted.get(name):
            continue
        path = root / name
        if name in found:
            mark = digests.of_bytes(found[name].encode())[:12]
            kept = _KEPT / f"{path.stem}-{mark}{path.suffix}"
            atomic.write_bytes(root / kept, found[name].encode())
            _say(f"{name} is now as on {asker}; what stood here is kept in {kept}.")
        if name in wanted:
            atomic.write_bytes(path, wanted[name].encode())
        else:
            path.unlink()


def _made(root: Path, request: wire.Request) -> wire.Answer:
    """Run the stage by DVC; its lines go out as they come."""
    if SETTINGS in dvc_command.status(root):
        raise UserError(
            "What the profile says on the worker is not what lies here (dvc status settings "
            "there tells): bring both trees to one commit."
        )
    started = time.time()
    force = ["--force"] if request.force else []
    command = dvc_command.dvc("repro", "--single-item", *force, request.stage)
    with ProcessGroup(command, root, dvc_command.environment(root)) as group:
        for line in group.lines():
            _write(f"{wire.for_people(line)}\n")
        status = group.wait()
    if not status:
        return wire.Answer(0)
    layout = Layout(root, load_params(root).profile)
    audit = failed.audit(layout, request.stage, started)
    return wire.Answer(status, audit=documents.read_or_empty(audit) if audit else None)
