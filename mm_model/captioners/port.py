"""The port of a captioner: files that want a caption in, what is said of each out.

What is said is a plain row, as stage sources writes it into captions.json: {"text": ...} with its
"origin" where the words are not the file's own, {"problem": ..., "message": ...} where there are
none to be had, or None where nobody says anything. Whether training can use the words is not asked
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mm_model.rows import Row

MODEL = "model"
"""The origin of words that a model found."""


@dataclass(frozen=True)
class Uncaptioned:
    """One file: where it lies, what it is (image or clip), and what it says of itself."""

    path: Path
    media: str
    num_frames: int = 1
    own: Row | None = None


class Captioner(Protocol):
    """Says what files show."""

    def captions(self, asked: Sequence[Uncaptioned]) -> list[Row | None]:
        """What is said of each file, in order."""
        ...

    def describe(self) -> Row:
        """JSON-able record of who speaks: adapter, name; of a model its digest and settings."""
        ...


@dataclass(frozen=True)
class Asking:
    """How a model is asked. device is cpu, cuda or auto; dtype float32 or bfloat16.

    `prompt` is for photographs, `clip_prompt` comes with `frames` frames of a clip. `batch` files
    are asked about at a time, and at most `tokens` tokens are taken of each answer.
    """

    prompt: str
    clip_prompt: str
    frames: int
    batch: int
    tokens: int
    device: str
    dtype: str
