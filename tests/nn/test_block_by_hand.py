"""One adapted block against its formula, written out by hand: three streams, all weights moved."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.nn import tiny

FACES = 4


def _stream(norm: torch.nn.Module, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """LN(x) (1 + sigma) + mu."""
    flat = F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps)
    return flat * (1 + scale[:, None]) + shift[:, None]


def _heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (4, 16)).transpose(1, 2)


def _attention(block, face: Tensor, text: Tensor, video: Tensor) -> list[Tensor]:
    """x_out = T_SA(W_qkv x_full) + T_CA(W_q x_full, W_kv x_face), by stream."""
    attn, own = block.attn1, block.adapter.ca
    x = torch.cat([face, text, video], dim=1)
    query, key = attn.norm_q(_heads(attn.to_q(x))), attn.norm_k(_heads(attn.to_k(x)))
    faces, values = own.norm_k(_heads(own.to_k(face))), _heads(own.to_v(face))
    joint = torch.softmax(query @ key.mT / 4, -1) @ _heads(attn.to_v(x))
    cross = torch.softmax(query @ faces.mT / 4, -1) @ values
    out = attn.to_out[0]((joint + cross).transpose(1, 2).flatten(2))
    return list(out.split([face.shape[1], text.shape[1], video.shape[1]], dim=1))


def _by_hand(block, face: Tensor, text: Tensor, video: Tensor, temb: Tensor, code: Tensor):
    """mu1, sigma1, gamma1 and then the second norm's, of each stream (equations 5 to 7)."""
    adapter, active = block.adapter, F.silu(temb)
    first, second = block.norm1.linear(active), block.norm2.linear(active)
    given = torch.cat([code, temb, first.chunk(6, dim=1)[0]], dim=1)
    shifts = adapter.can.fc2(F.silu(adapter.can.fc1(given))).chunk(2, dim=1)
    faces = adapter.face_mod.linear(active).chunk(2, dim=1)
    face_norms = (adapter.face_norm1, adapter.face_norm2)
    streams = [face, text, video]
    for half, (base, norm) in enumerate(((first, block.norm1.norm), (second, block.norm2.norm))):
        both = (base + shifts[half]).chunk(6, dim=1)
        told = [faces[half].chunk(3, dim=1), both[3:], both[:3]]
        norms = [face_norms[half], norm, norm]
        inner = [
            _stream(n, x, mu, sigma)
            for n, x, (mu, sigma, _) in zip(norms, streams, told, strict=True)
        ]
        out = _attention(block, *inner) if half == 0 else [block.ff(x) for x in inner]
        streams = [x + t[2][:, None] * o for x, t, o in zip(streams, told, out, strict=True)]
    return streams


@pytest.mark.capability("face stream", scale="T")
@pytest.mark.capability("CAN", scale="T")
def test_an_adapted_block_equals_its_formula():
    model, adapter = tiny.with_adapter()
    block = model.transformer_blocks[2]
    tiny.shake(adapter)
    with torch.no_grad():
        for norm in (block.norm1.norm, block.norm2.norm):
            norm.weight.mul_(1.3), norm.bias.add_(0.1)
    g = torch.Generator().manual_seed(3)
    face, text, video = (torch.randn(2, n, 64, generator=g) for n in (FACES, 6, 12))
    temb, code = torch.randn(2, 32, generator=g), torch.randn(2, 32, generator=g)
    with torch.no_grad():
        found_video, encoder = block(
            video, torch.cat([face, text], dim=1), temb, None, None, FACES, code
        )
        known = _by_hand(block, face, text, video, temb, code)
    for found, right in zip(
        (encoder[:, :FACES], encoder[:, FACES:], found_video), known, strict=True
    ):
        assert torch.allclose(found, right, atol=1e-4)
