"""The one exception of media reading: a reason code, a sentence, and what was measured.

It carries no pixels and no path, so that its text can stand in a table or a reply.
"""

from typing import Any

from mm_model.records import Reason, Row

MESSAGE_LIMIT = 300


class MediaError(Exception):
    """A file that cannot be used.

    `value` is what was measured and `threshold` what it was held to, where there is such a pair.
    `measured` holds the facts that were known by then, under the names of `media.examine`.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        value: float | None = None,
        threshold: float | None = None,
        measured: Row | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message[:MESSAGE_LIMIT]
        self.value = value
        self.threshold = threshold
        self.measured = measured or {}

    def knowing(self, **measured: Any) -> "MediaError":
        """This failure with further facts, where it does not hold them yet."""
        self.measured = measured | self.measured
        return self
