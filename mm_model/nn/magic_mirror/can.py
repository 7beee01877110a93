"""Modulation predictors of one adapted layer: conditional adaptive normalisation and face
modulation.

Chunk order equals that of diffusers' CogVideoXLayerNormZero, so one addition to each 6d vector of
the base is enough. Both start at zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_model.nn.layers import Linear


class ConditionedAdaNorm(nn.Module):
    """phi_cond: shifts for the base modulation from identity code, time and this layer's mu1_vid.

    u = cat[code, temb, mu1_vid]; m_hat = W2 SiLU(W1 u + b1) + b2 with W2 = b2 = 0 at the start.
    Widths of the hidden layer and of the code are design choices (the paper gives none).
    """

    def __init__(self, code_dim: int, time_dim: int, width: int, hidden: int) -> None:
        super().__init__()
        # The layer's number enters by weights of its own: each adapted layer has its predictor.
        self.fc1 = Linear(code_dim + time_dim + width, hidden)
        # 12: the block has two norms, each a shift, a scale and a gate, for video and for text.
        self.fc2 = Linear(hidden, 12 * width)
        # Zero, as the paper has every new modulation predictor (v1, A.5): at the start the base's
        # modulation is what it was. fc2 has a gradient at once, fc1 from the second step on.
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, code: Tensor, temb: Tensor, mu1_vid: Tensor) -> Tensor:
        """`code [B,c]`, `temb [B,t]`, `mu1_vid [B,d]` -> m_hat `[B,12d]`.

        Order: video mu, sigma, gamma and text mu, sigma, gamma of the first norm, then the same of
        the second one.
        """
        # mu1_vid tells the layer's distribution from others' (paper v1, 3.3: its identifier).
        return self.fc2(F.silu(self.fc1(torch.cat([code, temb, mu1_vid], dim=-1))))


class FaceModulation(nn.Module):
    """phi_face: SiLU, Linear(time -> 6d), zero at the start; two norms' shift, scale, gate."""

    def __init__(self, time_dim: int, width: int) -> None:
        super().__init__()
        # The paper's "two-layer MLP" is made like the base's own predictor (v1, A.5), and that is
        # SiLU and one linear layer: we read it so.
        self.linear = Linear(time_dim, 6 * width)
        # With gates of zero the face tokens leave each layer as they came.
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, temb: Tensor) -> Tensor:
        """`temb [B,t]` -> `[B,6d]`: mu1, sigma1, gamma1, mu2, sigma2, gamma2 of the face stream."""
        return self.linear(F.silu(temb))
