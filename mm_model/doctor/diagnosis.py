"""What a look found: a sentence, and the way out where something is wrong."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from mm_model.errors import UserError, first_line, of_machine
from mm_model.store.atomic import Document

State = Literal["good", "note", "bad"]
_WORDS = {"good": "ok  ", "note": "note", "bad": "BAD "}


@dataclass(frozen=True)
class Diagnosis:
    """`subject` is what was looked at. Whoever does nothing about a note loses nothing."""

    subject: str
    state: State
    sentence: str
    fix: str = ""

    def line(self) -> str:
        """All of it in one line."""
        way_out = f" -> {self.fix}" if self.fix else ""
        return f"{_WORDS[self.state]}  {self.subject}: {self.sentence}{way_out}"

    def as_dict(self) -> Document:
        """JSON-able form."""
        return asdict(self)


Look = Callable[[], Iterable[Diagnosis]]


def gathered(looks: Iterable[tuple[str, Look]]) -> Iterator[Diagnosis]:
    """What each look finds, by its subject; one that cannot be made is a finding of its own."""
    for subject, look in looks:
        try:
            yield from look()
        except UserError as error:
            yield Diagnosis(subject, "bad", str(error))
        except Exception as error:  # a doctor does not fall ill with the patient
            known = of_machine(error)
            said = str(known) if known else f"it cannot be looked at: {first_line(error)}"
            yield Diagnosis(subject, "bad", said)


def told(looks: Iterable[tuple[str, Look]], as_json: bool) -> bool:
    """Print what the looks find, as they find it or as JSON at the end; whether nothing is bad."""
    found = []
    for one in gathered(looks):
        found.append(one)
        if not as_json:
            print(one.line(), flush=True)
    if as_json:
        print(json.dumps([one.as_dict() for one in found], indent=1))
    return not any(one.state == "bad" for one in found)
