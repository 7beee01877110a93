"""The door's connections: how long each may take to ask, how many there are, and what is told.

uvicorn's protocol with these bounds. Every request on a connection, not only the first, must say
what it asks for within `door.HEADER_SECONDS`; a reply must be taken; and there are never more
connections than the limit of open files bears: for a newcomer the one that has been waiting to be
asked something for the longest is closed.
"""

import asyncio
import logging
import resource
import sys
import time
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http import h11_impl

from mm_model.serving import door
from mm_model.serving.refusal import Code
from mm_model.serving.reply import in_our_form

_LOG = logging.getLogger(__name__)
_LAST_SECONDS = 0.5
"""How long the sender of what is no HTTP is listened to before the connection is closed."""
_TAKEN_SECONDS = 120.0
"""How long a reply may take to be taken by its reader."""
_AHEAD_BYTES = 64 << 10
"""What a sender may send behind a request that is being answered; who sends more is cut off."""
_READ_BYTES = 32 << 10
"""Bytes taken in before one looks whether they come in chunks, of which there may be thousands."""
_MOST, _BATCH = 1000, 128
_QUIET_SECONDS = 60.0
"""How long nothing more is logged of connections that were too many."""
# Taken from uvicorn, which does not export them: h11 itself is not ours to name.
h11 = h11_impl.h11  # type: ignore[attr-defined]
_HEAD_BYTES = h11_impl.DEFAULT_MAX_INCOMPLETE_EVENT_SIZE  # type: ignore[attr-defined]
_FAULTS = (  # the words of h11, and what they mean
    ("Content-Length", "Content-Length must be one number of at most 20 digits."),
    ("Host", "The request must have one Host header."),
)


def room() -> tuple[int, int]:
    """How many connections are kept at most, and how many may be let in at once.

    Half of the files that this process may open: a wave of newcomers is let in, four batches at
    most, before the first of them can be closed, and work opens files too.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _MOST, _BATCH
    return max(1, min(_MOST, files // 2)), max(8, min(_BATCH, files // 16))


class Crowd:
    """The open connections: those being answered, and those that wait to be asked something."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # the one that waits the longest first
        self._said = -_QUIET_SECONDS

    def enter(self, newcomer: "Connection") -> bool:
        """Let it in, in place of who waits the longest where the house is full; False when all are
        being answered: it must go soon, and goes for the next newcomer at once."""
        answered = len(self._open) - len(self._waiting)
        if len(self._open) >= self._most:
            self._say()
            if (oldest := next(iter(self._waiting), None)) is not None:
                self.leave(oldest)
                oldest.transport.abort()
        self._open.add(newcomer)
        self._waiting[newcomer] = None
        return answered < self._most

    def leave(self, one: "Connection") -> None:
        """It is closed."""
        self._open.discard(one)
        self._waiting.pop(one, None)

    def waits(self, one: "Connection") -> None:
        """Its request was answered."""
        if one in self._open:
            self._waiting[one] = None

    def is_answered(self, one: "Connection") -> None:
        """It has asked for something."""
        self._waiting.pop(one, None)

    def _say(self) -> None:
        if time.monotonic() - self._said >= _QUIET_SECONDS:
            self._said = time.monotonic()
            _LOG.warning(
                "%d connections are open, more than the limit of open files bears (ulimit -n): "
                "newcomers take the place of those that ask for nothing, or are sent away",
                self._most,
            )


def protocol(most: int) -> type[h11_impl.H11Protocol]:
    """The protocol of a server that keeps `most` connections."""
    return type("Protocol", (Connection,), {"crowd": Crowd(most)})


def _reply(status: HTTPStatus, code: Code, sentence: str, more: bytes = b"") -> bytes:
    content = in_our_form(status, code.value, sentence)
    return (
        b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
        b"connection: close\r\n%scontent-length: %d\r\n\r\n%s"
    ) % (status, status.phrase.encode(), more, len(content), content)


def _of_fault(fault: BaseException | None) -> bytes:
    """The reply to what h11 cannot read."""
    if getattr(fault, "error_status_hint", 0) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return _reply(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            Code.HEAD_TOO_LARGE,
            f"The request's first line and headers are larger than {_HEAD_BYTES} bytes.",
        )
    said = "The request is no HTTP/1.1 request."
    said = next((meant for word, meant in _FAULTS if word in str(fault)), said)
    return _reply(HTTPStatus.BAD_REQUEST, Code.BAD_HTTP, said)


class Connection(h11_impl.H11Protocol):
    """One connection, in our form where it refuses a request itself.

    It goes on reading behind a request that is being answered, since a closed connection is only
    noticed by reading, and reads no chunks, which may be millions in a small body.
    """

    crowd: Crowd
    _refused = False
    _asking: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # whatever is not taken at once is noticed
        self._await_head()
        if not self.crowd.enter(self):
            self._refuse(
                _reply(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    Code.BUSY,
                    "Too many connections are open: try again later.",
                    b"retry-after: 5\r\n",
                )
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.leave(self)
        self._asking = _cancelled(self._asking)
        self._taking = _cancelled(self._taking)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _READ_BYTES):
            if not self._refused:
                self._take_in(data[start : start + _READ_BYTES])

    def _take_in(self, data: bytes) -> None:
        super().data_received(data)
        if self.headers and any(name == b"transfer-encoding" for name, _ in self.headers):
            self._refused = True  # the door says so
        elif self._is_answered() and self.conn.their_state is h11.DONE:
            if len(self.conn.trailing_data[0]) > _AHEAD_BYTES:
                self.transport.abort()
            else:
                self.flow.resume_reading()
        elif not self._is_answered():
            self._await_head()  # from the first byte, however slowly the others come

    def handle_events(self) -> None:
        super().handle_events()
        if self._is_answered():
            self._asking = _cancelled(self._asking)
            self.crowd.is_answered(self)
        elif self.conn.trailing_data[0]:  # half a request that came behind the last one
            self._unset_keepalive_if_required()
            self._await_head()

    def _await_head(self) -> None:
        if self._asking is None:
            self._asking = self.loop.call_later(door.HEADER_SECONDS, self._is_late)

    def _is_late(self) -> None:
        self._asking = None
        if self.transport.is_closing() or self._is_answered() or self._refused:
            return
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(
                _reply(
                    HTTPStatus.REQUEST_TIMEOUT,
                    Code.BODY_TOO_SLOW,
                    f"The request did not arrive whole within {door.HEADER_SECONDS:g} seconds.",
                )
            )
        else:
            self.transport.close()

    def _is_answered(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def on_response_complete(self) -> None:
        self.crowd.waits(self)
        if self._refused:
            self.loop.call_later(_LAST_SECONDS, self.transport.close)
        else:
            super().on_response_complete()

    def send_400_response(self, _: str) -> None:
        self._refuse(_of_fault(sys.exc_info()[1]))

    def _refuse(self, reply: bytes) -> None:
        self._refused = True
        if not self._is_answered():
            self.transport.write(reply)
        # Closing at once would reset the connection while the rest arrives, reply and all.
        self.loop.call_later(_LAST_SECONDS, self.transport.close)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(_TAKEN_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._taking = _cancelled(self._taking)
        super().resume_writing()


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """None, which takes the place of a timer that is cancelled."""
    if timer is not None:
        timer.cancel()
    return None
