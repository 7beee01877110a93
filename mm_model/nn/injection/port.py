"""The port of an identity into a frozen transformer, and what every way in shares.

A way in is a trained module. It turns what the frozen encoders say about the references into a
condition, may write into the text that the transformer reads, and may put a module into some of
the transformer's blocks. Training, generation and files know no more of it than stands here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, TypedDict, Unpack

import torch
from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.nn.initialise import materialise
from mm_model.nn.injection import files
from mm_model.nn.injection.condition import IdentityCondition, IdentityFeatures
from mm_model.nn.injection.config import InjectionConfig

if TYPE_CHECKING:
    from mm_model.nn.identity.encoder import IdentityEncoder
    from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel


class Provenance(TypedDict, total=False):
    """Fields of a configuration that say where its weights come from."""

    backbone_id: str | None
    recognizer_sha256: str | None
    id_perceiver_sha256: str | None
    stage: str | None
    step: int | None


class Wanted(TypedDict):
    """What a profile's section `model` and its backbone say of a fresh adapter."""

    preset: str
    attention: str
    ca_out_proj: str
    face_perceiver: str
    reference_margin: float | None
    backbone_id: str | None


class IdentityInjection(nn.Module, ABC):
    """A way in. Its state dict is the adapter's file, its parameters are what is trained.

    A subclass names its configuration (`CONFIG`) and its `PRESETS`; it writes `build`, `fresh`,
    `encode_identity` and `null_condition`, `new_layers` where it puts modules into blocks, and
    `fuse_text` where it writes into the text. Base weights are never part of it. A transformer
    carries one at a time: `require_in` refuses one that another has replaced.
    """

    CONFIG: ClassVar[type[InjectionConfig]]
    PRESETS: ClassVar[tuple[str, ...]]
    """Names of its sizes, as a profile's `model.preset` gives them; no other way in has them."""

    config: InjectionConfig
    layers: nn.ModuleDict
    """Its modules in the transformer's blocks, by the number of the block."""

    def __init__(self, config: InjectionConfig) -> None:
        super().__init__()
        self.config = config
        self.build()
        self.layers = nn.ModuleDict()  # last among the parts, in files too

    @abstractmethod
    def build(self) -> None:
        """Make the parts outside the blocks, as `config` says, weights not yet drawn."""

    @classmethod
    @abstractmethod
    def fresh(
        cls,
        transformer: MagicMirrorTransformer3DModel,
        encoder: IdentityEncoder,
        wanted: Wanted,
        *,
        seed: int = 0,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """Made anew for a backbone and its identity encoder, and put into `transformer`.

        Equal seeds give equal weights. `dtype` is that of the weights; the backbone's when None.

        Raises:
            UserError: what is wanted does not fit the backbone.
        """

    @abstractmethod
    def encode_identity(self, features: IdentityFeatures) -> IdentityCondition:
        """The trained, differentiable part of the encoding of R references a row.

        `x_face [B,F,c]` has as many tokens F for one reference as for several: rows of different
        people, and the null condition, share a batch.
        """

    @abstractmethod
    def null_condition(
        self, batch: int, references: int = 1, dtype: torch.dtype | None = None
    ) -> IdentityCondition:
        """No identity, in the same shapes: what guidance subtracts and what dropping puts in."""

    def new_layers(self) -> dict[int, nn.Module]:
        """Modules for the blocks by number, weights not yet drawn; none unless said otherwise."""
        return {}

    def fuse_text(
        self,
        text_embeds: Tensor,
        text_mask: Tensor,
        condition: IdentityCondition,
        scale: float = 1.0,
    ) -> Tensor:
        """The identity at `text_mask [B,L]` of `text_embeds [B,L,text]`; as it is by default."""
        return text_embeds

    def drop(self, condition: IdentityCondition, dropped: Tensor) -> IdentityCondition:
        """Replace rows with `dropped [B]` by the null ones and switch their text fusion off."""
        batch, references = condition.x_id.shape[:2]
        null = self.null_condition(batch, references, condition.x_id.dtype)
        dropped = dropped.to(condition.mask.device)

        def pick(ours: Tensor | None, theirs: Tensor | None) -> Tensor | None:
            if ours is None or theirs is None:
                return None
            return torch.where(dropped.view(-1, *[1] * (ours.dim() - 1)), theirs, ours)

        return replace(
            condition,
            x_face=pick(condition.x_face, null.x_face),
            id_code=pick(condition.id_code, null.id_code),
            fused=condition.fused & ~dropped,
        )

    @property
    def modulation(self) -> frozenset[str]:
        """Names of the tensors of its modulation predictors; it has none unless said otherwise."""
        return frozenset()

    @property
    def unread(self) -> frozenset[str]:
        """Trained tensors that nothing can read, so that no gradient there is no fault."""
        return frozenset()

    def project(self) -> None:
        """After each update: put weights back that left their bounds; nothing by default."""

    @property
    def device(self) -> torch.device:
        """Device of the parts outside the blocks."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the parts outside the blocks."""
        return next(self.parameters()).dtype

    @classmethod
    def put_into(
        cls,
        transformer: MagicMirrorTransformer3DModel,
        config: InjectionConfig,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """With weights not yet drawn, in `transformer`; without storage where that has none.

        Raises:
            UserError: the configuration belongs to another backbone, or hooks are in the way.
        """
        config.check_backbone(transformer.config)
        transformer.check_places()
        like = transformer.proj_out.weight
        with torch.device("meta"):
            adapter = cls(config)
            layers = adapter.new_layers()
        if not like.is_meta:
            dtype = dtype or transformer.dtype
            layers = {n: materialise(layer, like.device, dtype) for n, layer in layers.items()}
            adapter = materialise(adapter, like.device, dtype)
        transformer.attach_layers(layers)
        adapter.layers = _numbered(layers)
        return adapter

    def is_in(self, transformer: nn.Module) -> bool:
        """Whether these very modules sit in the blocks of `transformer`, and no others.

        A way in without modules is in every transformer that holds none.
        """
        blocks = getattr(transformer, "transformer_blocks", ())
        held = {str(n): layer for n, b in enumerate(blocks) if (layer := _layer(b)) is not None}
        return held.keys() == set(self.layers) and all(
            held[number] is layer for number, layer in self.layers.items()
        )

    def require_in(self, transformer: nn.Module) -> None:
        """Raise `UserError` unless `is_in`: its layers would neither be used nor trained."""
        if not self.is_in(transformer):
            raise UserError(
                "The adapter's layers are not in this transformer: another adapter took their "
                "place, or they were taken out; put them in again with "
                "transformer.attach_adapter(adapter)."
            )

    def save_pretrained(
        self,
        folder: str | Path,
        state: dict[str, Tensor] | None = None,
        **provenance: Unpack[Provenance],
    ) -> Path:
        """Write the adapter folder (config and safetensors); returns it. Never writes base weights.

        `state` is its state dict from elsewhere, where its own tensors are sharded. Tensors are
        written in their own dtype (float32 where they were trained), which the
        configuration states; loading casts them to what the reader asks for. `provenance` updates
        fields of the configuration, for instance `stage` and `step`. Raises `UserError` when
        sequential offloading holds the weights.
        """
        if any(parameter.is_meta for parameter in self.parameters()):
            raise UserError(
                "The adapter's weights are offloaded, so there is nothing to write; call "
                "remove_all_hooks() of the pipeline first."
            )
        self.config = replace(self.config, **provenance)
        return files.write_adapter(folder, self.config, state or self.state_dict())

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        transformer: MagicMirrorTransformer3DModel,
        recognizer_sha256: str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """Read an adapter folder and put it into `transformer`, in `dtype` (None: the backbone's).

        Raises `UserError` when files are missing or damaged (digest), when it is of another class,
        when layers, width, base family or the conditioning recogniser differ, or when tensors do
        not fit the configuration.
        """
        said, digest = files.read_description(folder)
        config = cls.CONFIG.from_dict(said)
        state = files.load_tensors(Path(folder) / files.WEIGHTS_NAME, digest)
        config.check_backbone(transformer.config)
        config.check_recognizer(recognizer_sha256)
        with torch.device("meta"):
            blank = cls(config)
            blank.layers = _numbered(blank.new_layers())
        expected = blank.state_dict()
        wrong = sorted(
            key
            for key in expected.keys() | state.keys()
            if key not in state or key not in expected or state[key].shape != expected[key].shape
        )
        if wrong:
            raise UserError(
                f"The adapter in {folder} has {len(wrong)} tensors that are missing, unknown or of "
                f"another size (first: {wrong[0]}); it is damaged or from another version."
            )
        adapter = cls.put_into(transformer, config, dtype)
        adapter.load_state_dict(state)
        return adapter.eval()


def _numbered(layers: Mapping[int, nn.Module]) -> nn.ModuleDict:
    return nn.ModuleDict({str(number): layer for number, layer in layers.items()})


def _layer(block: nn.Module) -> nn.Module | None:
    return getattr(block, "adapter", None)
