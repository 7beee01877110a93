"""Ages that a prompt tells by a sum: "he is 52, take forty years off", "half her age: she is 30".

Numbers are read as digits or words; nothing is asked of a prompt that holds no such sum.
"""

import re

GROWN = 18
_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "a": 1, "half a": 0.5,
}  # fmt: skip
_NUMBER = rf"(?<![\w.])(?:\d{{1,2}}|{'|'.join(sorted(_WORDS, key=len, reverse=True))})(?!\w)"
_SPAN = rf"({_NUMBER}) (years?|yrs?|decades?)"
_LESS = re.compile(
    r"(?:(?:de ?ag\w*|revers\w*|rejuvenat\w*|regress\w*|rew[io]u?nd\w*|subtract\w*|minus|less|"
    r"turn\w* back|tak\w+|remov\w+|shav\w+|knock\w*|drop\w*|los\w+|eras\w+|wip\w+|strip\w*|"
    rf"roll\w* back|younger)(?: [\w']+){{0,5}}? {_SPAN}|{_SPAN} (?:younger|off|"
    r"(?:back )?into the past|(?:of|from) (?:her|his|their) (?:face|age))|"
    rf"(?:as|how|what|when) (?:she|he|they|i) (?:was|were|looked)(?: like)? {_SPAN} "
    r"(?:ago|earlier|before|back))(?!\w)"
)
"""What is taken from an age: two groups for each way of saying it."""
_SHARE = re.compile(
    r"(?<!\w)(a? ?half|a third|one third|a quarter|one quarter|a fifth) (?:of )?"
    r"(?:(?:her|his|their|this|the|my) (?:\w+'s )?(?:own |current |present |real )?age|as old|"
    r"the age)(?!\w)"
)
_SHARES = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2}
_AGE = re.compile(
    rf"(?:(?:is|are|am|he's|she's|they're|i'm|aged?|of|now|who's|a|,|this|:|\() ?)({_NUMBER})"
    r"(?=(?: ?years?| ?yrs?)(?: old| of age)| ?(?:yo|y o)\b| ?[.,;:!)]| ?$|"
    r" (?:now|today|already|and|with|who|to)\b)"
    r"|(?<![\w.])(\d\d) ?(?:years? old|yrs? old|yo|y o)(?!\w)"
)


def makes_a_child(text: str) -> bool:
    """Does `text` (lower case, numbers like 35 in digits) ask for less than eighteen by a sum?"""
    ages = [_value(one or other) for one, other in _AGE.findall(text)]
    grown = [age for age in ages if age >= GROWN]
    if not grown:
        return False
    oldest = max(grown)
    spans = [_years(*(part for part in found if part)) for found in _LESS.findall(text)]
    if any(0 <= oldest - span < GROWN for span in spans if span not in grown):
        return True
    shares = (next(value for name, value in _SHARES.items() if name in found)
              for found in _SHARE.findall(text))  # fmt: skip
    return any(oldest * share < GROWN for share in shares)


def _value(number: str) -> float:
    return float(_WORDS.get(number) or number)


def _years(number: str, unit: str) -> float:
    return _value(number) * (10 if unit.startswith("decade") else 1)
