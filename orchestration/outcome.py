"""How one `dvc repro` of a stage went, read off what it printed."""

import re
import signal
from dataclasses import dataclass, field

from mm_model.run import made_by
from orchestration import dvc_lock

STOPPED = "Stopped: "
_EXITED = re.compile(r"exited with (-?\d+)")
_ASKED_TO_END = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@dataclass
class Outcome:
    """How one `dvc repro` of a stage went: `how` is computed, restored or unchanged.

    `code` says how the code that made the output differs from the code of now, `worker` on which
    other machine it ran, `audit` holds the failed one that was told from there, `outward` what the
    stage found outside the tree, such as a pin, `command` is what shows its last lines where that
    is not the stage by hand.
    """

    stage: str
    status: int = 0
    how: str = "unchanged"
    seconds: float = 0.0
    account: str = ""
    last: list[str] = field(default_factory=list)
    code: made_by.Difference | None = None
    worker: str = ""
    audit: dict | None = None
    outward: str = ""
    command: str = ""

    def hear(self, line: str) -> None:
        """Take in one line of the output."""
        if line.startswith(f"Running stage '{self.stage}'"):
            self.how = "computed"
        elif line.startswith(f"Stage '{self.stage}' is cached - skipping run"):
            self.how = "restored"
        self.last = [*self.last[-39:], line]

    @property
    def sentence(self) -> str:
        """Why it failed, in the stage's own words when it had any."""
        for line in reversed(self.last):
            if line.startswith(STOPPED):
                return line.removeprefix(STOPPED)
        for line in self.last:
            if "dvc.lock" in line and ("corrupted" in line or "is invalid" in line):
                return f"dvc.lock is damaged: {dvc_lock.MEND}."
            if line.startswith("ERROR: ") and "exited with" not in line:
                return (
                    f"DVC could not run {self.stage}: {line.removeprefix('ERROR: ').rstrip('.')}."
                )
        if signal := self._signal():
            return f"{self.stage} was killed (signal {signal}); finished work is kept: run again."
        return (
            f"{self.stage} ended with status {self.status} and said no reason: "
            f"see its last lines with '{self.command or f'python -m mm_model run {self.stage}'}'."
        )

    @property
    def may_be_repeated(self) -> bool:
        """Whether the machine ended it, as for want of memory: the same work may well succeed.

        What a stage or DVC refused in words would be refused again, and who was asked to end was
        meant to.
        """
        return not self._words and self._signal() not in (None, *_ASKED_TO_END)

    @property
    def _words(self) -> bool:
        """Whether the stage or DVC gave a reason of its own."""
        told = ("ERROR: ", STOPPED)
        return any(line.startswith(told) and "exited with" not in line for line in self.last)

    def _signal(self) -> int | None:
        """Number of the signal that ended DVC or, as DVC tells, its command; None without one."""
        told = [int(found[1]) for line in self.last if (found := _EXITED.search(line))]
        for ended in [self.status, *reversed(told)]:
            if ended < 0 or 128 < ended < 160:
                return -ended if ended < 0 else ended - 128
        return None
