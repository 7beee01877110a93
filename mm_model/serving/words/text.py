"""A prompt as the word filter reads it: one spelling for what looks or reads alike.

Undoes capitals, accents, look-alike letters of other alphabets, digits for letters, letters set
apart, hidden letters, characters that nobody sees and slips of the keyboard. It forbids nothing.
"""

import re
import unicodedata

from mm_model.serving.words.spelling import mended

_UNSEEN = {0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0, 0x17B4, 0x17B5, 0x180E, *range(0xFE00, 0xFE10)}
_LOOK_ALIKE = str.maketrans(
    {
        # Cyrillic
        "а": "a", "в": "b", "с": "c", "ԁ": "d", "е": "e", "ё": "e", "һ": "h", "н": "h", "і": "i",
        "ї": "i", "ј": "j", "к": "k", "ӏ": "l", "м": "m", "о": "o", "п": "n", "р": "p", "ԛ": "q",
        "г": "r", "ѕ": "s", "т": "t", "ц": "u", "ѵ": "v", "ԝ": "w", "х": "x", "у": "y", "и": "n",
        # Greek
        "α": "a", "β": "b", "ϲ": "c", "δ": "d", "ε": "e", "η": "n", "ι": "i", "κ": "k", "ν": "v",
        "ο": "o", "ρ": "p", "τ": "t", "υ": "u", "χ": "x", "ω": "w", "γ": "y", "σ": "o", "π": "n",
        # Armenian, small capitals, letters with strokes, turned letters
        "ո": "n", "ս": "u", "օ": "o", "ե": "e", "հ": "h", "ց": "g", "ᴀ": "a", "ʙ": "b", "ᴄ": "c",
        "ᴅ": "d", "ᴇ": "e", "ꜰ": "f", "ɢ": "g", "ʜ": "h", "ɪ": "i", "ᴊ": "j", "ᴋ": "k", "ʟ": "l",
        "ᴍ": "m", "ɴ": "n", "ᴏ": "o", "ᴘ": "p", "ʀ": "r", "ꜱ": "s", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v",
        "ᴡ": "w", "ʏ": "y", "ᴢ": "z", "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t",
        "ɐ": "a", "ɔ": "c", "ǝ": "e", "ɟ": "f", "ƃ": "g", "ɥ": "h", "ɯ": "m", "ɹ": "r", "ʇ": "t",
        "ʌ": "v", "ʍ": "w", "ʎ": "y", "ɑ": "a", "ɡ": "g", "ʋ": "v", "æ": "ae", "œ": "oe",
    }
)  # fmt: skip
_DIGITS = {"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a",
           "$": "s", "€": "e", "£": "l", "|": "i", "!": "i", "¡": "i", "1": "i"}  # fmt: skip
_AS_I = str.maketrans(_DIGITS)
_AS_L = str.maketrans(_DIGITS | {"1": "l", "|": "l", "!": "l"})
_SIGNED = re.compile(r"[a-z0-9@$€£|!¡]*[a-z0-9@$€£]")
_SIGN = re.compile(r"[0-9@$€£|!¡]")
_MEASURE = re.compile(r"\d{2,}s|\d+(?:st|nd|rd|th|yo|yr|yrs|cm|mm|km|kg|am|pm|k|x)")
_TALL_I = re.compile(r"(?<=[a-z])I(?![A-Z])")
_LONG_RUN = re.compile(r"([a-z])\1{2,}")
_APART = re.compile(
    r"(?<![^\W_])[^\W\d_](?:[\s._*~+,;:|/\\'·•-]{1,3}[^\W\d_](?![^\W_])){3,}"
)  # fmt: skip
_SINGLE = re.compile(r"(?<![^\W_])[a-z](?: [a-z])+(?![^\W_])")
# From the start of a word only and never back: else a long word costs time by its length squared.
_HIDDEN = re.compile(r"(?<![a-z])[a-z]++(?:[*#_%?]+[a-z]++)+")
_HELD_TOGETHER = re.compile(r"(?<![a-z])[a-z]++(?:[^\w\s']+[a-z]++)+")
_WORD = re.compile(r"[^\W_]+")
_EMOJI = {
    "👶": " baby ",
    "🧒": " child ",
    "👦": " boy ",
    "👧": " girl ",
    "🔞": " nsfw ",
    "🍑": " buttocks ",
    "🍆": " penis ",
}
_BOXED = ((0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26))
_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "‐": "-", "‑": "-",
                         "–": "-", "—": ",", "…": "."})  # fmt: skip


def readings(prompt: str) -> list[str]:
    """The texts to look for words in, the plainest first; most prompts have just one."""
    seen = _seen(prompt)
    plain = _folded(seen)
    shorter = _LONG_RUN.sub(r"\1", plain)
    closed = _SINGLE.sub(_closed, shorter) if _APART.search(shorter) else shorter
    texts = (plain, seen, shorter, *_without_signs(shorter), closed)
    return list(dict.fromkeys((*texts, mended(plain), mended(shorter))))


def apart(text: str) -> list[str]:
    """Runs of letters that stand apart, joined: `n u d e` and `n.u.d.e` give `nude`."""
    return [re.sub(r"[\W_]+", "", found[0]) for found in _APART.finditer(text)]


def held_together(text: str) -> list[str]:
    """Words with signs inside, joined: `na-ked` gives `naked`."""
    return [re.sub(r"\W+", "", found[0]) for found in _HELD_TOGETHER.finditer(text)]


def hidden(text: str) -> list[re.Pattern[str]]:
    """Words with hidden letters, each as a pattern of what it may be: `n*de`."""
    return [
        re.compile(re.sub(r"[*#_%?]+", "[a-z]{1,2}", found[0])) for found in _HIDDEN.finditer(text)
    ]


def _closed(found: re.Match[str]) -> str:
    """`w o m a n` as a word; an `a` in front of at least three letters is its own word."""
    letters = found[0].replace(" ", "")
    return f"a {letters[1:]}" if letters[0] == "a" and len(letters) > 3 else letters


def _seen(prompt: str) -> str:
    """Lower case, compatibility forms resolved, characters without a shape left out."""
    prompt = _TALL_I.sub("l", prompt)  # `girI`
    if prompt.isascii():
        return " ".join(prompt.casefold().split())
    for sign, word in _EMOJI.items():
        prompt = prompt.replace(sign, word)
    letters = []
    for letter in unicodedata.normalize("NFKC", prompt.translate(_QUOTES)):
        code = ord(letter)
        boxed = [chr(97 + code - first) for first, many in _BOXED if 0 <= code - first < many]
        if boxed:
            letters.append(boxed[0])
        elif unicodedata.category(letter) not in ("Cf", "Me") and code not in _UNSEEN:
            letters.append(letter)
    return " ".join("".join(letters).casefold().translate(_QUOTES).split())


def _folded(text: str) -> str:
    """Latin letters without their accents; letters of other alphabets that stand for Latin ones."""
    if text.isascii():
        return text
    letters: list[str] = []
    for letter in unicodedata.normalize("NFD", text):
        if not (unicodedata.category(letter) == "Mn" and letters and letters[-1].isascii()):
            letters.append(letter)
    return _WORD.sub(_latin, unicodedata.normalize("NFC", "".join(letters)))


def _latin(found: re.Match[str]) -> str:
    """A word of mixed alphabets in Latin letters; a word of one other alphabet stays."""
    word = found[0]
    if word.isascii() or all("\u0370" <= letter <= "\u052f" for letter in word):
        return word
    turned = word.translate(_LOOK_ALIKE)
    return turned if turned.isascii() else word


def _without_signs(text: str) -> list[str]:
    """Digits and signs inside words as the letters they stand for: `n4k3d`, `ch1ld`, `a$$`."""

    def turned(table: dict[int, str]) -> str:
        return _SIGNED.sub(
            lambda m: m[0] if m[0].isalpha() or not re.search("[a-z]", m[0])
            or _MEASURE.fullmatch(m[0]) else m[0].translate(table),
            text,
        )  # fmt: skip

    return [turned(_AS_I), turned(_AS_L)] if _SIGN.search(text) else []
