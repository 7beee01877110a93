"""What the two ends say: one request down, then plain lines up and at last one outcome.

The request is one line of JSON on the working end's standard input, which then stays open: an empty
line every few seconds says that somebody still wants the work, its end that nobody does. So a
broken connection, a killed laptop and a cancelled run all end the work there. The outcome is one
line of JSON behind a record separator (RFC 7464); whatever else is printed is for people.
"""

import dataclasses
import json
import os
import select
import time
from dataclasses import dataclass, field
from typing import Any

from mm_model.errors import UserError

PROTOCOL = 1
BEAT = 5.0
"""Seconds between signs of life."""
SILENCE = 90.0
"""Seconds without one after which nobody wants the work."""

_MARK = "\x1e"
HEARD = f"{_MARK}heard"
"""What the working end says once it has the request: what goes wrong later is no matter of ssh."""


@dataclass(frozen=True)
class Request:
    """A stage to bring up to date, and what must be so there for the result to count here.

    `lock` is the digest of the `dvc.lock` that lies in the store; `chosen` the text of the files
    that choose profile and inputs, by path; `alike` the digests of what both trees must hold alike;
    `inputs` those of the names and sizes in each input, by its entry in `params.yaml`;
    `environment` variables to set there.
    """

    stage: str
    asker: str
    lock: str
    force: bool = False
    commit: str = ""
    chosen: dict[str, str] = field(default_factory=dict)
    alike: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    protocol: int = PROTOCOL

    def line(self) -> str:
        """The request as it is sent."""
        return json.dumps(dataclasses.asdict(self)) + "\n"


@dataclass(frozen=True)
class Answer:
    """How it ended there: DVC's status, the digest of the lock then pushed, a failed audit."""

    status: int
    lock: str = ""
    audit: dict[str, Any] | None = None

    def line(self) -> str:
        """The answer as it is sent."""
        return _MARK + json.dumps(dataclasses.asdict(self)) + "\n"


def answer(line: str) -> Answer | None:
    """The answer that a line holds; None for a line for people, whatever it begins with."""
    if not line.startswith(_MARK):
        return None
    try:
        return Answer(**json.loads(line[len(_MARK) :]))
    except (ValueError, TypeError):
        return None


def for_people(line: str) -> str:
    """A line that a program printed, so that nobody takes it for an answer."""
    return line.lstrip(_MARK)


def receive(handle: int, patience: float = SILENCE) -> Request:
    """The request that comes in on a file descriptor; not a byte behind it is taken.

    Raises:
        UserError: none came, or one of another release.
    """
    taken = bytearray()
    until = time.monotonic() + patience
    while not taken.endswith(b"\n"):
        if not _ready(handle, until) or not (byte := os.read(handle, 1)):
            raise UserError("No request came: orchestration.worker is started by the other end.")
        taken += byte
    try:
        said = json.loads(taken)
        known = said["protocol"] == PROTOCOL
    except (ValueError, TypeError, KeyError):
        raise UserError(
            "What came is no request: orchestration.worker is started by the other end."
        ) from None
    if not known:
        raise UserError("The two trees are of other releases: bring both to one commit.")
    return Request(**said)


def wanted(handle: int, patience: float = SILENCE) -> None:
    """Return when nobody wants the work any more."""
    while _ready(handle, time.monotonic() + patience):
        if not os.read(handle, 1 << 16):
            return


def _ready(handle: int, until: float) -> bool:
    return bool(select.select([handle], [], [], max(0.0, until - time.monotonic()))[0])
