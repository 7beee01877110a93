"""What orders of one command share: what was read once, and the model that is loaded, and how."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from mm_model.store.atomic import Document

T = TypeVar("T")
_LOW_MEMORY = "low_memory"


class HeldModel:
    """Of a batch; a single order has one of its own. Not for several threads.

    low_memory: whether models are loaded so that they need little of it.
    """

    def __init__(self, low_memory: bool = False) -> None:
        self.low_memory = low_memory
        self._known: dict[Hashable, Any] = {}
        self._key: Hashable = None
        self._model: Any = None

    @classmethod
    def as_recorded(cls, values: Document) -> HeldModel:
        """As the values of a record say that its clip was made."""
        return cls(low_memory=bool(values.get(_LOW_MEMORY, False)))

    @property
    def values(self) -> Document:
        """How models are loaded, where it has a say in a clip: tiles are not to the last bit."""
        return {_LOW_MEMORY: True} if self.low_memory else {}

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
