"""The machine that some stages run on, as the environment names it; nothing is written down.

`MM_WORKER=ssh://[user@]host[:port]/path/of/the/clone` (`/~/path` counts from the home there),
`MM_WORKER_STAGES=pretrain,finetune` and, where plain `ssh` is not enough, `MM_WORKER_SSH`, a
command that takes what ssh takes.
"""

import os
import re
import shlex
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from assets.graph import nodes
from mm_model.errors import UserError

WORKER, STAGES, SSH = "MM_WORKER", "MM_WORKER_STAGES", "MM_WORKER_SSH"
USUAL = ("precompute", "pretrain", "finetune", "evaluate")
"""Stages that take a GPU: those run there unless `MM_WORKER_STAGES` says otherwise."""

_STAY = ("sources", "register")
"""`sources` begins what is handed over, `register` asks the registry from where it is read."""
_FORM = "ssh://user@host:port/path/of/the/clone"
_HOST = re.compile(r"(?!-)[A-Za-z0-9._-]+")
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=4")


@dataclass(frozen=True)
class Worker:
    """A clone on another machine, which stages run there, and how it is reached."""

    url: str
    host: str
    port: int | None
    folder: str
    stages: frozenset[str]
    ssh: tuple[str, ...] = ("ssh",)

    @property
    def command(self) -> list[str]:
        """The command line that starts the working end there."""
        folder = self.folder.removeprefix("~/") if self.folder.startswith("~/") else self.folder
        there = f"cd -- {shlex.quote(folder)} && exec .venv/bin/python -m orchestration.worker"
        options = [word for option in _OPTIONS for word in ("-o", option)]
        port = ["-p", str(self.port)] if self.port else []
        return [*self.ssh, "-T", *options, *port, self.host, there]


def read() -> Worker | None:
    """The worker that the environment names; None without one.

    Raises:
        UserError: it is no address, holds a password, a stage cannot run there, or what is to
            reach it is no command.
    """
    url = os.environ.get(WORKER, "").strip()
    if not url:
        return None
    host, port, folder = _place(url)
    return Worker(url, host, port, folder, stages=_stages(), ssh=_ssh())


def _ssh() -> tuple[str, ...]:
    try:
        return tuple(shlex.split(os.environ.get(SSH, ""))) or ("ssh",)
    except ValueError:
        raise UserError(f"{SSH} is no command: a quotation in it does not end.") from None


def _place(url: str) -> tuple[str, int | None, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UserError(f"{WORKER} is no address: write {_FORM}.") from None
    if parts.password is not None:
        raise UserError(f"{WORKER} holds a password: use a key, and write {_FORM}.")
    folder = unquote(parts.path)
    folder = folder[1:] if folder.startswith("/~/") else folder
    names = [parts.hostname or "", *([parts.username] if parts.username else [])]
    known = all(_HOST.fullmatch(name) for name in names)
    cut = parts.query or parts.fragment or "\0" in folder  # "?" and "#" in a path: %3F and %23
    if parts.scheme != "ssh" or not known or folder.strip("/~") == "" or cut:
        raise UserError(f"{WORKER} is no address of a clone on another machine: write {_FORM}.")
    host = parts.netloc.rpartition("@")[2].partition(":")[0]
    return f"{parts.username}@{host}" if parts.username else host, port, folder


def _stages() -> frozenset[str]:
    said = os.environ.get(STAGES)
    asked = [name.strip() for name in said.split(",") if name.strip()] if said else list(USUAL)
    for name in asked:
        if name not in nodes():
            raise UserError(f"{STAGES} names {name}, which is no stage: {', '.join(nodes())}.")
        if name in _STAY:
            raise UserError(f"{STAGES} names {name}, which runs where the graph is: leave it out.")
    return frozenset(asked)
