"""The lint of captions: what makes words that can be read a poor caption, measured.

Presence, length, language, refusals and loops, told by cheap rules. A word more or less means
little: the profile holds the bounds, and what becomes of a caption that is beyond them.
"""

import re
import unicodedata
from dataclasses import dataclass

from mm_model.records import CaptionProblem

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_RUN = 3
# At the start of a sentence: somebody in a picture may be sorry too.
_REFUSAL = re.compile(
    r"""(?:^|[.!?]\s+)(?:unfortunately,?\s+|sorry,?\s+(?:but\s+)?)?
        (?:i['’]?m\s+(?:very\s+|so\s+)?sorry\b | i\s+am\s+sorry\b | sorry,\s
         | i\s+apologi[sz]e\b | my\s+apologies\b
         | i(?:['’]m|\s+am)\s+(?:just\s+|only\s+)?an\s+ai\b
         | it\s+is\s+not\s+possible\s+for\s+me\b
         | i\s*(?:can(?:no|['’])t|can\s+not|do\s+not|don['’]t|am\s+(?:un|not\s+)able\s+to
               |['’]m\s+(?:un|not\s+)able\s+to|(?:won['’]t|will\s+not)(?:\s+be\s+able\s+to)?)
           \s+(?:\w+\s+){0,2}?(?:help|assist|identify|recogni[sz]e|describe|provide|see|view|tell
               |determine|comply|process|caption|access|discuss|have)\b)
      | \bno\s+(?:image|picture|photo\w*|video)\s+(?:was\s+|is\s+|has\s+been\s+)?
          (?:provided|attached|given|uploaded)\b
      | \bas\s+an?\s+(?:ai|a\.i\.|artificial\s+intelligence|(?:large\s+)?language\s+model
           |(?:ai|text-based|visual)\s+(?:assistant|model))\b""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Bounds:
    """What a caption is held to; None switches a rule off.

    least, most: words. latin: least share of its letters that are Latin ones. repeats: the
    largest share of its runs of three words that stood in it before.
    """

    least: int | None = None
    most: int | None = None
    latin: float | None = None
    repeats: float | None = None


@dataclass(frozen=True)
class Measured:
    """words: how many. latin: share of the letters, None without any. repeats: share of runs."""

    words: int
    latin: float | None
    repeats: float


@dataclass(frozen=True)
class Finding:
    """One rule that a caption breaks, with the value and the bound where there are numbers."""

    problem: CaptionProblem
    message: str
    value: float | None = None
    bound: float | None = None


def measured(text: str) -> Measured:
    """What the rules hold against their bounds."""
    words = [word.lower() for word in _WORD.findall(text)]
    runs = [tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)]
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return Measured(
        len(words),
        latin / len(letters) if letters else None,
        1 - len(set(runs)) / len(runs) if runs else 0.0,
    )


def findings(text: str, bounds: Bounds) -> list[Finding]:
    """The rules that a caption breaks, the gravest first; none of a good one."""
    found, seen = [], measured(text)
    if said := _REFUSAL.search(text):
        words = " ".join(said[0].split()).strip(" .!?:")
        found.append(Finding(CaptionProblem.REFUSAL, f"the caption refuses: {words!r}"))
    if bounds.latin is not None and seen.latin is not None and seen.latin < bounds.latin:
        message = "too few of the caption's letters are Latin"
        found.append(Finding(CaptionProblem.LANGUAGE, message, seen.latin, bounds.latin))
    if bounds.repeats is not None and seen.repeats > bounds.repeats:
        message = "the caption says the same again and again"
        found.append(Finding(CaptionProblem.LOOP, message, seen.repeats, bounds.repeats))
    if bounds.least is not None and seen.words < bounds.least:
        message = "the caption has too few words"
        found.append(Finding(CaptionProblem.SHORT, message, seen.words, bounds.least))
    if bounds.most is not None and seen.words > bounds.most:
        message = "the caption has too many words"
        found.append(Finding(CaptionProblem.LONG, message, seen.words, bounds.most))
    return found
