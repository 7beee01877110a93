"""The record beside a clip: what it was made of, with what and where; enough to make it again.

It is the user's own file: prompt and paths stand in it, of a consent only the basis and the id of
its evidence. Weights, photographs and code are named by their digests.
"""

import importlib.metadata
import json
import platform
from collections.abc import Callable
from dataclasses import KW_ONLY, asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from mm_model.environment import processor
from mm_model.errors import UserError
from mm_model.methods.kinds import CONSISID, MAGIC_MIRROR, SUBJECT
from mm_model.serving import fields
from mm_model.serving.config import ServingConfig
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.store.named import reason

FORMAT = 1
PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "onnxruntime",
    "insightface",
    "opencv-python-headless",
    "pillow",
    "av",
)
"""What has a say in a clip's bytes, beside our own code."""


class MadeKind(StrEnum):
    """What is made: a clip, or one frame as a picture."""

    CLIP = "clip"
    PICTURE = "picture"


class _Sentences:
    """What every record has: `prompt`, a list where there are several shots."""

    prompt: str | list[str]

    @property
    def prompts(self) -> tuple[str, ...]:
        """The sentence of each shot."""
        return (self.prompt,) if isinstance(self.prompt, str) else tuple(self.prompt)


@dataclass(frozen=True)
class Arguments(_Sentences):
    """What was asked for, silent values filled in. prompt: a list, in their order, where there are
    several shots. references: paths, in their order. numbers: by their names in a request. refine:
    the steps of refining, as they were given; records of before there were some lack it.
    """

    prompt: str | list[str]
    references: list[str]
    consent: dict[str, str]
    adapter: str
    facepack: str | None
    numbers: dict[str, float]
    refine: str | None = None

    def as_dict(self) -> Document:
        """As a record has it, the numbers beside the rest."""
        said = asdict(self)
        return said | said.pop("numbers")

    @classmethod
    def of(cls, said: Document) -> "Arguments":
        """From what a record has.

        Raises:
            KeyError: a number is absent that every record has.
            TypeError: something is no argument, or one is absent.
        """
        rest, numbers = dict(said), {}
        for one in fields.FIELDS:
            if one.name in rest or not one.later:
                numbers[one.name] = rest.pop(one.name)
        return cls(**rest, numbers=numbers)


@dataclass(frozen=True)
class SubjectArguments(_Sentences):
    """What was asked for of a learned subject. subject, weights, motion: its folder, and those of
    what it is shown with, by path. refine: the steps of refining, as they were given. lora: a file
    and its scale, with a colon between; records of before there were any lack it.
    prompt, numbers: as in `Arguments`.
    """

    prompt: str | list[str]
    subject: str
    weights: str
    motion: str | None
    consent: str | None
    refine: str | None
    numbers: dict[str, float]
    lora: str | None = None

    def as_dict(self) -> Document:
        """As a record has it."""
        return asdict(self)


@dataclass(frozen=True)
class ConsisArguments(_Sentences):
    """What was asked for of ConsisID. weights: the checkpoint's folder. The rest as in
    `Arguments`.
    """

    prompt: str | list[str]
    references: list[str]
    consent: dict[str, str]
    weights: str
    facepack: str | None
    numbers: dict[str, float]

    def as_dict(self) -> Document:
        """As a record has it."""
        return asdict(self)


@dataclass(frozen=True)
class Sidecar:
    """All of it. digests: adapter, backbone, facepack, and the code that serves; those of the
    references, in their order. release: the version, where a release was used. video_sha256: of the
    file, shots_sha256: of those of the shots, where there are several. values: the model's own,
    which nobody asks for (see `values_of`). method: whose clip it is. Records of before there were
    the last four lack them.
    """

    arguments: Arguments | SubjectArguments | ConsisArguments
    release: str | None
    _: KW_ONLY
    digests: dict[str, str]
    references_sha256: list[str]
    video_sha256: str
    fps: int
    versions: dict[str, str]
    hardware: Document
    seconds: float
    notes: list[str]
    values: Document = field(default_factory=dict)
    kind: MadeKind = MadeKind.CLIP
    shots_sha256: list[str] = field(default_factory=list)
    method: str = MAGIC_MIRROR

    def as_dict(self) -> Document:
        """JSON-ready, with a digest over all of it."""
        content = {"format": FORMAT, **asdict(self), "arguments": self.arguments.as_dict()}
        return {**content, "record_sha256": digests.of_value(content)}

    def elsewhere(self, other: "Sidecar") -> list[str]:
        """In what code, versions and hardware differ, in words."""
        differing = [
            f"{name} {self.versions.get(name)} then, {other.versions.get(name)} now"
            for name in sorted(self.versions | other.versions)
            if self.versions.get(name) != other.versions.get(name)
        ]
        differing += [
            f"{name} {self.hardware.get(name)} then, {other.hardware.get(name)} now"
            for name in sorted(self.hardware | other.hardware)
            if self.hardware.get(name) != other.hardware.get(name)
        ]
        if self.digests.get("code") != other.digests.get("code"):
            differing.append("the code of mm_model")
        return differing


def read(path: Path) -> Sidecar:
    """The record in a file.

    Raises:
        UserError: it is not there, or no record of a clip.
    """
    try:
        said = json.loads(path.read_text("utf-8"))
        written, own = said.pop("record_sha256"), digests.of_value(said)
        if (form := said.pop("format")) != FORMAT:
            raise UserError(
                f"{path} is a record of form {form}, and this code reads form {FORMAT}: use the "
                "code that made the clip."
            )
        asked = said.pop("arguments")
        arguments = _READERS[said.get("method", MAGIC_MIRROR)](asked)
        kind = MadeKind(said.pop("kind", MadeKind.CLIP))
        found = Sidecar(arguments=arguments, kind=kind, **said)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({reason(error)}): name the .json beside a generated clip."
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError(
            f"{path} is no record of a generated clip: name the .json beside one."
        ) from None
    if written != own or not _is_whole(found):
        raise UserError(
            f"{path} was changed after it was written: for another clip leave out --again and say "
            "what you want."
        )
    return found


_READERS: dict[str, Callable[[Document], Arguments | SubjectArguments | ConsisArguments]] = {
    MAGIC_MIRROR: Arguments.of,
    SUBJECT: lambda said: SubjectArguments(**said),
    CONSISID: lambda said: ConsisArguments(**said),
}


def _is_whole(found: Sidecar) -> bool:
    asked, text, texts = found.arguments, (str,), (str, type(None))
    kinds: list[tuple[object, tuple[type, ...]]] = [
        (asked.prompt, (str, list)),
        (found.release, texts),
        (found.digests, (dict,)),
        (found.references_sha256, (list,)),
        (found.video_sha256, text),
        (found.versions, (dict,)),
        (found.hardware, (dict,)),
        (found.values, (dict,)),
        (found.shots_sha256, (list,)),
        (found.method, text),
    ]
    told: tuple[object, ...] = ()
    if isinstance(asked, SubjectArguments):
        kinds += [(asked.consent, texts), (asked.motion, texts), (asked.refine, texts)]
        kinds += [(asked.subject, text), (asked.weights, text), (asked.lora, texts)]
        numbers = {one.name for one in fields.FIELDS} == set(asked.numbers)
    else:
        by = asked.weights if isinstance(asked, ConsisArguments) else asked.adapter
        kinds += [(by, text), (asked.facepack, texts)]
        kinds += [(asked.references, (list,)), (asked.consent, (dict,))]
        told, numbers = tuple(asked.references), True
        kinds += [(getattr(asked, "refine", None), texts)]
        if isinstance(asked, ConsisArguments):
            numbers = {one.name for one in fields.FIELDS} == set(asked.numbers)
    if not numbers or not all(isinstance(value, kind) for value, kind in kinds):
        return False
    for one in fields.FIELDS:
        if one.name in asked.numbers and not one.fits(asked.numbers[one.name]):
            return False
    said = (*told, *asked.prompts, *found.shots_sha256)
    return bool(asked.prompt) and all(isinstance(value, str) for value in said)


def values_of(config: ServingConfig) -> Document:
    """What of a model's configuration has a say in a clip and is no part of a request."""
    said = config.model_dump(mode="json", include={"face_guidance", "fps", "dtype", "detection"})
    return {**said.pop("detection"), **said}


def versions() -> dict[str, str]:
    """Python and the packages that have a say."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def hardware(device: str, threads: int) -> Document:
    """What the numbers may depend on: processor, its instructions, device, threads."""
    import torch

    cuda = device != "cpu" and torch.cuda.is_available()
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(0) if cuda else "cpu",
        "threads": threads,
    }
