"""The door in front of MLflow's scoring application: who comes in, who waits, who is sent away.

MLflow's application reads every body whole and hands it to a thread; what waits there can neither
be counted nor be sent away. The door is a small ASGI middleware that does this before any thread is
taken: it reads the body within limits, refuses what can be refused without a model, gives a place
or says at once that none is free, and lets one request at a time through to MLflow's application.
A sender who has gone loses the place, and work under way for him stops at the next step. Nothing
that a reply says quotes a request, and no reply carries a trace or a path.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from mm_model.serving import body, mirror, visit
from mm_model.serving.refusal import Code, Refusal, log_defect, stopping
from mm_model.serving.reply import Reply, defect, passed_on, refused
from mm_model.serving.request import Request
from mm_model.serving.visit import Visit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_LOG = logging.getLogger(__name__)
_WORK = "/invocations"
_METHODS = {_WORK: "POST", "/ping": "GET", "/health": "GET", "/version": "GET"}
_OWN_NAMES = ("127.0.0.1", "localhost", "::1")
_STATUS = {
    Code.BUSY: HTTPStatus.TOO_MANY_REQUESTS,
    Code.STOPPING: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.CONSENT_UNRECORDED: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.BODY_TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    Code.HOST: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.CHUNKS: HTTPStatus.LENGTH_REQUIRED,
}
_QUICK_BYTES = 256 << 10
"""A body up to this size is read where it arrives (a millisecond), a larger one in a thread."""
_BODIES_HELD = 4
"""How many bodies of the largest size may be arriving at once, counted in bytes."""
_EYES = 2
"""Requests whose pictures are looked at side by side."""
_AHEAD = 3
"""How many of those inside hold opened pictures, the one at work included: an opened picture takes
up to 50 MB, however small its file."""
_DRAIN_SECONDS = 5.0
"""How long the rest of a refused body is taken in, so that its sender gets to read the reply."""
_HANDED = json.dumps({"dataframe_records": [{}]}).encode()
"""The body that MLflow's application reads; the request itself travels as the visit."""
_SECOND_LOOK_SECONDS = 0.02
"""How long a full house is given to notice who has just gone."""
_FIRST_GUESS_SECONDS = 1.0
HEADER_SECONDS = 20.0
"""How long a connection may take to say what it asks for: a new one, and one that begins to ask."""


class _Gone(Exception):
    """The sender has hung up."""


class Door:
    """The ASGI application. `inner` is MLflow's, `served` the model it calls.

    hosts: names under which the server may be asked for, beside this machine's own: a page on
    another name that leads here (DNS rebinding) gets nothing.
    """

    def __init__(self, inner: App, served: mirror.Mirror, hosts: Iterable[str] = ()) -> None:
        self._inner = inner
        self._mirror = served
        self._places = mirror.places(served.limits)
        self._most_bytes = body.most_bytes(served.limits)
        self._hosts = {name.lower() for name in (*_OWN_NAMES, *hosts)}
        self._inside: dict[Visit, _Place] = {}  # in the order in which they came
        self._arriving: set[asyncio.Timeout] = set()
        self._held = 0  # bytes of bodies that are arriving or being read
        self._closed = False
        self._reader = ThreadPoolExecutor(1, "reading")
        self._eyes = ThreadPoolExecutor(_EYES, "looking")
        self._seconds = _FIRST_GUESS_SECONDS

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; the server's own events go to MLflow's application."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def close(self) -> None:
        """Take no more requests; whoever waits is sent away, work ends at its next step."""
        self._closed = True
        for one in list(self._inside.items()):
            _end(*one)
        for deadline in self._arriving:
            deadline.reschedule(0.0)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        arrival = _Arrival(receive)
        try:
            self._check_address(scope)
            if scope["path"] != _WORK:
                await self._inner(scope, receive, send)
                return
            reply = await self._served(await self._wanted(scope, arrival), receive)
        except _Gone:
            _LOG.info("the sender has gone after %.2f s", time.monotonic() - started)
            return
        except Refusal as refusal:
            reply = self._refused(refusal)
        except Exception as error:
            log_defect(_LOG, error)
            reply = defect()
        said = reply.said or "served"
        _LOG.info("%d %s in %.3f s", reply.status, said, time.monotonic() - started)
        await _send(reply, arrival, send, 0.0 if self._closed else _DRAIN_SECONDS)

    def _check_address(self, scope: Message) -> None:
        host = _header(scope, b"host")
        if len(host) != 1 or _name_of(host[0]) not in self._hosts:
            raise Refusal(
                Code.HOST,
                "This server is not asked for under that name: use 127.0.0.1 or localhost, or "
                "start it with --allow and the name.",
            )
        wanted = _METHODS.get(scope["path"])
        if wanted is None:
            raise Refusal(
                Code.NOT_FOUND, f"There is nothing here: ask {', '.join(_METHODS)} instead."
            )
        if scope["method"] != wanted:
            raise Refusal(Code.METHOD, f"Only {wanted} is answered here.")

    async def _wanted(self, scope: Message, arrival: "_Arrival") -> Request:
        """The checked request: its body arrives within the limits of size, time and marks."""
        if _header(scope, b"transfer-encoding"):
            raise body.in_chunks()
        body.check_content_type(_header(scope, b"content-type"))
        declared = _header(scope, b"content-length")
        if declared and declared[0].isdecimal() and int(declared[0][:18]) > self._most_bytes:
            raise self._too_large()
        seconds = self._mirror.limits.body_seconds
        try:
            async with asyncio.timeout(seconds) as deadline:
                self._arriving.add(deadline)
                await self._arrive(arrival)
            if len(arrival.content) <= _QUICK_BYTES:
                return self._read(arrival.content)
            return await _in(self._reader, self._read, arrival.content)
        except TimeoutError:
            if self._closed:
                raise stopping() from None
            raise Refusal(
                Code.BODY_TOO_SLOW, f"The request did not arrive whole within {seconds:g} seconds."
            ) from None
        finally:
            self._arriving.discard(deadline)
            self._held -= len(arrival.content)
            arrival.content = bytearray()

    async def _arrive(self, arrival: "_Arrival") -> None:
        marks = body.Marks(self._mirror.limits)
        async for piece in arrival:
            marks.count(piece)
            arrival.content += piece
            self._held += len(piece)
            size = len(arrival.content)
            if size > self._most_bytes:
                raise self._too_large()
            if size > _QUICK_BYTES and self._held > _BODIES_HELD * self._most_bytes:
                raise mirror.busy()

    def _read(self, content: bytearray) -> Request:
        return self._mirror.read(body.record_in(content))

    def _too_large(self) -> Refusal:
        return Refusal(Code.BODY_TOO_LARGE, f"The request is larger than {self._most_bytes} bytes.")

    async def _served(self, wanted: Request, receive: Receive) -> Reply:
        """Take a place and make the clip, for as long as the sender waits for it."""
        if self._closed:
            raise stopping()
        if len(self._inside) >= self._places:
            await asyncio.sleep(_SECOND_LOOK_SECONDS)
        if len(self._inside) >= self._places:
            raise mirror.busy()
        admitted = Visit(wanted)
        place = _Place(asyncio.create_task(self._work(admitted)))
        self._inside[admitted] = place
        self._next()
        place.work.add_done_callback(lambda _: self._leave(admitted))
        listening = asyncio.create_task(_when_gone(receive, admitted, place))
        try:
            return await place.work
        except asyncio.CancelledError:
            if admitted.ended:
                raise (stopping() if self._closed else _Gone()) from None
            raise
        finally:
            listening.cancel()

    def _leave(self, admitted: Visit) -> None:
        del self._inside[admitted]
        self._next()

    def _next(self) -> None:
        """It is the turn of whoever came first, and the pictures of the next are looked at."""
        for rank, place in enumerate(itertools.islice(self._inside.values(), _AHEAD)):
            place.near.set()
            if rank == 0:
                place.turn.set()

    async def _work(self, admitted: Visit) -> Reply:
        """Look, wait for the turn (until then it may be cancelled), make the clip in a thread."""
        place = self._inside[admitted]
        await place.near.wait()
        admitted.references = await _in(self._eyes, self._mirror.look, admitted.request)
        emptied = tuple(b"" for _ in admitted.request.references)
        admitted.request = dataclasses.replace(admitted.request, references=emptied)  # frees files
        await place.turn.wait()
        admitted.at_work = True
        started = time.monotonic()
        reply = await self._through(admitted)
        if admitted.ended:
            raise stopping() if self._closed else _Gone()
        self._seconds += (time.monotonic() - started - self._seconds) / 4
        return reply

    async def _through(self, admitted: Visit) -> Reply:
        """MLflow's reply to the visit. Whatever it is, it is passed on in our form only."""
        visit.current.set(admitted)  # in this task alone
        length = str(len(_HANDED)).encode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": _WORK,
            "raw_path": _WORK.encode(),
            "query_string": b"",
            "root_path": "",
            "state": {},
            "client": None,
            "server": None,
            "headers": [(b"content-type", body.JSON.encode()), (b"content-length", length)],
        }
        handed = iter([{"type": "http.request", "body": _HANDED, "more_body": False}])
        status, pieces = 0, []

        async def receive() -> Message:
            if (message := next(handed, None)) is not None:
                return message
            return await asyncio.get_running_loop().create_future()  # it never hangs up

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            pieces.append(message.get("body", b""))

        await self._inner(scope, receive, send)
        return passed_on(status, b"".join(pieces))

    def _refused(self, refusal: Refusal) -> Reply:
        status = _STATUS.get(refusal.code, HTTPStatus.BAD_REQUEST)
        reply = refused(status, refusal.code.value, refusal.sentence)
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            seconds = math.ceil(self._seconds * max(1, len(self._inside)))
            reply.headers.append((b"retry-after", str(seconds).encode()))
        return reply


@dataclasses.dataclass(eq=False)
class _Place:
    """Held by one visit while it is inside."""

    work: asyncio.Task
    near: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    turn: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


async def _send(reply: Reply, arrival: "_Arrival", send: Send, drain: float) -> None:
    """Send it; what arrives within `drain` seconds is taken in before the connection is closed."""
    headers = [
        (b"content-type", body.JSON.encode()),
        (b"content-length", str(len(reply.content)).encode()),
        (b"cache-control", b"no-store"),
        *reply.headers,
    ]
    if not arrival.whole:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if not arrival.whole:
        await send({"type": "http.response.body", "body": reply.content, "more_body": True})
        with contextlib.suppress(TimeoutError, _Gone):
            async with asyncio.timeout(drain):
                async for _ in arrival:
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    else:
        await send({"type": "http.response.body", "body": reply.content, "more_body": False})


class _Arrival:
    """A body on its way, piece by piece; `whole` once all of it was handed on."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.content = bytearray()
        self.whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            self.whole = not message.get("more_body", False)
            yield message.get("body", b"")


async def _when_gone(receive: Receive, admitted: Visit, place: _Place) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    _end(admitted, place)


def _end(admitted: Visit, place: _Place) -> None:
    admitted.end()
    if not admitted.at_work:
        place.work.cancel()


async def _in(pool: ThreadPoolExecutor, act: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(pool, act, *arguments)


def _header(scope: Message, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _name_of(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
