"""The pool of prompts that a synthesiser draws from, and what is wrong with a pool.

A text file, a prompt a line; empty lines and lines that begin with # say nothing. `img` stands
once, after the word for the person (PhotoMaker's convention). `python -m mm_model.pairs.prompts
FILE` looks at a file without any weights.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_model.errors import UserError
from mm_model.nn.identity.subject import TRIGGER, PromptError, parse_prompt
from mm_model.store.walk import why

ROOM = 77
"""Tokens that CLIP reads, its two marks included."""

WORDS = ("man", "woman", "person", "boy", "girl")
"""What may stand before the trigger."""

ALIKE = {"guy": "man", "gentleman": "man", "lady": "woman", "child": "person", "baby": "person"}
"""Words of captions that a pool has no prompts for, and what is drawn for them."""

_SEVERAL = re.compile(
    r"\b(two|three|four|five|several|many|both|people|persons|couple|pair|group|crowd|family|"
    r"friends?|twins?|men|women|boys|girls|children|kids|colleagues?|another|others|audience|team|"
    r"his (?:wife|son|daughter|mother|father|brother|sister)|"
    r"her (?:husband|son|daughter|mother|father|brother|sister))\b",
    re.IGNORECASE,
)
_LETTERING = re.compile(
    r"\b(text|texts|letters?|lettering|words?|writing|written|logos?|watermarks?|captions?|"
    r"subtitles?|titles?|signs?|signature|posters?|banners?|billboards?|newspapers?|magazine cover|"
    r"book cover|typography|slogan|label|brand(?:ed)?)\b|[\"“”«»]",
    re.IGNORECASE,
)
_PIECE = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+", re.IGNORECASE)

Counter = Callable[[str], int]
"""How many tokens a prompt without its trigger has, the two marks not counted."""


@dataclass(frozen=True)
class Prompt:
    """A line of the pool: `text` with the trigger, and the word before it."""

    text: str
    word: str


def at_least(text: str) -> int:
    """Tokens that `text` has at the least: CLIP never joins two words, a digit stands alone."""
    return len(_PIECE.findall(text))


def faults(text: str, references: int = 1, count: Counter = at_least) -> list[tuple[int, str]]:
    """(line number from 1, what is wrong there) of a pool; empty when it may be drawn from.

    The class word stands twice for each of `references` photographs, which must fit too.
    """
    found: list[tuple[int, str]] = []
    first: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if wrong := _fault(line, references, count):
            found.append((number, wrong))
        elif (known := first.setdefault(" ".join(line.lower().split()), number)) != number:
            found.append((number, f"the same prompt as in line {known}"))
    if not first and not found:
        found.append((1, "there is no prompt in the file"))
    return found


def _fault(line: str, references: int, count: Counter) -> str | None:
    times = len(re.findall(rf"(?<!\w){TRIGGER}(?!\w)", line))
    if times != 1:
        how = "no" if times == 0 else f"{times} times the"
        return f"{how} trigger word '{TRIGGER}': write it once, after the word for the person"
    if not line.isprintable():
        return "a character that cannot be printed"
    try:
        parsed = parse_prompt(line)
    except PromptError as error:
        return str(error)
    if parsed.class_word not in WORDS:
        return f"'{parsed.class_word}' before '{TRIGGER}': use one of {', '.join(WORDS)}"
    if several := _SEVERAL.search(line):
        return f"'{several[0]}' asks for several people: a reference shows one"
    if lettering := _LETTERING.search(line):
        return f"'{lettering[0]}' asks for lettering, which pictures here must not show"
    tokens = count(parsed.text) + 2 + 2 * references - 1
    if tokens > ROOM:
        return f"{tokens} tokens with {references} photographs, and CLIP reads {ROOM}: shorten it"
    return None


def read(path: Path, references: int = 1, count: Counter = at_least) -> list[Prompt]:
    """The prompts of a file.

    Raises:
        UserError: it cannot be read, or a line is wrong; the sentence names the first lines.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({why(error)}): name a file of prompts beside the profile "
            "(pairs.prompts)."
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    if wrong := faults(text, references, count):
        told = "; ".join(f"line {number}: {said}" for number, said in wrong[:3])
        more = f"; {len(wrong) - 3} more lines are wrong" if len(wrong) > 3 else ""
        raise UserError(f"{path}, {told}{more}: mend the file.")
    lines = [line.strip() for line in text.splitlines()]
    return [
        Prompt(line, parse_prompt(line).class_word)
        for line in lines
        if line and not line.startswith("#")
    ]


def drawn(pool: Sequence[Prompt], word: str, seed: int) -> Prompt:
    """The prompt that `seed` draws for somebody whom captions call `word`.

    Among those with that word, else those of `person`, else all.
    """
    fitting = [one for one in pool if one.word == word]
    fitting = fitting or [one for one in pool if one.word == ALIKE.get(word, "person")]
    fitting = fitting or list(pool)
    return fitting[int(np.random.default_rng(seed).integers(len(fitting)))]


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong with each file, a line a fault; 1 where there is any."""
    wrong = 0
    for name in arguments:
        try:
            found = faults(Path(name).read_text("utf-8-sig"), references=4)
        except (OSError, UnicodeDecodeError) as error:
            found = [(1, f"the file cannot be read as UTF-8 text ({error})")]
        for number, said in found:
            print(f"{name}:{number}: {said}")
        wrong += len(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
