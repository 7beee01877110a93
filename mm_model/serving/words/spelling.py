"""Words that matter to the filter with a slip of the keyboard: what they were meant to be.

A slip swaps two letters, drops one, doubles one, or takes one vowel for another. What a slip turns
into another real word is not mended.
"""

import re
from collections.abc import Iterator
from functools import cache

from mm_model.serving.words.rules import words

_WORDS = words(
    "naked nude topless bottomless undressed undressing undress unclothed nudity nudist lingerie "
    "panties underwear nipple nipples breasts stripping strips clothes clothing transparent "
    "invisible removes removing removed erotic sexual genitals vagina penis striptease wearing "
    "without nothing only underneath disappear disappears vanish vanishes uncovered exposed "
    "revealing breasts bikini "
    "child children childhood toddler toddlers teenager teenagers teenage baby infant newborn girl "
    "girls little kids boys schoolgirl schoolboy daughter younger small kindergarten preschool "
    "preteen underage school grader years turns turned changed"
)
_REAL = words(
    "nake tipless unclothe pantie breast beasts strapping striping strip straps stirps cloths "
    "clothe remove genital pens peni waring wearin weiring noting nithing chil chid toddle tiddler "
    "abby babby sall grade year yeas yers turn tuns tuned change"
)
_MORE = {
    "kindergarden": "kindergarten",
    "gurl": "girl",
    "grl": "girl",
    "gurls": "girls",
    "lil": "little",
    "smol": "small",
    "pantys": "panties",
    "dissapear": "disappear",
    "dissapears": "disappears",
    "dissappear": "disappear",
    "disapears": "disappears",
    "cloths": "clothes",
    "cloathes": "clothes",
    "clothez": "clothes",
    "wereing": "wearing",
    "nuthin": "nothing",
    "nothin": "nothing",
    "kidz": "kids",
    "toddlar": "toddler",
}
_VOWELS = "aeiou"
_TOKEN = re.compile(r"[a-z]{3,14}")


def mended(text: str) -> str:
    """The text with such slips undone."""
    table = _table()
    return _TOKEN.sub(lambda found: table.get(found[0], found[0]), text)


@cache
def _table() -> dict[str, str]:
    slips = {slip: word for word in _WORDS for slip in _slips(word)}
    for known in _WORDS | _REAL:
        slips.pop(known, None)
    return slips | _MORE


def _slips(word: str) -> Iterator[str]:
    for at, letter in enumerate(word):
        yield word[:at] + word[at + 1 : at + 2] + letter + word[at + 2 :]
        yield word[:at] + letter + word[at:]
        if at and len(word) > 4:
            yield word[:at] + word[at + 1 :]
        if at and len(word) > 5 and letter in _VOWELS:
            yield from (word[:at] + other + word[at + 1 :] for other in _VOWELS)
