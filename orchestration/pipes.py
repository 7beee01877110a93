"""Dagster Pipes for a program that does not speak it: its printed lines become log messages.

DVC and the stages know nothing of Dagster; this reader speaks for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_pipes import PipesMessage, PipesParams


class LineReader(dg.PipesMessageReader):
    """Reports each line given to `say` through the Pipes session it was opened in."""

    @property
    def expected_writer_count(self) -> int:
        """One command speaks."""
        return 1

    @contextmanager
    def read_messages(self, handler: "dg.PipesMessageHandler") -> Iterator[PipesParams]:
        """Open the session, and close it when the block ends."""
        self._handler = handler
        self._send("opened", {})
        try:
            yield {}
        finally:
            self._send("closed", {})

    def say(self, line: str) -> None:
        """Log one line."""
        self._send("log", {"message": line, "level": "info"})

    def no_messages_debug_text(self) -> str:
        """Where messages would have come from."""
        return "Lines of the command's output."

    def _send(self, method: str, params: dict) -> None:
        message: PipesMessage = {
            "__dagster_pipes_version": "0.1",
            "method": method,
            "params": params,
        }
        self._handler.handle_message(message)
