"""The pool of this machine: processes of our own, one item each at a time.

Processes are spawned, never forked (ONNX sessions and decoders do not survive a fork), end with
this one (`mm_model.lifeline`) and are kept for the next map. This process only listens: it has no
threads, so an interrupt ends the map within a second and the workers with it.
"""

import json
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

from mm_model import lifeline
from mm_model.errors import UserError
from mm_model.run.pools import child
from mm_model.run.pools.patience import Patience
from mm_model.run.pools.port import Crashed, Limits, Start, Task
from mm_model.run.pools.turn import Turn
from mm_model.waiting import HEARD_SECONDS

_PART_BYTES = 1 << 20
_LONGEST_CONFINED = 64 << 20
"""Bytes that a confined worker may say of one item."""
_STILLBORN = 5
"""Workers that end in a row before they are ready: the machine is at fault and not the files."""


class Local:
    """See `port.Pool`; no process is started before there is work."""

    def __init__(self, start: Start, processes: int, limits: Limits) -> None:
        self._start, self._processes, self._limits = pickle.dumps(start), processes, limits
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._stillborn = 0

    def map(
        self, task: Task, items: Sequence[Any], on_tick: Callable[[], None] | None = None
    ) -> Iterator[Any]:
        """The result of each item, in their order; see `port.Pool.map`.

        An item whose worker died is begun again when all others are done, and alone, so that a
        second crash has one possible cause.

        Raises:
            UserError: worker after worker ends before it can begin.
        """
        turn, busy = Turn(len(items), self._limits.tries), self._busy
        try:
            while not turn.over:
                while len(busy) < self._processes and (place := turn.take(len(busy))) is not None:
                    self._give(place, pickle.dumps((task, items[place])))
                for worker in _listen(busy, on_tick):
                    self._settle(worker, turn)
                    busy.remove(worker)
                yield from turn.in_order()
        finally:
            self._end(busy)

    def _give(self, place: int, order: bytes) -> None:
        """Let a worker begin an item; it is in a list at every moment, as an interrupt may come."""
        if not self._idle:
            self._idle.append(_Worker(self._start, self._limits))
        worker = self._idle[-1]
        self._busy.append(worker)
        self._idle.pop()
        worker.take(place, order)

    def _settle(self, worker: "_Worker", turn: Turn) -> None:
        """Put down what became of a worker's item; keep the worker if it lives."""
        self._stillborn = 0 if worker.ready else self._stillborn + 1
        if isinstance(worker.outcome, Crashed):
            worker.close()
            if self._stillborn == _STILLBORN:
                raise UserError(
                    f"{_STILLBORN} worker processes in a row ended before they could begin a file, "
                    "so no file is to blame: is there too little memory, or is a library damaged?"
                )
            turn.gone(worker.place, worker.outcome)
        else:
            self._idle.append(worker)
            turn.results[worker.place] = worker.outcome

    def close(self) -> None:
        """End the processes; the next map starts new ones."""
        self._end(self._busy)
        self._end(self._idle)

    def _end(self, workers: "list[_Worker]") -> None:
        while workers:
            workers.pop().close()


def _listen(busy: Sequence["_Worker"], on_tick: Callable[[], None] | None) -> "Iterator[_Worker]":
    """Wait for news; the workers whose item has an outcome now.

    Raises:
        Exception: what a task raised.
    """
    steps = [worker.patience.step for worker in busy if worker.patience]
    speaking = wait([worker.pipe for worker in busy], min([*steps, HEARD_SECONDS]))
    for worker in [*busy]:
        if worker.pipe in speaking:
            worker.hear(on_tick)
        if worker.patience and worker.patience.over():
            worker.ended(Crashed(late=True))
        if worker.done:
            yield worker


class _Worker:
    """One process, and the item that it works on."""

    def __init__(self, start: bytes, limits: Limits) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self._limits = limits
        self._process = lifeline.process(child.serve, theirs, start, limits)
        self._theirs = theirs
        self._said = bytearray()
        self.ready = False
        self.pid = 0
        self.patience: Patience | None = None
        self.place, self.outcome, self.done = -1, None, False

    def take(self, place: int, order: bytes) -> None:
        """Begin an item, at once or when the process is ready."""
        self.place, self._order, self.outcome, self.done = place, order, None, False
        if self.ready:
            self._begin()
        elif not self.pid:
            self._process.start()
            self._theirs.close()
            self.pid = self._process.ident or 0  # known once it is started
            self.patience = Patience(self.pid, self._limits.start_seconds)

    def _begin(self) -> None:
        seconds = self._limits.seconds
        self.patience = None if seconds is None else Patience(self.pid, seconds)
        try:
            self.pipe.send_bytes(self._order)
        except OSError:
            self.ended(Crashed())

    def ended(self, outcome: Any) -> None:
        """The item has this outcome."""
        self.outcome, self.done, self.patience = outcome, True, None

    def hear(self, on_tick: Callable[[], None] | None) -> None:
        """Take in what the process says.

        Raises:
            Exception: what its task raised.
        """
        try:
            part = os.read(self.pipe.fileno(), _PART_BYTES)
        except OSError:
            part = b""
        if not part:
            self.ended(Crashed())
        self._said += part
        while not self.done and (reply := self._reply()):
            kind, body = reply
            if kind == child.TICK and on_tick:
                on_tick()
            elif kind == child.READY:
                self.ready = True
                self._begin()
            elif kind in (child.RESULT, child.ERROR):
                self._finish(kind, body)

    def _reply(self) -> tuple[bytes, bytes] | None:
        """The next whole reply, taken off what was said."""
        length = int.from_bytes(self._said[: child.LENGTH], "big")
        if self._limits.confined and length > _LONGEST_CONFINED:
            self.ended(Crashed())
        whole = child.LENGTH + length
        if self.done or len(self._said) < max(whole, child.LENGTH + 1):
            return None
        reply = bytes(self._said[child.LENGTH : whole])
        del self._said[:whole]
        return reply[:1], reply[1:]

    def _finish(self, kind: bytes, body: bytes) -> None:
        if self._limits.confined:
            try:
                self.ended(json.loads(body) if kind == child.RESULT else Crashed())
            except ValueError:
                self.ended(Crashed())
            return
        content = pickle.loads(body)
        if kind == child.ERROR:
            raise content
        self.ended(content)

    def close(self) -> None:
        """End the process, whatever it is doing; nothing more the second time."""
        if self.pipe.closed:
            return
        if self._process.ident:
            self._process.kill()
            self._process.join()
        self._process.close()
        self._theirs.close()
        self.pipe.close()
