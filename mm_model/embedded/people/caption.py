"""Captions of the procedural world: class word and action, nothing else.

A caption never says who: no hair, clothes, light or place (evaluation prompts carry class word and
action only). The vocabulary is closed.
"""

from __future__ import annotations

from mm_model.embedded.people.action import ACTIONS, STILLS
from mm_model.embedded.people.people import CATEGORIES, Person


def caption(person: Person, action: str) -> str:
    """One lower-case sentence without full stop, e.g. "an elderly woman nods".

    ``action`` is a name in ``ACTIONS`` (clips) or ``STILLS`` (photographs); else ``ValueError``.
    """
    words = ACTIONS.get(action) or STILLS.get(action)
    if words is None:
        raise ValueError(f"unknown action '{action}'; known: {', '.join([*ACTIONS, *STILLS])}")
    return f"{_article(person.category)} {person.category} {words}"


def _article(category: str) -> str:
    return "an" if category[0] in "aeiou" else "a"


def _words() -> tuple[str, ...]:
    phrases = [*CATEGORIES, *ACTIONS.values(), *STILLS.values(), "a", "an"]
    return tuple(sorted({word for phrase in phrases for word in phrase.split()}))


CAPTION_WORDS: tuple[str, ...] = _words()
"""Every word a caption can hold, sorted."""
