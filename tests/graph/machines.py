"""A second machine for a test: another folder of this one, reached through a real ssh server."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.process_group import ProcessGroup
from tests.graph.conftest import REPOSITORY, Tree
from tests.graph.stores import free_port

_SERVER = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Machine:
    """A running ssh server, and the command by which it is reached."""

    port: int
    ssh: str

    def url(self, folder: Path) -> str:
        """The address of a clone there."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{folder}"


def _key(path: Path) -> None:
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(made, check=True, capture_output=True)


@contextlib.contextmanager
def ssh(folder: Path) -> Iterator[Machine]:
    """A server that lets in whoever has this test's key; it ends with the block."""
    for program in (_SERVER, "ssh", "ssh-keygen"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here (apt-get install openssh-server)")
    for name in ("server", "user"):
        _key(folder / name)
    port = free_port()
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where the server of Debian goes to be nobody
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/server\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    (folder / "ssh_config").write_text(
        f"Host *\n  IdentityFile {folder}/user\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known\n  StrictHostKeyChecking accept-new\n"
        "  LogLevel ERROR\n"
    )
    with ProcessGroup(
        [_SERVER, "-D", "-e", "-f", f"{folder}/sshd_config"], folder, os.environ
    ) as group:
        _wait(port)
        yield Machine(port, f"ssh -F {folder}/ssh_config")
        group._signal(15)


def _wait(port: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the ssh server did not start")


def set_up(tree: Tree) -> Tree:
    """Give a toy tree what `make setup` gives: a Python of its own, with this library in reach."""
    python = tree.root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/sh\nMM_ROOT="{tree.root}" PYTHONPATH="{REPOSITORY}" exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    return tree
