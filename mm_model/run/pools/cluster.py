"""The Ray cluster that pools of this process share: joined or started, asked for, left.

Nothing of Ray is imported before there is work for it. A cluster that stands is named by
`RAY_ADDRESS`; without it one of this machine is started, small, and ended with the last pool.
"""

import contextlib
import importlib
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from mm_model.errors import UserError

ADDRESS = "RAY_ADDRESS"
"""Environment variable of Ray's own: `host:port` of a cluster, `auto` for that of this machine."""

STORE_BYTES = 128 << 20
"""The object store of a cluster that we start: orders and results on their way, nothing else."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}
_KNOCK_SECONDS = 10
_users = 0
_own_folder: str | None = None


def library(name: str = "ray") -> Any:
    """A module of Ray's package.

    Raises:
        UserError: the package is absent.
    """
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(
            "MM_POOL=ray needs the package ray (extra 'ray'), which is not installed: 'make ray' "
            "installs it."
        ) from None


def join(processes: int) -> None:
    """Connect this process, or count one more user of the connection; `leave` undoes it.

    Raises:
        UserError: no cluster answers, or it is of another Ray or Python than this process.
    """
    global _users
    if not _users:
        ray, address = library(), os.environ.get(ADDRESS)
        if address and address.startswith("ray://"):
            raise UserError(
                f"{ADDRESS}={address} is the address of Ray's client, which is not used: start a "
                "node on this machine ('ray start --address=host:port') and name host:port."
            )
        with _signals_kept():
            _init(ray, address, processes)
    _users += 1


def _init(ray: Any, address: str | None, processes: int) -> None:
    global _own_folder
    try:
        if address:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            return
        _own_folder = tempfile.mkdtemp(prefix="mm-ray-")
        ray.init(
            address="local",
            num_cpus=processes,
            num_gpus=0,
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            _temp_dir=_own_folder,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except Exception as error:  # of many kinds, from Ray's own to the operating system's
        said = " ".join(str(error).split())
        _down(ray)
        if "ersion mismatch" in said:
            raise UserError(
                f"The Ray cluster at {address} is of another Ray or Python than this tree's "
                f"environment: make both the same ('make ray' on every machine). Ray says: {said}"
            ) from error
        if address:
            raise UserError(
                f"No Ray cluster answers at {ADDRESS}={address}: start one with 'ray start "
                f"--head', or unset {ADDRESS} for this machine alone. Ray says: {said[:300]}"
            ) from error
        raise UserError(
            f"Ray does not start on this machine: MM_POOL=local does without it. Ray says: {said}"
        ) from error


def _knock(address: str) -> None:
    """Ray itself waits for minutes where nobody listens.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), _KNOCK_SECONDS).close()


def leave() -> None:
    """One user less; the last one ends the connection, and the cluster if it is ours."""
    global _users
    _users -= 1
    if not _users:
        with _signals_kept():
            _down(library())


def _down(ray: Any) -> None:
    global _own_folder
    ray.shutdown()
    if _own_folder:
        shutil.rmtree(_own_folder, ignore_errors=True)
        _own_folder = None


def living(ray: Any) -> list[dict[str, float]]:
    """What each living node has, see `share.Nodes`."""
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself: who runs us has decided what it does.

    Where that is to end, a cluster of ours is ended first, or its processes would be left for a
    while.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before in (signal.SIG_DFL, _terminated):
            before = _terminated if _own_folder else signal.SIG_DFL
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _terminated(number: int, _: object) -> None:
    _down(library())
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
