"""How long `dagster dev` takes until its page shows the graph: seconds over the 20 it may take."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.result import Result
from benchmarks.tree import tell
from mm_model.errors import UserError
from mm_model.store.layout import repository_root

GOAL, _MAY_TAKE, _PATIENCE = 1.0, 20.0, 300.0


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--repeats", type=int, default=3)


def run(options: argparse.Namespace) -> Result:
    """The slowest of the repeats."""
    slowest = 0.0
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as home:
            took = _once(Path(home))
        tell(f"{took:.1f} s")
        slowest = max(slowest, took)
    return Result(slowest / _MAY_TAKE, GOAL, options.repeats)


def _once(home: Path) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    before = time.monotonic()
    server = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=repository_root(),
        env={**os.environ, "DAGSTER_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _shows(port):
            if server.poll() is not None or time.monotonic() - before > _PATIENCE:
                raise UserError("dagster dev does not answer; start it by hand to see why.")
            time.sleep(0.1)
        return time.monotonic() - before
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait()


def _shows(port: int) -> bool:
    query = json.dumps({"query": "{assetNodes {assetKey {path}}}"}).encode()
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", query, kind)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bool(json.load(answer)["data"]["assetNodes"])
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
