"""Learned subjects by name: a subject's folder read again, whole or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.run.stages import SUBJECT
from mm_model.store import digests, documents
from mm_model.store.consents import Basis
from mm_model.store.layout import Layout
from mm_model.vcd.keep import METHOD, RECORD, TOKENS
from mm_model.vcd.tokens import IdTokens

_AGAIN = "learn the subject again"


@dataclass(frozen=True, eq=False)
class LearnedSubject:
    """What a clip needs of a subject: its name, kind, class word and tokens, and their digest.

    weights: what it was learned on, of `family` stable-diffusion or cogvideox; space: where its
    tokens stand. consent: of a person the statement's id.
    """

    name: str
    kind: str
    word: str
    tokens: IdTokens
    sha256: str
    weights: Path
    family: str
    space: str
    consent: str | None

    @property
    def basis(self) -> str:
        """Of the consent; an animal or an object needs none, as if it had been drawn."""
        return (self.consent or Basis.SYNTHETIC).partition(":")[0]

    def placed(self, prompt: str) -> str:
        """`prompt` with the placeholder before the class word where it says that word alone.

        Raises:
            UserError: it says neither.
        """
        placeholder = self.tokens.placeholder
        if placeholder in prompt:
            return prompt
        found = re.search(rf"(?<!\w){re.escape(self.word)}(?!\w)", prompt, re.IGNORECASE)
        if found is None:
            raise UserError(
                f"The prompt says neither {placeholder} nor {self.word}: name the subject, as in "
                f"'a photo of a {placeholder} {self.word}'."
            )
        return f"{prompt[: found.start()]}{placeholder} {prompt[found.start() :]}"


def found(layout: Layout, name: str) -> Path:
    """The folder of the subject `name`: that of its stage, of `learn-subject`, or that `name` is.

    Raises:
        UserError: there is none; the sentence lists those that there are.
    """
    shelves = (layout.output(SUBJECT), layout.subjects)
    for folder in (*(shelf / name for shelf in shelves), Path(name)):
        if (folder / RECORD).is_file():
            return folder
    there_are = {path.parent.name for shelf in shelves for path in shelf.glob(f"[!.]*/{RECORD}")}
    known = sorted(there_are)
    there = f"there are {', '.join(known)}" if known else "none was learned yet"
    raise UserError(
        f"{name} is no learned subject ({there}): name one, or a folder that learn-subject wrote."
    )


def read(folder: Path) -> LearnedSubject:
    """The subject that learn-subject wrote into `folder`.

    Raises:
        UserError: a file is missing, damaged, or another one than was written.
    """
    try:
        said = documents.read(folder / RECORD, _AGAIN)
        if said["method"] != METHOD:
            raise ValueError(said["method"])
        subject = LearnedSubject(
            name=str(said["name"]),
            kind=str(said["kind"]),
            word=str(said["word"]),
            tokens=IdTokens.read(folder / TOKENS),
            sha256=str(said["tokens_sha256"]),
            weights=Path(said["weights"]["path"]),
            family=str(said["family"]),
            space=str(said["space"]),
            consent=said["consent"],
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder} holds no whole subject: {_AGAIN}.") from error
    if digests.of_file(folder / TOKENS) != subject.sha256:
        raise UserError(f"{folder / TOKENS} is not the file that was learned: {_AGAIN}.")
    return subject
