"""Which caption a kept file gets: its own where every later stage can use it, else the template.

What decides is the function that training itself places identities with, asked here with the same
tokenizer, so that no caption can stop a stage that has the pictures already. Loads a tokenizer and
no model.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from mm_model.captioners.lint import Bounds, Finding, findings, measured
from mm_model.captioners.port import MODEL
from mm_model.errors import UserError
from mm_model.records import CaptionProblem, Row

TEMPLATE = "template"
_MEANING = {
    CaptionProblem.UNREADABLE: "unreadable",
    CaptionProblem.TOO_LARGE: "larger than 1 MiB",
    CaptionProblem.NOT_TEXT: "not text",
    CaptionProblem.EMPTY: "empty",
    CaptionProblem.TRIGGER: "with the trigger word misplaced",
    CaptionProblem.NO_SUBJECT: "without a subject",
    CaptionProblem.LATE_SUBJECT: "with the subject too late for the text encoder",
    CaptionProblem.NO_PIECE: "with a subject that has no token",
    CaptionProblem.MARK: "with a mark of the tokenizer",
    CaptionProblem.ABSENT: "absent",
    CaptionProblem.REFUSAL: "that refuse",
    CaptionProblem.LANGUAGE: "in another script",
    CaptionProblem.LOOP: "that repeat themselves",
    CaptionProblem.SHORT: "too short",
    CaptionProblem.LONG: "too long",
}


@dataclass(frozen=True)
class Judged:
    """The caption columns of a row. used: whether the words that were given stand in them.

    finding: the first thing that the lint says of those words.
    """

    row: Row
    used: bool
    finding: Finding | None = None

    @property
    def good(self) -> bool:
        """Whether the words are used and the lint says nothing of them."""
        return self.used and self.finding is None

    def after(self, own: "Judged") -> "Judged":
        """This one, of a model, where a file's own words could not be used: their problem stays."""
        if not self.used or not own.row.get("caption_problem"):
            return self
        kept = {key: own.row[key] for key in ("caption_problem", "caption_message")}
        return replace(self, row=self.row | kept)


class Captions:
    """Judges captions for one backbone, and by the lint's `bounds`.

    strict: what the lint finds fault with is not used.

    Raises:
        UserError: the backbone has no tokenizer, or the template itself cannot be used with it.
    """

    def __init__(
        self, backbone: Path, template: str, bounds: Bounds | None = None, strict: bool = False
    ) -> None:
        from mm_model.nn.cogvideox.tokenizer import load_tokenizer, text_length
        from mm_model.nn.identity.subject import PromptError, check_caption

        self._template = template
        self._bounds, self._strict = bounds or Bounds(), strict
        self._check, self._refused = check_caption, PromptError
        self._length = text_length(backbone)
        self._tokenizer = load_tokenizer(backbone / "tokenizer")
        try:
            check_caption(self._tokenizer, template, self._length)
        except PromptError as error:
            raise UserError(
                f"ingest.caption_template is {template!r}, which cannot stand in for a caption "
                f"with the backbone {backbone}: {error}"
            ) from None

    def of(self, given: Row | None) -> Row:
        """The caption columns of a kept file from its entry in captions.json, None without one."""
        return self.judged(given).row

    def judged(self, given: Row | None) -> Judged:
        """The same, and whether the words that were given are used; a model's come in that form."""
        if given is None:
            return Judged(
                self._instead(None, None) | {"caption_lint": CaptionProblem.ABSENT}, False
            )
        if "problem" in given:
            return Judged(self._instead(given["problem"], given["message"]), False)
        text = given["text"]
        found = findings(text, self._bounds)
        finding, columns = found[0] if found else None, self.measures(given)
        try:
            self._check(self._tokenizer, text, self._length)
        except self._refused as error:
            row = self._instead(error.problem, str(error)) | columns
            return Judged(row, False, finding)
        if finding and self._strict:
            row = self._instead(finding.problem, finding.message) | columns
            return Judged(row, False, finding)
        row = {"caption": text, "caption_origin": given.get("origin", "sidecar")} | columns
        return Judged(row, True, finding)

    def measures(self, given: Row | None) -> Row:
        """The columns of the lint, of a file that is kept or not; none without words."""
        if given is None or "text" not in given:
            return {}
        seen = measured(given["text"])
        codes = " ".join(one.problem for one in findings(given["text"], self._bounds))
        return {
            "caption_lint": codes or None,
            "caption_words": seen.words,
            "caption_latin": seen.latin,
            "caption_repeats": seen.repeats,
        }

    def _instead(self, problem: str | None, message: str | None) -> Row:
        return {
            "caption": self._template,
            "caption_origin": TEMPLATE,
            "caption_problem": problem,
            "caption_message": message and message[:300],
        }


class CaptionTally:
    """What is said of the captions of kept files, counted while their rows pass.

    replaced: how many have the template instead of their own or a model's.
    """

    def __init__(self) -> None:
        self._instead = {TEMPLATE: _Unused(), MODEL: _Unused()}
        self._codes: Counter[str] = Counter()

    def add(self, row: Row) -> None:
        """A kept row."""
        unused = self._instead.get(row["caption_origin"])
        if row.get("caption_problem") and unused is not None:
            unused.add(row)
        self._codes.update((row.get("caption_lint") or "").split())

    @property
    def replaced(self) -> int:
        return self._instead[TEMPLATE].number

    def notes(self) -> list[str]:
        """Sentences on captions that were not used, and on what the lint says; none of good."""
        codes = Counter(self._codes)
        notes = [
            *self._instead[TEMPLATE].notes("the template stands in"),
            *self._instead[MODEL].notes("a model's stand in"),
        ]
        del codes[CaptionProblem.ABSENT]  # a folder without captions is no fault
        if codes:
            notes.append(f"captions that the lint finds fault with: {_told(codes)}")
        return notes


@dataclass
class _Unused:
    first: Row | None = None
    number: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        self.first = self.first or row
        self.number += 1
        self.reasons[row["caption_problem"]] += 1

    def notes(self, instead: str) -> list[str]:
        if self.first is None:
            return []
        example = f"{self.first['name']}: {self.first['caption_message']}"
        said = f"{self.number} ({_told(self.reasons)}), e.g. {example}"
        return [f"captions that cannot be used, so that {instead}: {said}"]


def _told(codes: Counter[str]) -> str:
    return ", ".join(f"{codes[one]} {_MEANING[CaptionProblem(one)]}" for one in sorted(codes))
