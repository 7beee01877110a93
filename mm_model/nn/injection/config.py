"""What the configuration of every injection says, and how it is held against a backbone.

It knows nothing about weights. An adapter never runs on a backbone it was not made for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from mm_model.errors import UserError

UNRECORDED_MARGIN = 1.6
"""`reference_margin` of an adapter that does not record one: the value of every profile that an
adapter was trained with before the field was there."""


TRAINED = ("all", "modulation")
"""What a training may change: every tensor of the adapter, or its modulation predictors alone."""

_LAST = (
    "trigger",
    "reference_margin",
    "trained",
    "backbone_id",
    "recognizer_sha256",
    "id_perceiver_sha256",
    "stage",
    "step",
)
"""What stands at the end of the file, behind the sizes."""


def backbone_family(transformer: Mapping[str, Any]) -> str:
    """A short name of the backbone's shape, from a CogVideoX transformer configuration.

    Two backbones of the same family accept each other's adapters as far as shapes and the kind of
    position embedding go; it says nothing about their weights.
    """
    position = "rope" if transformer["use_rotary_positional_embeddings"] else "sincos"
    return (
        f"cogvideox-{transformer['num_layers']}x{transformer['num_attention_heads']}"
        f"x{transformer['attention_head_dim']}-c{transformer['in_channels']}"
        f"-p{transformer['patch_size']}-text{transformer['text_embed_dim']}"
        f"-time{transformer['time_embed_dim']}-{position}"
    )


@dataclass(frozen=True, kw_only=True)
class InjectionConfig:
    """Base of each injection's configuration, which adds its own sizes and switches.

    `family` and `width` (the DiT width d) are those of the backbone that it was made for, `preset`
    names its sizes. `trigger` marks the subject's word in a prompt. `reference_margin` is the side
    of the portrait that it was trained on, in face heights; None shows the whole picture. `trained`
    is what its last training changed, of `TRAINED`. The rest says where the weights come from.
    Raises `UserError` for a margin without sense, or another word in `trained`.
    """

    NAME: ClassVar[str]
    """Says in the file whose configuration it is: see `mm_model.nn.injection.table`."""
    VERSION: ClassVar[int] = 1

    preset: str
    family: str
    num_layers: int
    width: int
    trigger: str = "img"
    reference_margin: float | None = None
    trained: str = "all"
    backbone_id: str | None = None
    recognizer_sha256: str | None = None
    id_perceiver_sha256: str | None = None
    stage: str | None = None
    step: int | None = None

    def __post_init__(self) -> None:
        margin = self.reference_margin
        if margin is not None and not (isinstance(margin, int | float) and 1 <= margin <= 16):
            raise UserError(
                f"reference_margin is {margin!r}; it is a side in face heights, from 1 to 16, or "
                "null for the whole picture."
            )
        if self.trained not in TRAINED:
            raise UserError(f"trained is {self.trained!r}; choose one of {', '.join(TRAINED)}.")

    def to_dict(self) -> dict[str, object]:
        """JSON-ready form, with class name and version first."""
        data = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        for name in _LAST:
            data[name] = data.pop(name)
        return {"class": self.NAME, "version": self.VERSION, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`. Raises `UserError` on another class, version or unknown field.

        Without `reference_margin` it is `UNRECORDED_MARGIN`; null is the whole picture.
        """
        data = {"reference_margin": UNRECORDED_MARGIN, **data}
        kind, version = data.pop("class", None), data.pop("version", None)
        if kind != cls.NAME or version != cls.VERSION:
            raise UserError(
                f"This adapter configuration is of class {kind!r}, version {version!r}; this "
                f"program reads {cls.NAME!r} version {cls.VERSION}."
            )
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(data) - known)
        missing = sorted({"family", "width", "num_layers"} - set(data))
        if unknown or missing:
            raise UserError(
                f"The adapter configuration has unknown fields {unknown} or lacks {missing}; it "
                "was written by another version of this program."
            )
        values: dict[str, Any] = {  # of as many kinds as the file has fields
            n: tuple(v) if isinstance(v, list) else v for n, v in data.items()
        }
        return cls(**values)

    def check_backbone(self, transformer: Mapping[str, Any]) -> None:
        """Raise `UserError` unless the backbone has layers, width and family of this adapter."""
        width = transformer["num_attention_heads"] * transformer["attention_head_dim"]
        found = {
            "number of layers": (self.num_layers, transformer["num_layers"]),
            "width": (self.width, width),
            "base family": (self.family, backbone_family(transformer)),
        }
        for name, (mine, theirs) in found.items():
            if mine != theirs:
                raise UserError(
                    f"The adapter was made for a backbone with {name} {mine}, but this backbone "
                    f"has {theirs}; load the backbone it was trained on"
                    + (f" ({self.backbone_id})." if self.backbone_id else ".")
                )

    def check_recognizer(self, sha256: str | None) -> None:
        """Raise `UserError` when the conditioning recogniser is not the one of training."""
        if self.recognizer_sha256 and sha256 and self.recognizer_sha256 != sha256:
            raise UserError(
                "The adapter was trained with the conditioning recogniser "
                f"{self.recognizer_sha256[:12]}, but the backbone holds {sha256[:12]}; the vectors "
                "of another recogniser do not fit. Use the backbone folder the adapter was trained "
                "with."
            )
