"""The VAE in two dimensions gives what diffusers' own gives, for pictures and for nine frames."""

import pytest
import torch

from mm_model.errors import UserError
from mm_model.nn.cogvideox import folded_vae
from tests.nn import tiny

pytestmark = pytest.mark.capability("folded VAE", scale="T")


@pytest.mark.parametrize("frames", [1, 9])
def test_encoding_equals_the_library(frames: int) -> None:
    vae, g = tiny.vae(), torch.Generator().manual_seed(0)
    video = torch.rand(2, 3, frames, 32, 32, generator=g) * 2 - 1
    with torch.no_grad():
        ours = folded_vae.encode_moments(vae, video)
        theirs = vae.encode(video).latent_dist.parameters
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 3])
def test_decoding_equals_the_library(frames: int) -> None:
    vae, g = tiny.vae(), torch.Generator().manual_seed(0)
    latents = torch.randn(2, 8, frames, 4, 4, generator=g)
    with torch.no_grad():
        ours, theirs = folded_vae.decode(vae, latents), vae.decode(latents).sample
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_other_frame_counts_are_refused() -> None:
    with pytest.raises(UserError, match="1 or 9 frames, not 5"):
        folded_vae.encode_moments(tiny.vae(), torch.zeros(1, 3, 5, 32, 32))
