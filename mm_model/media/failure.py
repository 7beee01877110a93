"""The one exception of media reading: a reason code, a sentence, and what was measured.

It carries no pixels and no path, so that its text can stand in a table or a reply.
"""

from mm_model.records import Reason

MESSAGE_LIMIT = 300


class MediaError(Exception):
    """A file that cannot be used.

    `value` is what was measured and `threshold` what it was held to, where there is such a pair.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        value: float | None = None,
        threshold: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message[:MESSAGE_LIMIT]
        self.value = value
        self.threshold = threshold
