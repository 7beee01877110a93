"""What a prompt may not ask for: nudity or sex, and a child where somebody real is shown.

This is a filter of words (the tables in `words/`), the same everywhere and without a model: it
knows what is listed, reads no meaning, and sees neither references nor the video. What it misses
stands in `mlflow/README.md`.
"""

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from mm_model.serving.refusal import Code, Refusal
from mm_model.serving.words import (
    allusion,
    child,
    child_harmless,
    child_parts,
    hinting,
    languages,
    nudity,
    nudity_parts,
    sexual,
    undressing,
    young,
)
from mm_model.serving.words.ages import makes_a_child
from mm_model.serving.words.rules import Rule, compiled, words
from mm_model.serving.words.text import apart, held_together, hidden, readings
from mm_model.store.consents import Basis

_APART = str.maketrans(dict.fromkeys('-_"“”«»()[]{}<>/\\*~|=„', " ") | {"?": "."})
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*'?|[.,;:!?]")
_FEMALE = re.compile(
    r"(?<!\w)(?:wom[ae]n|girls?|lady|ladies|she|her|hers|herself|females?|mothers?|moms?|mums?|bride|wife|"
    r"girlfriend|daughters?|sisters?|aunt|queen|princess|actress|waitress|grandmother|grandma)(?!\w)"
)
_MALE = re.compile(
    r"(?<!\w)(?:(?!wom|hum)\w*m[ae]n|guys?|blokes?|dudes?|chaps?|lads|he|his|him|himself|males?|"
    r"father|dad|uncle|grandfather|grandpa|groom|husband|boyfriend|boxers?|kickboxer|wrestlers?|"
    r"vikings?|gladiators?|spartans?|warriors?|barbarian|samurai|sumo|lumberjacks?|blacksmith|"
    r"mechanic|cowboys?|sailors?|soldiers?|tarzan|hercules|conan|zeus|poseidon|thor|genie|shaman|"
    r"pharaoh|king|prince|monk|hunks?|swimmers?|lifeguard|surfer|rowers?|climber|athlete|drummer|"
    r"bodybuilder|rugby player)(?!\w)"
)
_CHILD_NEAR = re.compile(r"(?<!\w)(?:boys?|child|children|kids?|teens?|teenagers?|toddlers?)(?!\w)")
_BLANK = " ■ "
"""What stands where a harmless phrase stood: nothing reaches across it."""


def check_prompt(prompt: str, basis: str) -> None:
    """Refuse a prompt that asks for what must not be made.

    Args:
        basis: of the consent. On `synthetic` a child may be asked for, nudity never.

    Raises:
        Refusal: `prompt_nudity` or `prompt_child`; the sentence quotes nothing.
    """
    read = readings(prompt)
    texts = tuple(dict.fromkeys(_spaced(text) for text in read))
    if any(_nude(text) for text in texts) or _obscured(read, nudity.WORDS, nudity.SPLIT):
        raise Refusal(
            Code.PROMPT_NUDITY,
            "prompt asks for nudity or for something sexual: no such video is made of anybody.",
        )
    if basis == Basis.SYNTHETIC:
        return
    if any(_child(text) for text in texts) or _obscured(read, child.WORDS, child.SPLIT):
        raise Refusal(
            Code.PROMPT_CHILD,
            "prompt asks for a child, or for somebody whose age is in doubt: of a real person only "
            "an adult is made; name the subject as one (man, woman, person), and no age below 18.",
        )


@dataclass(frozen=True)
class _Table:
    """The rules of one kind, compiled; each with where it does not hold."""

    harmless: re.Pattern[str]
    rules: tuple[tuple[re.Pattern[str], Rule], ...]
    foreign: tuple[re.Pattern[str], ...]


@cache
def _nudity() -> _Table:
    foreign = languages.compiled(languages.NUDITY_LATIN, languages.NUDITY_OTHER)
    named = nudity.RULES + undressing.RULES + sexual.RULES
    rules = named + hinting.RULES + allusion.RULES
    return _table(nudity_parts.PARTS, nudity_parts.HARMLESS, rules, foreign)


@cache
def _children() -> _Table:
    foreign = languages.compiled(languages.CHILD_LATIN, languages.CHILD_OTHER)
    return _table(child_parts.PARTS, child_harmless.HARMLESS, child.RULES + young.RULES, foreign)


def _table(
    parts: dict[str, str],
    harmless: tuple[str, ...],
    rules: tuple[Rule, ...],
    foreign: tuple[re.Pattern[str], ...],
) -> _Table:
    return _Table(
        compiled(harmless, parts),
        tuple((compiled(rule.patterns, parts), rule) for rule in rules),
        foreign,
    )


def prepare() -> None:
    """Read the tables now (some tenths of a second) and not at the first request."""
    _nudity(), _children()
    for patterns in child_parts.ABOUT:
        _about(patterns)


@cache
def _about(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """What tells whom a prompt is about, compiled."""
    return compiled(patterns, child_parts.PARTS)


_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TWO_WORDS = re.compile(rf"(?<!\w)({'|'.join(_TENS)}) ({'|'.join(_UNITS)})(?!\w)")


_OF_THE_PHOTOGRAPH = re.compile(
    r"(?<!\w)(person|wom[ae]n|m[ae]n|guy|lady|subject|one|face) (?:in|from|of|on) "
    r"(?:the|this|that|my) (?:photo(?:graph)?|picture|pic|image|reference|selfie|"
    r"portrait|snapshot)s?(?!\w)"
)
"""Who is shown in the references: the prompt's subject, and no word of a picture."""


_IN_BRACKETS = re.compile(rf" ?\((\d{{1,2}}|{child_parts.PARTS['number_word']})\)")
"""`the woman (9)`: an age as newspapers write it."""


def _spaced(text: str) -> str:
    """Signs that join or frame words become spaces, `thirty-five` becomes `35`."""
    text = _IN_BRACKETS.sub(r", \1, ", text)
    text = " ".join(text.translate(_APART).split())
    text = _OF_THE_PHOTOGRAPH.sub(r"\1", text)
    return _TWO_WORDS.sub(
        lambda found: f"{_TENS.index(found[1]) + 2}{_UNITS.index(found[2]) + 1}", text
    )


def _nude(text: str) -> bool:
    table = _nudity()
    if languages.found_in(text, table.foreign):
        return True
    if not _breaks(table, text):  # what is left out below can only take matches away
        return False
    return _breaks(table, " ".join(table.harmless.sub(_BLANK, text).split()))


def _breaks(table: _Table, text: str) -> bool:
    return any(
        pattern.search(text)
        and (rule.of_men_too or not _of_a_man(text))
        and not (rule.unless_grown and _about(child_parts.GROWN).search(text))
        for pattern, rule in table.rules
    )


def _of_a_man(text: str) -> bool:
    """Are men alone spoken of, grown ones?"""
    others = _FEMALE.search(text) or _CHILD_NEAR.search(text)
    return bool(_MALE.search(text)) and not others


def _child(text: str) -> bool:
    table = _children()
    if languages.found_in(text, table.foreign) or makes_a_child(text):
        return True
    if not _about(child_parts.NAMED).search(text) and not _breaks(table, text):
        return False
    if _about(child_parts.ADULT).search(text):
        text = _about(child_parts.OF_A_CHILD).sub(_BLANK, text)
    text = _about(child_parts.SOMEBODY_ELSES).sub(
        _if_adult_before, table.harmless.sub(_BLANK, text)
    )
    text = " ".join(text.split())
    if _breaks(table, text):
        return True
    if any(
        _only_called_young(text[: age.start()])
        for age in _about(child_parts.GROWN_AFTER).finditer(text)
    ):
        text = _about(child_parts.CALLED_YOUNG).sub(_BLANK, text)
    return any(_is_subject(text, found) for found in _about(child_parts.NAMED).finditer(text))


def _only_called_young(before: str) -> bool:
    """Does an adult age after these words mean the one who is called a girl or a boy in them?"""
    return not any(
        found[0] not in _PRONOUNS for found in _about(child_parts.ADULT).finditer(before)
    )


def _if_adult_before(found: re.Match[str]) -> str:
    adult = _about(child_parts.ADULT).search(found.string[: found.start()]) or _about(
        child_parts.GROWN
    ).search(found.string)
    return _BLANK if adult else found[0]


def _is_subject(text: str, found: re.Match[str]) -> bool:
    """Is the child of a prompt the one whom it asks for, not somebody beside an adult?"""
    if text[found.end() :].lstrip().startswith("img"):
        return True
    before = _TOKEN.findall(text[: found.start()])
    at = len(before) - 1
    while at >= 0 and len(before) - at <= 4 and not _ends_a_phrase(before[at]):
        at -= 1
    if (
        0 <= at < len(before) - 1
        and not _owns(before[at])
        and _about(child_parts.ADULT).fullmatch(before[at])
    ):
        return False  # "a woman teaches children"
    if at >= 0 and _acts(before[at]) and _about(child_parts.ADULT).search(" ".join(before[:at])):
        return False  # "a lifeguard, a man, watches children"
    if at < 0 or not _about(child_parts.ADULT).search(" ".join(before[: at + 1])):
        return not (_depicted(before) and _about(child_parts.ADULT).search(text[found.end() :]))
    if _owns(before[at]):
        # "her baby" beside her; at the start of a clause it is the subject again
        at -= at > 0 and before[at - 1] in _DETERMINERS
        return at == 0 or before[at - 1] in _LINKS - {"and"}
    if before[at] in _DETERMINERS:
        at -= 1
    if at < 0 or before[at] == "of":
        return not (_depicted(before) or before[max(at - 1, 0)] in _GROUPS)
    return before[at] in _LINKS


def _depicted(before: list[str]) -> bool:
    """Does `a drawing of` or the like stand before?"""
    return "of" in before[-4:] and bool(_about(child_parts.PICTURE).search(" ".join(before[-7:])))


def _ends_a_phrase(token: str) -> bool:
    return (
        token in _STOPS
        or _owns(token)
        or _acts(token)
        or bool(_about(child_parts.ADULT).fullmatch(token))
    )


def _acts(token: str) -> bool:
    """Does the word look like a verb of somebody's (`watches`), and link nothing?"""
    return token not in _STOPS and bool(_VERB.fullmatch(token))


def _owns(token: str) -> bool:
    return token in _OWNERS or (token.endswith(("'s", "s'")) and token not in _LINKS)


_VERB = re.compile(r"[a-z]{2,}(?<!ou)(?<!le)(?<!s)s")
_PRONOUNS = words("he him she her they who we i img it")
_OWNERS = words("her his their my our your whose own")
_DETERMINERS = words(
    "a an the one two three four five six some several this that these those another many few "
    "any each every both couple"
)
_LINKS = words(
    ". , ; : ! ? ■ as into is are was were be been being become becomes became becoming and or "
    "nor like resembling resembles remains stays than playing plays played portraying portrays "
    "portrayed called named but actually really still now just only he's she's who's it's "
    "that's there's here's what's"
)
_PLACES = words(
    "with to at for from by in on beside near behind around among amongst past towards toward "
    "against over next of between without holding hugging carrying teaching watching feeding"
)
_GROUPS = words(
    "group crowd class team line bunch mother father parent parents teacher front hand hands "
    "side care circle row room pair head top sight cheek shoulders presence middle dozens "
    "hundreds lot lots full couple energy curiosity wonder heart soul mind innocence enthusiasm "
    "imagination joy patience excitement charm spirit handwriting delight trust temper mom dad "
    "grandmother grandfather coach army audience flock background rest"
)
_STOPS = _DETERMINERS | _LINKS | _PLACES


def _obscured(read: list[str], whole: frozenset[str], split: frozenset[str]) -> bool:
    """Is one of the words there with its letters apart, hidden, or cut in two?"""
    for text in read:
        for run in apart(text):
            if run.removeprefix("a") in whole or any(w in run for w in whole if len(w) > 3):
                return True
        if any(run in whole for run in held_together(text)):
            return True
        if any(mask.fullmatch(word) for mask in hidden(text) for word in whole):
            return True
        parts = text.split()
        if any(first + second in split for first, second in pairwise(parts)):
            return True
    return False
