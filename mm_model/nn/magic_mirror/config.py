"""Adapter configuration: every size and switch of the Magic Mirror adapter as data.

It knows nothing about weights, and refuses values that contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mm_model.errors import UserError
from mm_model.nn.injection.config import InjectionConfig

ATTENTION_MODES = ("joint", "gated_joint", "asymmetric")
CA_OUT_PROJ = ("shared", "own")
IDENTITY_FOLDER = "identity_encoder"
IDENTITY_DESCRIPTION = "identity_encoder.json"


def even_layers(num_layers: int) -> tuple[int, ...]:
    """Indices 0, 2, 4, ... below `num_layers`: the layers that carry an adapter (0-based)."""
    # "Even index" (paper v1, 4.1) counted from 0. Counted from 1 it would be 21 of 42 layers too.
    return tuple(range(0, num_layers, 2))


@dataclass(frozen=True, kw_only=True)
class AdapterConfig(InjectionConfig):
    """Sizes and switches of one Magic Mirror adapter, beside what every injection says.

    `can_code` is the width c1 of one projected identity token, `can_hidden` the hidden width of
    CAN. Sizes the paper leaves open are presets (`mm_model.nn.magic_mirror.presets`). Raises
    `UserError` when a value is outside its closed list or the layers are not the even ones.
    """

    NAME: ClassVar[str] = "MagicMirrorAdapter"

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
    # Both numbers are the paper's (v1, A.5).
    face_tokens: int = 32
    id_tokens: int = 2
    face_ff_mult: int = 4
    adapter_layers: tuple[int, ...] = ()
    # The paper's: faces concatenated with text and video. The others begin as the exact base.
    attention_mode: str = "joint"
    ca_out_proj: str = "shared"
    use_can: bool = True
    use_ca: bool = True
    use_face: bool = True
    face_projection: bool = True
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = tuple(self.adapter_layers or ()) or even_layers(self.num_layers)
        object.__setattr__(self, "adapter_layers", layers)
        if layers != even_layers(self.num_layers):
            raise UserError(
                f"adapter_layers is {list(layers)}, but a Magic Mirror adapter sits in the even "
                f"layers {list(even_layers(self.num_layers))}; use an adapter trained with this "
                "project."
            )
        for name, value, allowed in (
            ("attention_mode", self.attention_mode, ATTENTION_MODES),
            ("ca_out_proj", self.ca_out_proj, CA_OUT_PROJ),
        ):
            if value not in allowed:
                raise UserError(f"{name} is {value!r}; choose one of {', '.join(allowed)}.")
        if self.use_ca and not self.use_face:
            raise UserError("use_ca needs use_face: cross-attention reads the face tokens.")
        if not self.face_projection and self.face_dim != self.width:
            raise UserError(
                f"face_projection can be off only where face_dim ({self.face_dim}) is the width of "
                f"the backbone ({self.width})."
            )

    @property
    def head_dim(self) -> int:
        """Width of one attention head of the DiT."""
        return self.width // self.num_heads
