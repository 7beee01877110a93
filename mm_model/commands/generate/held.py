"""What several orders of one command share: what was read once, and the model that is loaded."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class HeldModel:
    """Of a batch; a single order has one of its own. Not for several threads."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}
        self._key: Hashable = None
        self._model: Any = None

    def known(self, key: Hashable, find: Callable[[], T]) -> T:
        """What `find` found for this key the first time, such as digests of gigabytes."""
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]

    def model(self, key: Hashable, load: Callable[[], T]) -> T:
        """The model of this key: the one of the order before, or it is loaded in its place, so that
        there are never two.
        """
        if self._model is None or key != self._key:
            self._model = None  # its memory goes before the next one's comes
            self._model = load()
            self._key = key
        return self._model
