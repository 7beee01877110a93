"""Runs a release's own door on a socket that is handed on, and lets it leave without a loss.

Started by path (`mm_model.serving.launch`) with the release's code in front: `mm_model` is the
release's here, as it was evaluated, also of releases made before anything followed the champion.
Put into its door are the socket, which whoever started this keeps, and the meaning of SIGUSR1: take
no new connection, answer every request that comes on those there are, and end when they are gone.

It may be started before its release is known: it then loads the libraries that every release's door
needs, none of which a release carries, and waits for its words.
"""

import asyncio
import contextlib
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import uvicorn

_DOOR = "mm_model.serving.__main__"
_LIBRARIES = (
    "mlflow.pyfunc.scoring_server",
    "uvicorn",
    "diffusers.pipelines.cogvideo.pipeline_cogvideox",
    "insightface.app",
)
"""What takes a door its first seconds; with them come torch, transformers, pandas and OpenCV."""
_SETTLE_SECONDS = 0.1
"""How long what was let in last may take to become a connection that is waited for."""
_LOOK_SECONDS = 0.05

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Leave:
    """How a server leaves its socket to another process.

    A connection that stays open must not be closed by us: a request may be on its way there. So it
    is answered with "Connection: close", or closes after uvicorn's usual idle seconds.
    """

    def __init__(self) -> None:
        self._begun = False
        self._task: asyncio.Task[None] | None = None

    def around(self, app: Any) -> App:
        """The application, whose replies end their connections once leaving has begun."""

        async def answer(scope: Message, receive: Receive, send: Send) -> None:
            async def closing(message: Message) -> None:
                if self._begun and message["type"] == "http.response.start":
                    headers = [one for one in message["headers"] if one[0] != b"connection"]
                    message = {**message, "headers": [*headers, (b"connection", b"close")]}
                await send(message)

            await app(scope, receive, closing)

        return answer

    def begin(self, server: "uvicorn.Server") -> None:
        """Leave; the server ends by itself when nobody is connected any more."""
        self._begun = True
        self._task = self._task or asyncio.get_running_loop().create_task(self._leave(server))

    async def _leave(self, server: "uvicorn.Server") -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, asyncio.SelectorEventLoop):
            # Closed at once, asyncio would drop a connection that it took a moment before.
            for listening in (one for listener in server.servers for one in listener.sockets):
                loop.remove_reader(listening.fileno())
            await asyncio.sleep(_SETTLE_SECONDS)
        for listener in server.servers:
            listener.close()
        await asyncio.sleep(_SETTLE_SECONDS)
        while server.server_state.connections or server.server_state.tasks:
            await asyncio.sleep(_LOOK_SECONDS)
        server.should_exit = True
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - "Serving has ended." it has not


def main(arguments: Sequence[str]) -> int:
    """Serve: descriptors of the line, the socket and the pipe to say on that requests are taken,
    then what the release's door is told; without that it waits for it on standard input."""
    line, listening, telling, *told = arguments
    _of_the_tree("lifeline").hold(int(line))
    told = told or _told_later()
    if not told:
        return 0
    door = importlib.import_module(_DOOR)
    leave = Leave()

    def bound(_host: str, _port: int) -> socket.socket:
        return socket.socket(fileno=int(listening))

    def server(config: "uvicorn.Config", *others: Any) -> "uvicorn.Server":
        made = original(config, *others)
        config.app = leave.around(config.app)
        startup = made.startup

        async def announced(sockets: list[socket.socket] | None = None) -> None:
            for one in sockets or ():  # until now nobody else may bind its port (`doors.Front`)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            await startup(sockets)
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, leave.begin, made)
            os.write(int(telling), b"\n")
            os.close(int(telling))

        made.startup = announced
        return made

    _put(door, "bound", bound)
    original = _put(door, "server", server)
    return door.main(told)


def _put(door: Any, name: str, ours: Callable) -> Callable:
    """Put ours in the place of a function of the door; returns the door's."""
    there = next(one for one in (name, f"_{name}") if hasattr(door, one))  # earlier doors: private
    theirs = getattr(door, there)
    setattr(door, there, ours)
    return theirs


def _told_later() -> list[str]:
    """Load the libraries, then wait: the place of a release's code and what its door is told.
    Nothing, where who started this has no use for it any more, or it is of no use."""
    environment = _of_the_tree("environment")  # libraries ask when they are imported
    environment.silence_telemetry()
    environment.keep_freed_memory()
    with _silent():
        for name in _LIBRARIES:
            with contextlib.suppress(Exception):  # the release says better what is missing
                importlib.import_module(name)
    if "mm_model" in sys.modules:  # by a library's plug-in: this tree's, not the release's
        return []
    line = sys.stdin.readline()
    if not line:
        return []
    code, *told = json.loads(line)
    sys.argv += told
    given = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [code, given]))
    sys.path.insert(0, code)
    importlib.invalidate_caches()
    return told


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What libraries say is said by the first release's door already; here it would come amid the
    work of another. Also what C code writes is dropped; what is logged later goes its way."""
    kept = []
    for end in (1, 2):
        with contextlib.suppress(OSError):  # it may be closed
            kept.append((end, os.dup(end)))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for end, _ in kept:
        os.dup2(nowhere, end)
    os.close(nowhere)
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        for end, copy in kept:
            os.dup2(copy, end)
            os.close(copy)


def _of_the_tree(name: str) -> Any:
    """A module of this tree, by its path: a release need not carry it, and `mm_model` is the
    release's."""
    place = Path(__file__).resolve().parents[1] / f"{name}.py"
    found = importlib.util.spec_from_file_location(f"{name}_of_the_tree", place)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
