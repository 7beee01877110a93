"""What the door hands to the model beside MLflow's own body: a request that is checked already.

MLflow's scoring application runs the model in a thread; a context variable travels there with the
call. Where there is no door there is no visit, and the model reads the record itself.
"""

import threading
from contextvars import ContextVar
from dataclasses import dataclass, field

from mm_model.serving.engine import Cancelled
from mm_model.serving.gate import AdmittedReference
from mm_model.serving.request import Request

current: "ContextVar[Visit | None]" = ContextVar("visit", default=None)
"""The visit whose clip this call of the model makes."""


@dataclass(eq=False)
class Visit:
    """One admitted request on its way. `references` are there once its pictures were looked at."""

    request: Request
    references: tuple[AdmittedReference, ...] = ()
    at_work: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """Nobody waits for it any more: its work stops at the next step."""
        self._ended.set()

    @property
    def ended(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._ended.is_set()

    def on_step(self, _done: int, _total: int) -> None:
        """Told after each denoising step.

        Raises:
            Cancelled: nobody waits for it any more.
        """
        if self.ended:
            raise Cancelled
