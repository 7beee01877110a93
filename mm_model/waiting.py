"""Waiting that an interrupt ends.

Python does not end a wait for a signal that came just before the wait began: the signal would be
heard when the wait is over. So nothing here waits longer than a second at a time.
"""

from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")

HEARD_SECONDS = 1.0
"""The longest that one wait may last."""


def outcome(work: "Future[T]") -> T:
    """The result of `work`, or what it raised; an interrupt meanwhile is heard within a second."""
    while not wait([work], HEARD_SECONDS).done:
        pass
    return work.result()
