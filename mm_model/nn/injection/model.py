"""`MagicMirrorModel`: transformer and adapter as one module with one forward, for training.

One forward per step lets data-parallel wrappers see every trained tensor. Frozen parts stay frozen,
in eval mode and in their own dtype whatever the caller does; what is trained is float32.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.nn.cogvideox.rotary import rotary_table
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.nn.injection.port import IdentityInjection
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel


class MagicMirrorModel(nn.Module):
    """Noisy latents, text and identity features to v; only the adapter is trained.

    `trained` is a word of `mm_model.nn.injection.config.TRAINED`: `modulation` freezes all of it
    but its modulation predictors. The adapter's configuration, and so its file, says which.

    An adapter whose layers are not in `transformer` is put in. Raises `UserError` at a step when
    another one took their place meanwhile: what is trained is what runs. Raises it at once for
    another word in `trained`, or where there are no predictors to train.
    """

    def __init__(
        self,
        transformer: MagicMirrorTransformer3DModel,
        adapter: IdentityInjection,
        trained: str = "all",
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.adapter = adapter
        if not adapter.is_in(transformer):
            transformer.attach_adapter(adapter)
        transformer.requires_grad_(False)
        adapter.config = replace(adapter.config, trained=trained)
        everything = frozenset(name for name, _ in adapter.named_parameters())
        self._trained = adapter.modulation if trained == "modulation" else everything
        if not self._trained:
            raise UserError(
                "This adapter has no modulation predictors, so trained: modulation would teach "
                "nothing: set trained to all."
            )
        for name, parameter in adapter.float().named_parameters():
            parameter.requires_grad_(name in self._trained)
        self.train()

    def train(self, mode: bool = True) -> MagicMirrorModel:
        """The transformer stays in eval mode (dropout off); the adapter has none."""
        super().train(mode)
        self.transformer.eval()
        return self

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """What training changes, under the names of the adapter file."""
        return {n: p for n, p in self.adapter.named_parameters() if n in self._trained}

    def forward(
        self,
        noisy: Tensor,
        timestep: Tensor,
        text_embeds: Tensor,
        text_mask: Tensor,
        features: IdentityFeatures,
        drop_identity: Tensor | None = None,
    ) -> Tensor:
        """v_hat `[B,T,C,h,w]`.

        `noisy [B,T,C,h,w]`, `timestep [B]`, `text_embeds [B,L,text]` (T5 output of the expanded
        ids), `text_mask [B,L]` identity positions, `features` of R references, `drop_identity [B]`
        rows that get the learned nulls. Rows with dropped text carry an all-False mask.
        """
        self.adapter.require_in(self.transformer)
        condition = self.adapter.encode_identity(features)
        if drop_identity is not None:
            condition = self.adapter.drop(condition, drop_identity)
        text = self.adapter.fuse_text(text_embeds, text_mask, condition)
        frames, height, width = noisy.shape[1], noisy.shape[3], noisy.shape[4]
        rotary = rotary_table(self.transformer.config, frames, height, width, noisy.device)
        return self.transformer(
            noisy,
            text,
            timestep,
            image_rotary_emb=rotary,
            return_dict=False,
            **condition.transformer_inputs(),
        )[0]


def disable_gradients(*modules: nn.Module) -> None:
    """Freeze modules: no gradients, eval mode."""
    for module in modules:
        module.requires_grad_(False).eval()
