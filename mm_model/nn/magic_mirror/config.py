"""Adapter configuration: every size and switch of the Magic Mirror adapter as data.

It knows nothing about weights. It refuses values that contradict each other, and compares itself
with a backbone so that an adapter never runs on a backbone it was not made for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mm_model.errors import UserError

ATTENTION_MODES = ("joint", "gated_joint", "asymmetric")
CA_OUT_PROJ = ("shared", "own")
IDENTITY_FOLDER = "identity_encoder"
IDENTITY_DESCRIPTION = "identity_encoder.json"
ADAPTER_CLASS = "MagicMirrorAdapter"
ADAPTER_VERSION = 1
UNRECORDED_MARGIN = 1.6
"""`reference_margin` of an adapter that does not record one: the value of every profile that an
adapter was trained with before the field was there."""


def even_layers(num_layers: int) -> tuple[int, ...]:
    """Indices 0, 2, 4, ... below `num_layers`: the layers that carry an adapter (0-based)."""
    return tuple(range(0, num_layers, 2))


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


@dataclass(frozen=True)
class AdapterConfig:
    """Sizes, switches and provenance of one adapter.

    `width` is the DiT width d, `can_code` the width c1 of one projected identity token,
    `can_hidden` the hidden width of CAN. Sizes the paper leaves open are presets
    (`mm_model.nn.magic_mirror.presets`). `reference_margin` is the side of the portrait that the
    adapter was trained on, in face heights; None shows the whole picture. Raises `UserError` when a
    value is outside its closed list or the layers are not the even ones.
    """

    preset: str
    family: str
    num_layers: int
    width: int
    num_heads: int
    time_dim: int
    text_dim: int
    clip_dim: int
    id_dim: int
    face_dim: int
    face_depth: int
    face_heads: int
    face_head_dim: int
    can_code: int
    can_hidden: int
    face_tokens: int = 32
    id_tokens: int = 2
    face_ff_mult: int = 4
    adapter_layers: tuple[int, ...] = ()
    attention_mode: str = "joint"
    ca_out_proj: str = "shared"
    use_can: bool = True
    use_ca: bool = True
    use_face: bool = True
    face_projection: bool = True
    norm_eps: float = 1e-5
    trigger: str = "img"
    reference_margin: float | None = None
    backbone_id: str | None = None
    recognizer_sha256: str | None = None
    id_perceiver_sha256: str | None = None
    stage: str | None = None
    step: int | None = None

    def __post_init__(self) -> None:
        layers = tuple(self.adapter_layers) or even_layers(self.num_layers)
        object.__setattr__(self, "adapter_layers", layers)
        if layers != even_layers(self.num_layers):
            raise UserError(
                f"adapter_layers is {list(layers)}, but a Magic Mirror adapter sits in the even "
                "layers "
                f"{list(even_layers(self.num_layers))}; use an adapter trained with this project."
            )
        for name, value, allowed in (
            ("attention_mode", self.attention_mode, ATTENTION_MODES),
            ("ca_out_proj", self.ca_out_proj, CA_OUT_PROJ),
        ):
            if value not in allowed:
                raise UserError(f"{name} is {value!r}; choose one of {', '.join(allowed)}.")
        margin = self.reference_margin
        if margin is not None and not (isinstance(margin, int | float) and 1 <= margin <= 16):
            raise UserError(
                f"reference_margin is {margin!r}; it is a side in face heights, from 1 to 16, or "
                "null for the whole picture."
            )
        if self.use_ca and not self.use_face:
            raise UserError("use_ca needs use_face: cross-attention reads the face tokens.")
        if not self.face_projection and self.face_dim != self.width:
            raise UserError(
                f"face_projection can be off only where face_dim ({self.face_dim}) is the width of "
                "the "
                f"backbone ({self.width})."
            )

    @property
    def head_dim(self) -> int:
        """Width of one attention head of the DiT."""
        return self.width // self.num_heads

    def to_dict(self) -> dict[str, object]:
        """JSON-ready form, with class name and version first."""
        data = asdict(self)
        data["adapter_layers"] = list(self.adapter_layers)
        return {"class": ADAPTER_CLASS, "version": ADAPTER_VERSION, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AdapterConfig:
        """Inverse of `to_dict`. Raises `UserError` on another class, version or unknown field.

        Without `reference_margin` it is `UNRECORDED_MARGIN`; null is the whole picture.
        """
        data = {"reference_margin": UNRECORDED_MARGIN, **data}
        kind, version = data.pop("class", None), data.pop("version", None)
        if kind != ADAPTER_CLASS or version != ADAPTER_VERSION:
            raise UserError(
                f"This adapter configuration is of class {kind!r}, version {version!r}; this "
                "program "
                f"reads {ADAPTER_CLASS!r} version {ADAPTER_VERSION}."
            )
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(data) - known)
        missing = sorted({"family", "width", "num_layers"} - set(data))
        if unknown or missing:
            raise UserError(
                f"The adapter configuration has unknown fields {unknown} or lacks {missing}; it "
                "was "
                "written by another version of this program."
            )
        data["adapter_layers"] = tuple(data.get("adapter_layers") or ())
        return cls(**data)

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
                    "has "
                    f"{theirs}; load the backbone it was trained on"
                    + (f" ({self.backbone_id})." if self.backbone_id else ".")
                )

    def check_recognizer(self, sha256: str | None) -> None:
        """Raise `UserError` when the conditioning recogniser is not the one of training."""
        if self.recognizer_sha256 and sha256 and self.recognizer_sha256 != sha256:
            raise UserError(
                "The adapter was trained with the conditioning recogniser "
                f"{self.recognizer_sha256[:12]}, but the backbone holds {sha256[:12]}; the vectors "
                "of "
                "another recogniser do not fit. Use the backbone folder the adapter was trained "
                "with."
            )
