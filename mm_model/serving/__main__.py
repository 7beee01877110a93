"""Serves a released model folder: `python -m mm_model.serving --folder <folder>`.

Run from the release's own code (`mm_model.serving.launch` does it), after the folder was checked.
"""

import argparse
import errno
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

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
    bound_threads(threads(options.folder))
    os.environ["MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"] = _NO_LIMIT  # who goes away ends the work
    import uvicorn
    from mlflow.pyfunc import load_model, scoring_server

    from mm_model.serving import connection, door

    model = load_model(str(options.folder))
    names = [*options.allow, *([] if options.host in _ANY_ADDRESS else [options.host])]
    opened = door.Door(scoring_server.init(model), model.unwrap_python_model().mirror, names)
    most, at_once = connection.room()
    config = uvicorn.Config(
        opened,
        http=connection.protocol(most),
        backlog=at_once,
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
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
    except socket.gaierror as error:
        raise UserError(
            f"There is no host {host} ({error.strerror}): name an address of this machine with "
            "--host."
        ) from None
    except UnicodeError:
        raise UserError(f"{host!r} is no host's name: name an address with --host.") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise UserError(
                f"{host} is no address of this machine: name one that is with --host."
            ) from None
        if error.errno == errno.EACCES:
            raise UserError(
                f"Port {port} of {host} may not be opened by this user ({error.strerror}): name "
                "one from 1024 on with --port (make serve PORT=...)."
            ) from None
        raise UserError(
            f"Port {port} of {host} cannot be opened ({error.strerror}): end what uses it, or name "
            "another with --port (make serve PORT=...)."
        ) from None
    return opened


def threads(folder: Path) -> int:
    """How many threads the release computes with; numeric libraries ask when they are imported.

    Raises:
        UserError: the folder holds no release.
    """
    import yaml

    try:
        described = yaml.safe_load((folder / "MLmodel").read_text())
        return int(described["flavors"]["python_function"]["config"]["threads"])
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError):
        raise UserError(f"{folder} holds no release of this project (MLmodel).") from None


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
