"""The pool of a Ray cluster: workers of several machines behind the same port.

Ray says where a worker is and carries orders and results; whatever a result may depend on is ours:
each actor holds a `Local` pool of one process, so limits, confinement and crashes are those of one
machine. An actor that goes away with its machine is replaced, and its items are begun again
(docs/decisions/ray.md).
"""

import contextlib
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.run.pools import cluster
from mm_model.run.pools.here import Here
from mm_model.run.pools.local import Local
from mm_model.run.pools.port import Crashed, Limits, Pool, Start, Task
from mm_model.run.pools.share import Share
from mm_model.run.pools.slot import order, outcome
from mm_model.run.pools.turn import Turn
from mm_model.waiting import HEARD_SECONDS

WORKERS = "MM_POOL_WORKERS"
"""Environment variable: workers of a pool; as many as the cluster holds when it is not set."""

_ORDER_ITEMS = 8
_ORDER_SECONDS = 0.25
"""An order holds so many items that it takes about this long: a way there and back costs 1 ms."""

_AHEAD = 4 * _ORDER_ITEMS
"""Items a worker that may be begun beyond the first unfinished one; so many results are held."""

_START_SECONDS = 120
_NO_NODE_SECONDS = 15
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOMP_SPINCOUNT")
_VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Ray sets it for who asked for a GPU."""

_open: "list[Ray]" = []
"""Pools of this process that have actors."""


def opened(start: Start, processes: int, limits: Limits) -> Pool:
    """As `table.open_pool`; a pool of one process is not worth a cluster."""
    return Local(start, processes, limits) if processes == 1 else Ray(start, processes, limits)


def heavy(start: Start, limits: Limits) -> Pool:
    """As `table.open_heavy`; a cluster that we would start is of this machine alone, and one worker
    that has all of it needs none."""
    return Ray(start, 1, limits) if os.environ.get(cluster.ADDRESS) else Here(start)


class Ray:
    """See `port.Pool`; no cluster is asked before there is work. `on_tick` is not called."""

    def __init__(self, start: Start, processes: int, limits: Limits) -> None:
        self._start, self._processes, self._limits = pickle.dumps(start), processes, limits
        self._wanted = _number() or 0
        self._slots: list[_Slot] = []
        self._joined = False
        self._share: Share | None = None

    def map(
        self, task: Task, items: Sequence[Any], on_tick: Callable[[], None] | None = None
    ) -> Iterator[Any]:
        """The result of each item, in their order; see `port.Pool.map`.

        Raises:
            UserError: no cluster answers, or none of its nodes has a place for a worker.
        """
        if not len(items):
            return
        ray = self._cluster()
        share = self._shared(ray)
        number = self._wanted or max(1, share.fits(cluster.living(ray)))
        turn = Turn(len(items), self._limits.tries, number * _AHEAD)
        pace = _Pace()
        try:
            self._patient_until = time.monotonic() + _START_SECONDS
            while not turn.over:
                with _reached():
                    self._staff(ray, share, min(number, len(items)))
                    self._give(turn, task, items, pace)
                    self._hear(ray, turn, pace)
                yield from turn.in_order()
        finally:
            self._end([slot for slot in self._slots if slot.places])

    def _cluster(self) -> Any:
        if not self._joined:
            cluster.join(self._wanted or self._processes)
            self._joined = True
            _open.append(self)
        for other in _open:
            if other is not self:  # two pools of one process must not wait for each other
                other._end([slot for slot in other._slots if not slot.places])
        return cluster.library()

    def _shared(self, ray: Any) -> Share:
        """What each worker takes; settled once a pool, also where nodes come and go."""
        if self._share is None:
            self._share = Share.of(self._limits, cluster.living(ray))
        return self._share

    def _staff(self, ray: Any, share: Share, number: int) -> None:
        """As many actors as there shall be; some may wait for their share."""
        while len(self._slots) < number:
            self._slots.append(_Slot(ray, share))
            self._slots[-1].begin(self._start, self._limits)

    def _give(self, turn: Turn, task: Task, items: Sequence[Any], pace: "_Pace") -> None:
        for slot in self._slots:
            working = sum(len(one.places) for one in self._slots)
            if not slot.idle or (place := turn.take(working)) is None:
                continue
            places, fair = [place], turn.left // (2 * len(self._slots))
            while len(places) < min(pace.items, fair) and (more := turn.take(1)) is not None:
                places.append(more)
            slot.take(places, order(task, [items[place] for place in places]))

    def _hear(self, ray: Any, turn: Turn, pace: "_Pace") -> None:
        """Wait for news; put down results, and begin again what went away with its machine."""
        asked = {slot.asked: slot for slot in self._slots if slot.asked is not None}
        done, _ = ray.wait(list(asked), num_returns=1, timeout=HEARD_SECONDS, fetch_local=False)
        if done:  # whoever else has finished too
            done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0, fetch_local=False)
        for ref in done:
            slot = asked[ref]
            places, ready, began = slot.places, slot.ready, slot.began
            try:
                reply = slot.answer(ray)
            except _Away as away:
                self._end([slot])
                turn.moved(places)
                if away.ours:
                    raise UserError(f"A worker of the Ray cluster cannot begin: {away}") from None
                continue
            self._patient_until = time.monotonic() + _START_SECONDS
            if not ready:
                continue
            pace.took(time.monotonic() - began, len(places))
            for place, one in zip(places, outcome(reply, self._limits), strict=True):
                if isinstance(one, Crashed):
                    turn.gone(place, one)
                else:
                    turn.results[place] = one
        if not any(slot.ready for slot in self._slots):
            self._refuse_emptiness(ray)

    def _refuse_emptiness(self, ray: Any) -> None:
        now = time.monotonic()
        share, nodes = self._shared(ray), cluster.living(ray)
        began = self._patient_until - _START_SECONDS
        if not share.fits(nodes) and now > began + _NO_NODE_SECONDS:
            raise UserError(
                f"No node of the Ray cluster has {share} any more: start a node ('ray start "
                "--address=host:port') and run again; what was finished is kept."
            )
        if now > self._patient_until:
            raise UserError(
                f"No worker of the Ray cluster began within {_START_SECONDS} seconds, where "
                f"{share.fits(nodes)} of {share} each have room: are they all taken by others?"
            )

    def _end(self, slots: "list[_Slot]") -> None:
        for slot in slots:
            slot.close()
            self._slots.remove(slot)

    def close(self) -> None:
        """End the actors; leave the cluster with the last pool, and end it if it is ours."""
        if self._joined:
            self._end([*self._slots])
            self._joined = False
            _open.remove(self)
            cluster.leave()


class _Pace:
    """How many items an order holds."""

    def __init__(self) -> None:
        self.items = 1

    def took(self, seconds: float, items: int) -> None:
        """An order of so many items took so long, the way included."""
        fit = int(_ORDER_SECONDS * items / max(seconds, 1e-6))
        self.items = max(1, min(fit, 2 * self.items, _ORDER_ITEMS))


class _Away(Exception):
    """An actor is gone; `ours` when another one would fare no better."""

    def __init__(self, said: str, ours: bool = False) -> None:
        super().__init__(said)
        self.ours = ours


class _Slot:
    """One actor, and the items that it works on."""

    def __init__(self, ray: Any, share: Share) -> None:
        asks = {"num_cpus": share.cpus, "num_gpus": share.gpus}
        kind = ray.remote(**asks, max_restarts=0, scheduling_strategy="SPREAD")(_actor())
        self._ray, self._actor, self._share = ray, kind.remote(), share
        self.asked: Any = None
        self.ready, self.places, self.began = False, list[int](), 0.0

    @property
    def idle(self) -> bool:
        """Whether it can take an order."""
        return self.ready and self.asked is None

    def begin(self, start: bytes, limits: Limits) -> None:
        """Ask it to make itself ready."""
        paths = [path for path in sys.path if path]
        told = {name: os.environ[name] for name in _THREADS if name in os.environ}
        if not self._share.gpus:  # what was not asked for is another's: nobody takes it unasked
            told[_VISIBLE] = ""
        self.asked = self._actor.begin.remote(
            str(Path.cwd()), paths, told, start, pickle.dumps(limits)
        )

    def take(self, places: list[int], said: bytes) -> None:
        """Work on an order."""
        self.places, self.began = places, time.monotonic()
        self.asked = self._actor.work.remote(said)

    def answer(self, ray: Any) -> bytes:
        """What it replies to what it was asked.

        Raises:
            _Away: it is gone.
        """
        errors = cluster.library("ray.exceptions")
        try:
            reply = ray.get(self.asked)
        except errors.RayTaskError as error:
            raise _Away(str(error.cause), ours=True) from None
        except errors.RayError as error:
            raise _Away(str(error)) from None
        self.asked, self.places = None, []
        if not self.ready and reply:
            raise _Away(reply.decode(), ours=True)
        self.ready = True
        return reply

    def close(self) -> None:
        """End the actor, whatever it is doing; its process ends with it."""
        self._ray.kill(self._actor, no_restart=True)


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """While this holds, a cluster that cannot be asked any more is one clear error."""
    try:
        yield
    except cluster.library("ray.exceptions").RayError as error:
        said = " ".join(str(error).split())[:300]
        raise UserError(
            "The Ray cluster went away: start it again and run again; what was finished is kept. "
            f"Ray says: {said}"
        ) from error


def _actor() -> type:
    """The class of the actors, sent as it is: a node can import this tree once it is told where."""

    class Actor:
        def begin(
            self, folder: str, paths: list[str], told: dict[str, str], start: bytes, limits: bytes
        ) -> bytes:
            import os
            import pickle
            import platform
            import sys

            try:
                os.chdir(folder)
            except OSError as error:
                said = f"node {platform.node()} does not see {folder} under that name ({error})."
                return said.encode()
            os.environ.update(told)
            sys.path[:0] = paths
            try:
                from mm_model.run.pools.slot import Slot
            except ImportError as error:
                return f"node {platform.node()} cannot import this tree's code ({error}).".encode()
            self._slot = Slot(start, pickle.loads(limits))
            return b""

        def work(self, said: bytes) -> bytes:
            reply: bytes = self._slot.work(said)
            return reply

    return Actor


def _number() -> int | None:
    said = os.environ.get(WORKERS)
    if not said:
        return None
    if not said.isdecimal() or not int(said):
        raise UserError(f"{WORKERS}={said} is no number of workers: give 1 or more.")
    return int(said)
