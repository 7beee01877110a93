"""How a rule of the word filter is written: patterns with named parts, and why they are there.

`<name>` in a pattern stands for the part of that name. Patterns meet lower-case text without
accents and hyphens, at the borders of words. In a table each pattern begins with `- `. A line break
inside one is a space, but nothing after a bar, after a repeated part that ends in a space, before
one that begins with a space, or before what looks ahead or behind.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NAMED = re.compile(r"(?<!\(\?)(?<!\(\?P)<([a-z_]+)>")


@dataclass(frozen=True)
class Rule:
    """One way of asking.

    `of_men_too` is false where the same words say little of a man, `unless_grown` is true where
    an age of eighteen or more in the same prompt answers the doubt.
    """

    why: str
    patterns: tuple[str, ...]
    of_men_too: bool = True
    unless_grown: bool = False


def parts(**texts: str) -> dict[str, str]:
    """Named parts of patterns, line breaks taken out."""
    return {name: _unbroken(text) for name, text in texts.items()}


def listed(text: str) -> tuple[str, ...]:
    """The patterns of a table."""
    return tuple(_unbroken(entry) for entry in re.split(r"(?:^|\n)\s*- ", text) if entry.strip())


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def _unbroken(text: str) -> str:
    text = re.sub(r"( \)(?:[?*+]|\{\d*,\d*\})\??)\s*\n\s*", r"\1", text)
    text = re.sub(r"\s*\n\s*(?=\(\?: )", "", text)
    text = re.sub(r"\s*\n\s*(?=\(\?[<!=])|(?<=\|)\s*\n\s*", "", text.strip())
    return re.sub(r"\s*\n\s*", " ", text)


def compiled(patterns: Iterable[str], named: Mapping[str, str]) -> re.Pattern[str]:
    """One pattern for all of them, at the borders of words."""
    every = "|".join(f"(?:{_spelled(pattern, named)})" for pattern in patterns)
    return re.compile(rf"(?<![^\W_])(?:{every})(?![^\W_])")


def _spelled(pattern: str, named: Mapping[str, str]) -> str:
    while found := _NAMED.search(pattern):
        pattern = pattern.replace(found[0], f"(?:{named[found[1]]})")
    return pattern
