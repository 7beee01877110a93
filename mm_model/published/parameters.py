"""How many parameters each module has, counted on networks without storage (Table 3 of the paper).

The paper's 10.5 B are DiT, VAE and T5 together; its 12.8 B count everything the method adds. The
learned stand-ins for "no identity" are ours and stand apart. A recogniser is in neither sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import adapter_config
from mm_model.published.sizes import Networks, networks_of
from mm_model.store.atomic import Document

BASE, FROZEN, TRAINED, NULLS = "base", "frozen", "trained", "nulls"
_LAYER = r"layers\.\d+\."
_TRAINED = (
    ("tau_face, the face perceiver", r"face_perceiver\."),
    ("projection of the face tokens", r"face_proj\."),
    ("F_fuse, fusion into the text", r"text_fusion\."),
    ("CAN: projection of the identity", r"can_proj\."),
    ("CAN: phi_cond", _LAYER + r"can\."),
    ("phi_face, modulation of the faces", _LAYER + r"face_mod\."),
    ("norms of the face stream", _LAYER + r"face_norm[12]\."),
    ("cross-attention: W_k, W_v", _LAYER + r"ca\.to_[kv]\."),
    ("cross-attention: norm of the keys", _LAYER + r"ca\.norm_k\."),
    ("cross-attention: own projection", _LAYER + r"ca\.to_out\."),
    ("gates of the face in attention", _LAYER + r"face_gate$"),
)
"""Modules of the adapter in the paper's order, by the names of its file."""


@dataclass(frozen=True)
class CountedModule:
    """A module: its `group` (base, frozen, trained or nulls), its parameters, its layers."""

    name: str
    group: str
    parameters: int
    layers: int = 1


@dataclass(frozen=True)
class ParameterTable:
    """All modules of a backbone with an adapter of `preset`."""

    backbone: str
    preset: str
    modules: tuple[CountedModule, ...]

    def of(self, *groups: str) -> int:
        """Parameters of these groups."""
        return sum(one.parameters for one in self.modules if one.group in groups)

    @property
    def base(self) -> int:
        """The plain backbone."""
        return self.of(BASE)

    @property
    def trained(self) -> int:
        """What is trained, without the learned stand-ins."""
        return self.of(TRAINED)

    @property
    def all(self) -> int:
        """Everything but the learned stand-ins."""
        return self.of(BASE, FROZEN, TRAINED)

    def as_dict(self) -> Document:
        """JSON-ready."""
        modules = [
            {"name": m.name, "group": m.group, "parameters": m.parameters, "layers": m.layers}
            for m in self.modules
        ]
        sums = {"base": self.base, "all": self.all, "trained": self.trained, NULLS: self.of(NULLS)}
        return {"backbone": self.backbone, "preset": self.preset, "modules": modules, "sums": sums}

    def text(self) -> str:
        """As a table, a module a line."""
        lines = [f"{self.backbone} with an adapter of preset {self.preset}", ""]
        for group, title in _TITLES.items():
            shown = [one for one in self.modules if one.group == group and one.parameters]
            lines += [title, *(_line(one) for one in shown), ""]
        lines += [
            _row("base", self.base),
            _row("all", self.all),
            _row("trained", self.trained),
            f"(the learned stand-ins add {self.of(NULLS):,} to all and to trained)",
        ]
        return "\n".join(lines)


_TITLES = {
    BASE: "the backbone, frozen",
    FROZEN: "what looks at the references, frozen",
    TRAINED: "the adapter, trained",
    NULLS: "learned stand-ins for no identity, trained; not in the sums",
}


def _line(one: CountedModule) -> str:
    name = f"{one.name} x {one.layers}" if one.layers > 1 else one.name
    return _row(f"  {name}", one.parameters)


def _row(name: str, parameters: int) -> str:
    return f"{name:<44}{parameters:>16,}   {parameters / 1e9:.3f} B"


def parameters(preset: str, backbone: str | Path) -> ParameterTable:
    """The table of a preset on a published backbone (by name) or on a backbone folder.

    Raises:
        UserError: preset or backbone is none.
    """
    networks = networks_of(backbone)
    config = adapter_config(preset, networks.transformer.config, networks.clip_dim, networks.id_dim)
    frozen = _frozen(networks)
    adapter = MagicMirrorAdapter.create(networks.transformer, config)
    return ParameterTable(networks.name, preset, (*frozen, *_of_adapter(adapter)))


def _frozen(networks: Networks) -> list[CountedModule]:
    parts: dict[str, tuple[str, nn.Module]] = {
        "DiT": (BASE, networks.transformer),
        "VAE": (BASE, networks.vae),
        "T5, the text encoder": (BASE, networks.text_encoder),
        "CLIP": (FROZEN, networks.clip),
        "tau_id, the identity perceiver": (FROZEN, networks.id_perceiver),
    }
    return [
        CountedModule(name, group, sum(p.numel() for p in part.parameters()))
        for name, (group, part) in parts.items()
    ]


def _of_adapter(adapter: MagicMirrorAdapter) -> Iterable[CountedModule]:
    """Every parameter of the adapter under one of the names; none is left out."""
    left = {name: p.numel() for name, p in adapter.named_parameters()}
    for name, pattern in _TRAINED:
        own = [key for key in left if re.match(pattern, key)]
        layers = {key.split(".")[1] for key in own if key.startswith("layers.")}
        counted = sum(left.pop(key) for key in own)
        yield CountedModule(name, TRAINED, counted, max(1, len(layers)))
    nulls = [key for key in left if key.startswith("null_")]
    yield CountedModule("null_face, null_id", NULLS, sum(left.pop(key) for key in nulls))
    if left:
        raise ValueError(f"no name for {sorted(left)[0]} among the modules of the adapter")
