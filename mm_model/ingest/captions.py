"""Which caption a kept file gets: its own where every later stage can use it, else the template.

What decides is the function that training itself places identities with, asked here with the same
tokenizer, so that no caption can stop a stage that has the pictures already. Loads a tokenizer and
no model.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mm_model.errors import UserError
from mm_model.records import CaptionProblem, Row, Status

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
}


class Captions:
    """Judges captions for one backbone.

    Raises:
        UserError: the backbone has no tokenizer, or the template itself cannot be used with it.
    """

    def __init__(self, backbone: Path, template: str) -> None:
        from mm_model.nn.cogvideox.tokenizer import load_tokenizer, text_length
        from mm_model.nn.identity.subject import PromptError, check_caption

        self._template = template
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
        if given is None:
            return self._instead(None, None)
        if "problem" in given:
            return self._instead(given["problem"], given["message"])
        try:
            self._check(self._tokenizer, given["text"], self._length)
        except self._refused as error:
            return self._instead(error.problem, str(error))
        return {"caption": given["text"], "caption_origin": given.get("origin", "sidecar")}

    def _instead(self, problem: str | None, message: str | None) -> Row:
        return {
            "caption": self._template,
            "caption_origin": "template",
            "caption_problem": problem,
            "caption_message": message and message[:300],
        }


def caption_kept(rows: Sequence[Row], given: dict[str, Row], captioner: Captions) -> None:
    """Fill in, in place, the caption columns of every kept row; `given` is captions.json."""
    for row in rows:
        if row["status"] == Status.KEPT:
            row |= captioner.of(given.get(row["source_id"]))


def replaced(kept: Sequence[Row]) -> list[Row]:
    """The kept rows that have a caption of their own which the template stands in for."""
    return [row for row in kept if row.get("caption_problem")]


def caption_notes(kept: Sequence[Row]) -> list[str]:
    """A sentence on how many own captions were not used and why; none when all were."""
    rows = replaced(kept)
    if not rows:
        return []
    reasons = Counter(row["caption_problem"] for row in rows)
    said = ", ".join(
        f"{number} {_MEANING[CaptionProblem(code)]}" for code, number in sorted(reasons.items())
    )
    first = rows[0]
    return [
        f"captions that cannot be used, so that the template stands in: {len(rows)} ({said}), "
        f"e.g. {first['name']}: {first['caption_message']}"
    ]
