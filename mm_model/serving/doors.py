"""Processes that serve a release on the socket of `mm_model.serving.follow`, and the one prepared
for the next: its libraries are loaded, and it waits to be told of which release it is the door.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_model import lifeline
from mm_model.environment import thread_limits
from mm_model.errors import UserError
from mm_model.serving import __main__ as door
from mm_model.serving import launch

Installed = tuple[int, ...]


@dataclass(frozen=True)
class Front:
    """Where requests come in, and what every door is told and finds in its environment."""

    listening: socket.socket
    host: str
    allowed: Sequence[str]
    environment: Mapping[str, str]

    def __post_init__(self) -> None:
        # The system lets two bind one port for reuse until one listens, which takes a door seconds.
        # Doors allow it again, so that who starts after them waits for no old connection.
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)

    def words(self, folder: Path) -> list[str]:
        """What the door of the release in `folder` is told.

        Raises:
            UserError: the release is older than the door.
        """
        return launch.told(folder, self.host, self.listening.getsockname()[1], self.allowed)


@dataclass(eq=False)
class DoorProcess:
    """A process that is, or becomes, the door of a release."""

    process: subprocess.Popen
    telling: int | None
    prepared: bool = False
    ready: bool = False

    @classmethod
    def start(cls, folder: Path, front: Front) -> "DoorProcess":
        """The door of the release in `folder`."""
        return cls._start(front, folder, front.words(folder))

    @classmethod
    def _start(
        cls,
        front: Front,
        folder: Path | None,
        words: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> "DoorProcess":
        telling, told = os.pipe()
        ends = (lifeline.line().fileno(), front.listening.fileno(), told)
        given = front.environment if environment is None else environment
        command, environment = launch.handed_command(folder, ends, words, given)
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                pass_fds=ends,
                stdin=subprocess.DEVNULL if words else subprocess.PIPE,
                process_group=0,  # Ctrl-C comes here alone, and is passed on once
            )
        except BaseException:
            os.close(telling)
            raise
        finally:
            os.close(told)
        return cls(process, telling, prepared=not words)

    def is_ready(self) -> bool:
        """Whether it takes requests."""
        if self.telling is not None and _has_news(self.telling):
            self.ready = bool(os.read(self.telling, 1))
            os.close(self.telling)
            self.telling = None
        return self.ready

    def is_over(self) -> bool:
        """Whether its process has ended."""
        return self.process.poll() is not None

    def leave(self) -> None:
        """Let it answer what it has, take nothing new, and end."""
        self.process.send_signal(signal.SIGUSR1)

    def end(self, number: int) -> None:
        """Pass a signal on; who takes no requests yet has nothing to put in order."""
        self.process.send_signal(number if self.is_ready() else signal.SIGKILL)

    def kill(self) -> None:
        """End it now, if it has not ended, and let go of what was open for it."""
        self.process.kill()
        self.process.wait()
        if self.telling is not None:
            os.close(self.telling)
            self.telling = None
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):  # what was not read is lost with it
                self.process.stdin.close()


@dataclass(frozen=True)
class PreparedProcess:
    """A door whose release is not known yet, only how many threads its libraries use, and that
    they are those that are installed."""

    door: DoorProcess
    threads: int
    installed: Installed

    @classmethod
    def like(cls, folder: Path, front: Front) -> "PreparedProcess":
        """One for releases like that in `folder`."""
        threads, installed = door.threads(folder), _installed()
        limits = {**thread_limits(threads), **front.environment}
        return cls(DoorProcess._start(front, None, (), limits), threads, installed)

    def becomes(self, folder: Path, front: Front) -> DoorProcess | None:
        """Make it the door of the release in `folder`; None where it cannot be, and is ended."""
        into = self.door.process.stdin
        assert into is not None
        try:
            if (door.threads(folder), _installed()) == (self.threads, self.installed):
                code = launch.code_of(folder)
                with into:
                    into.write(json.dumps([code, *front.words(folder)]).encode() + b"\n")
                return self.door
        except (OSError, UserError):
            pass  # it has died, or the release is one that says nothing of threads
        self.door.kill()
        return None


def _installed() -> Installed:
    """When packages were last installed or removed here: a release may need others than those that
    a process has loaded meanwhile."""
    folders = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    return tuple(Path(folder).stat().st_mtime_ns for folder in folders)


def _has_news(end: int) -> bool:
    """Whether reading from this end of a pipe waits for nobody; `select` knows 1024 of them."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(0))
