"""`MagicMirrorModel`: transformer and adapter as one module with one forward, for training.

One forward per step lets data-parallel wrappers see every trained tensor. Frozen parts stay frozen,
in eval mode and in their own dtype whatever the caller does; what is trained is float32.
"""

from __future__ import annotations

from torch import Tensor, nn

from mm_model.nn.cogvideox.rotary import rotary_table
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.nn.injection.port import IdentityInjection
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel


class MagicMirrorModel(nn.Module):
    """Noisy latents, text and identity features to v; only the adapter is trained.

    An adapter whose layers are not in `transformer` is put in. Raises `UserError` at a step when
    another one took their place meanwhile: what is trained is what runs.
    """

    def __init__(
        self, transformer: MagicMirrorTransformer3DModel, adapter: IdentityInjection
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.adapter = adapter
        if not adapter.is_in(transformer):
            transformer.attach_adapter(adapter)
        transformer.requires_grad_(False)
        adapter.float().requires_grad_(True)
        self.train()

    def train(self, mode: bool = True) -> MagicMirrorModel:
        """The transformer stays in eval mode (dropout off); the adapter has none."""
        super().train(mode)
        self.transformer.eval()
        return self

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """What training changes, under the names of the adapter file."""
        return dict(self.adapter.named_parameters())

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
