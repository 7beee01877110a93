"""Positions of a latent grid: the region that it covers of the base's own grid."""

import pytest
import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed

from mm_model.nn.cogvideox.rotary import rotary_table

Pair = tuple[int, int]
GRIDS = [
    (30, 45),
    (45, 30),
    (4, 4),
    (1, 1),
    (1, 50),
    (50, 1),
    (17, 23),
    (29, 31),
    (60, 90),
    (7, 10),
]


def by_hand(grid: Pair, base: Pair) -> tuple[Pair, Pair]:
    """Region of the base grid (height, width) that a grid of another aspect covers, centred."""
    (height, width), (base_height, base_width) = grid, base
    if height / width > base_height / base_width:
        new = (base_height, round(base_height / height * width))
    else:
        new = (round(base_width / width * height), base_width)
    top, left = round((base_height - new[0]) / 2.0), round((base_width - new[1]) / 2.0)
    return (top, left), (top + new[0], left + new[1])


@pytest.mark.parametrize("base", [(30, 45), (4, 5), (8, 8), (17, 10)])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_grid_of_any_aspect_lies_centred_in_the_base_s(grid: Pair, base: Pair) -> None:
    config = {
        "use_rotary_positional_embeddings": True,
        "patch_size": 2,
        "patch_size_t": None,
        "sample_height": 2 * base[0],
        "sample_width": 2 * base[1],
        "attention_head_dim": 64,
    }
    found = rotary_table(config, 3, 2 * grid[0], 2 * grid[1])
    expected = get_3d_rotary_pos_embed(64, by_hand(grid, base), grid, temporal_size=3)
    assert found is not None
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
