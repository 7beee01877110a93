"""What values of settings may be: kinds of numbers and texts with their units and wide bounds.

A bound says what nobody can mean, not what is wise.
"""

import re
import zoneinfo
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

_T = TypeVar("_T")

CALLED = r"^[a-z0-9][a-z0-9-]{0,39}$"
"""The name of a subject, which is a folder and a word of a prompt too."""

_FILE_NAME = re.compile(r"\w(?:[\w .-]{0,98}\w)?")
_CRON = re.compile(r"[\d*/,a-zA-Z#LW?-]+( [\d*/,a-zA-Z#LW?-]+){4}")
_FRAMES_LAW = 8
_LONGEST_WORD = 40


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


def _a_name(text: str) -> str:
    if not _FILE_NAME.fullmatch(text):
        raise ValueError(
            "a name holds letters, digits, spaces, '.', '_' and '-', begins and ends with a letter "
            "or digit, and has at most 100 of them"
        )
    return text


def _legal_frames(count: int) -> int:
    if count != 1 and count % _FRAMES_LAW != 1:
        raise ValueError(f"a clip has 1 or 8k+1 frames, not {count}")
    return count


def _a_path(text: str) -> str:
    _not_blank(text)
    if "\0" in text:
        raise ValueError("no path holds a NUL")
    return text


def _a_class_word(text: str) -> str:
    if not text or text != text.strip() or len(text) > _LONGEST_WORD:
        raise ValueError(
            f"a class word is that of a prompt, as in dog: up to {_LONGEST_WORD} characters "
            "without blanks around"
        )
    return text


def _five_fields(text: str) -> str:
    if not _CRON.fullmatch(text):
        raise ValueError(
            "a cron text has five fields: minute, hour, day of the month, month, day of the week, "
            "as in 0 2 * * *"
        )
    return text


def _a_timezone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("there is no such time zone: name one as in UTC or Europe/Paris") from None
    return text


def each_once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    """`values`, of which none may come twice.

    Raises:
        ValueError: one does.
    """
    if len(set(values)) != len(values):
        raise ValueError("something in it stands twice")
    return values


Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, or a probability."""
InnerShare = Annotated[float, Field(gt=0, lt=1)]
"""A part that is neither nothing nor all."""
Correlation = Annotated[float, Field(ge=-1, le=1)]
"""A cosine."""
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Few = Annotated[int, Field(ge=1, le=1000)]
"""A number of things of which each costs time: pairs of a target, requests, faces."""
Keyframes = Annotated[int, Field(ge=1, le=64)]
"""Frames of a clip that one question to a model shows it."""
SomeOrNone = Annotated[int, Field(ge=0, le=1000)]
"""As `Few`, and none at all."""
References = Annotated[int, Field(ge=1, le=4)]
"""Pictures of one person that the prompt can name."""
Threads = Annotated[int, Field(ge=1, le=1024)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Step = Annotated[int, Field(ge=0, le=100_000_000)]
"""A step of a training, counted from 1; at 0 nothing ran yet."""
Steps = Annotated[int, Field(ge=1, le=100_000_000)]
SamplerSteps = Annotated[int, Field(ge=1, le=1000)]
"""Steps of the sampler: the backbone was trained with a thousand."""
Side = Annotated[int, Field(ge=1, le=16_384)]
"""Pixels along one side of a picture."""
Length = Annotated[float, Field(ge=0, le=16_384)]
"""Pixels, as measured."""
Pixels = Annotated[int, Field(ge=1, le=10_000_000_000)]
"""Width times height."""
Frames = Annotated[int, Field(ge=1, le=10_000_000)]
"""Frames of somebody's clip."""
ModelFrames = Annotated[int, Field(ge=1, le=4097), AfterValidator(_legal_frames)]
"""Frames of a clip that the model makes: the VAE returns 1 or 8k+1."""
Rate = Annotated[int, Field(ge=1, le=1000)]
"""Frames a second."""
Score = Annotated[float, Field(ge=0, le=100)]
"""A measure of quality."""
Grey = Annotated[float, Field(ge=0, le=255)]
"""A difference of pixel values."""
Sharpness = Annotated[float, Field(ge=0, le=1_000_000)]
"""Variance of the Laplacian."""
Ratio = Annotated[float, Field(ge=1, le=1000)]
"""A longer side over a shorter one."""
Margin = Annotated[float, Field(ge=1, le=16)]
"""The side of a window in face heights."""
HashBits = Annotated[int, Field(ge=0, le=8)]
"""Bits of a perceptual hash; from some ten of 64 on, different pictures differ by no more."""
Turn = Annotated[float, Field(ge=0, le=90)]
"""Degrees to either side."""
Years = Annotated[float, Field(ge=0, le=120)]
"""Of age."""
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Hours = Annotated[float, Field(ge=1, le=8784)]
"""From an hour to a year."""
Cron = Annotated[str, AfterValidator(_five_fields)]
"""When something starts, in cron's words."""
Timezone = Annotated[str, AfterValidator(_a_timezone)]
Megabytes = Annotated[int, Field(ge=1, le=1_048_576)]
Bytes = Annotated[int, Field(ge=1, le=2**31)]
Characters = Annotated[int, Field(ge=1, le=1_000_000)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Decay = Annotated[float, Field(ge=0, le=1)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0, le=1000)]
"""A factor of a loss."""
Norm = Annotated[float, Field(gt=0, le=1_000_000)]
Guidance = Annotated[float, Field(ge=1, le=1000)]
"""Classifier-free guidance; 1 is none."""
Text = Annotated[str, Field(max_length=1000), AfterValidator(_not_blank)]
ClassWord = Annotated[str, AfterValidator(_a_class_word)]
"""What a subject is called in a prompt, as in dog."""
PROFILE = r"^[a-z0-9][a-z0-9-]*$"
"""The name of a profile."""
Path = Annotated[str, AfterValidator(_a_path)]
"""A path of `params.yaml`."""
Name = Annotated[str, AfterValidator(_a_name)]
"""Names a folder, a file or a model of a registry, so no path."""
