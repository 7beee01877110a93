"""Serves a released model folder: `python -m mm_model.serving --folder <folder>`.

Run from the release's own code (`mm_model.serving.launch` does it), after the folder was checked.
"""

import argparse
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from mm_model.environment import bound_threads, keep_freed_memory, silence_telemetry
from mm_model.errors import UserError

if TYPE_CHECKING:
    import uvicorn

    from mm_model.serving.door import Door

_SWITCH_SECONDS = 0.0005
"""A tenth of Python's own: while a clip is made the door waits that long for the interpreter, each
time it reads or writes."""
_GRACE_SECONDS = 10
"""How long replies under way may take once the server is told to end."""
_LAST_SECONDS = 0.5
"""How long the sender of what is no HTTP is listened to before the connection is closed."""
_AHEAD_BYTES = 64 << 10
"""What a sender may send behind a request that is being answered; who sends more is cut off."""
_READ_BYTES = 32 << 10
"""Bytes taken in before one looks whether they come in chunks, of which there may be thousands."""
_ANY_ADDRESS = ("0.0.0.0", "::", "")
_NO_LIMIT = str(10_000_000)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m mm_model.serving", description=__doc__)
    root.add_argument("--folder", type=Path, required=True, help="the released model's folder")
    root.add_argument("--host", default="127.0.0.1", help="address to listen on")
    root.add_argument("--port", type=int, default=5000, help="port to listen on")
    root.add_argument(
        "--allow", nargs="+", default=[], metavar="NAME", help="further names it is asked for under"
    )
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to end; return the exit status."""
    options = parser().parse_args(arguments)
    silence_telemetry()
    keep_freed_memory()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    for name in ("mm_model", __package__):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        _serve(options)
    except UserError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass  # uvicorn raises it at its end, unless who started this ignores it
    print("Serving has ended.", file=sys.stderr)
    return 0


def _serve(options: argparse.Namespace) -> None:
    listening = bound(options.host, options.port)  # before the seconds that loading takes
    bound_threads(_threads(options.folder))
    os.environ["MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"] = _NO_LIMIT  # who goes away ends the work
    import uvicorn
    from mlflow.pyfunc import load_model, scoring_server

    from mm_model.serving import door

    model = load_model(str(options.folder))
    names = [*options.allow, *([] if options.host in _ANY_ADDRESS else [options.host])]
    opened = door.Door(scoring_server.init(model), model.unwrap_python_model().mirror, names)
    config = uvicorn.Config(
        opened, http=protocol(), ws="none", access_log=False, log_config=None,
        proxy_headers=False, server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS,
    )  # fmt: skip
    sys.setswitchinterval(_SWITCH_SECONDS)
    address = f"[{options.host}]" if ":" in options.host else options.host
    print(f"Serving on http://{address}:{listening.getsockname()[1]} (Ctrl-C ends it)", flush=True)
    server(config, opened).run([listening])


def bound(host: str, port: int) -> socket.socket:
    """A socket at that address; nobody is let in before the server listens.

    Raises:
        UserError: there is no such address, or it is taken.
    """
    if not 0 <= port <= 65535:
        raise UserError(f"There is no port {port}: name one from 0 (any free one) to 65535.")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, proto)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        raise UserError(
            f"Port {port} of {host} cannot be opened ({error.strerror}): end what uses it, or name "
            "another with --port (make serve PORT=...)."
        ) from None
    return opened


def _threads(folder: Path) -> int:
    """How many threads the release computes with; numeric libraries ask when they are imported."""
    import yaml

    try:
        described = yaml.safe_load((folder / "MLmodel").read_text())
        return int(described["flavors"]["python_function"]["config"]["threads"])
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError):
        raise UserError(f"{folder} holds no release of this project (MLmodel).") from None


def protocol() -> type:
    """uvicorn's protocol with bounded headers, in our form where it refuses a request itself.

    It goes on reading behind a request that is being answered, since a closed connection is only
    noticed by reading, and reads no chunks, which may be millions in a small body.
    """
    from http import HTTPStatus

    from uvicorn.protocols.http import h11_impl

    from mm_model.serving import door
    from mm_model.serving.refusal import Code

    content = door.in_our_form(
        HTTPStatus.BAD_REQUEST, Code.BAD_HTTP.value, "The request is no HTTP/1.1 request."
    )
    reply = (
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(content), content)
    )

    class Protocol(h11_impl.H11Protocol):
        _refused = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(door.HEADER_SECONDS, self._ask_headers)

        def _ask_headers(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

        def data_received(self, data: bytes) -> None:
            for start in range(0, len(data), _READ_BYTES):
                if not self._refused:
                    self._take_in(data[start : start + _READ_BYTES])

        def _take_in(self, data: bytes) -> None:
            super().data_received(data)
            if self.headers and any(name == b"transfer-encoding" for name, _ in self.headers):
                self._refused = True  # the door says so
            elif self._is_answered() and self.conn.their_state is h11_impl.h11.DONE:
                if len(self.conn.trailing_data[0]) > _AHEAD_BYTES:
                    self.transport.abort()
                else:
                    self.flow.resume_reading()

        def _is_answered(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def on_response_complete(self) -> None:
            if self._refused:
                self.loop.call_later(_LAST_SECONDS, self.transport.close)
            else:
                super().on_response_complete()

        def send_400_response(self, _: str) -> None:
            self._refused = True
            if not self._is_answered():
                self.transport.write(reply)
            # Closing at once would reset the connection while the rest arrives, reply and all.
            self.loop.call_later(_LAST_SECONDS, self.transport.close)

    return Protocol


def server(config: "uvicorn.Config", opened: "Door") -> "uvicorn.Server":
    """uvicorn's server, that ends the door's work when it is told to end."""
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if self.should_exit:
                os._exit(128 + sig)  # asked twice: a step may take minutes
            opened.close()
            super().handle_exit(sig, frame)

    return Server(config)


if __name__ == "__main__":
    sys.exit(main())
