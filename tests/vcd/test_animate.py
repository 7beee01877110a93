"""Clips by a motion module: of a subject, of nobody, and with correlated noise."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mm_model.errors import UserError
from mm_model.vcd.animate import Animator, Take, load_animator
from mm_model.vcd.stable_diffusion import load_checkpoint
from mm_model.vcd.tokens import IdTokens
from tests.vcd import tiny_sd

pytestmark = pytest.mark.capability("clips of a subject", scale="L")

TAKE = Take("a photo of a <rex> man smiling", 3, frames=6, height=32, width=32, steps=2)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("sd")
    return tiny_sd.checkpoint(place / "checkpoint"), tiny_sd.motion(place / "motion")


@pytest.fixture(scope="module")
def animator(places: tuple[Path, Path]) -> Animator:
    return load_animator(*places, torch.device("cpu"), torch.float32)


def rex(seed: int = 1) -> IdTokens:
    return IdTokens("<rex>", torch.randn(3, tiny_sd.WIDTH, generator=_generator(seed)))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_clip_shows_the_subject_that_its_tokens_are(animator: Animator) -> None:
    one, again = (animator.clip(TAKE, rex()) for _ in range(2))
    assert one.shape == (6, 32, 32, 3) and one.dtype == np.uint8
    assert np.array_equal(one, again)
    assert not np.array_equal(one, animator.clip(TAKE, rex(2)))
    assert not np.array_equal(one, animator.clip(replace(TAKE, seed=4), rex()))


def test_without_a_subject_it_is_the_library_s_own_clip(
    animator: Animator, places: tuple[Path, Path]
) -> None:
    from diffusers import AnimateDiffPipeline, MotionAdapter

    take = replace(TAKE, prompt="a man smiling")
    motion = MotionAdapter.from_pretrained(places[1])
    stock = AnimateDiffPipeline.from_pretrained(places[0], motion_adapter=motion)
    stock.scheduler = animator._pipe.scheduler
    theirs = stock(
        take.prompt,
        num_frames=6,
        height=32,
        width=32,
        num_inference_steps=2,
        guidance_scale=take.guidance,
        negative_prompt="",
        generator=_generator(take.seed),
        output_type="np",
    ).frames[0]
    assert np.array_equal(animator.clip(take), (theirs * 255).round().astype(np.uint8))


def test_correlated_noise_moves_less(animator: Animator) -> None:
    def motion(gamma: float) -> float:
        clip = animator.clip(replace(TAKE, gamma=gamma), rex()).astype(float)
        return float(np.abs(np.diff(clip, axis=0)).mean())

    still, some, free = motion(1.0), motion(0.7), motion(0.0)
    assert still < some < free


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": 17}, "1 to 16"),
        ({"frames": 0}, "1 to 16"),
        ({"height": 33}, "multiples of"),
        ({"gamma": 1.5}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_made_is_refused(animator: Animator, changes: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        animator.clip(replace(TAKE, **changes), rex())


def test_a_motion_module_of_another_unet_is_refused(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    from diffusers import MotionAdapter

    MotionAdapter(
        block_out_channels=(32, 64),
        motion_layers_per_block=1,
        motion_mid_block_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=8,
    ).save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match="does not fit"):
        load_animator(places[0], tmp_path / "other", torch.device("cpu"), torch.float32)
    with pytest.raises(UserError, match="is not there"):
        load_animator(places[0], tmp_path / "none", torch.device("cpu"), torch.float32)


def test_the_older_names_in_the_published_vae_are_read(places: tuple[Path, Path]) -> None:
    """Stable Diffusion 1.5's autoencoder is older than today's names of its attention."""
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    folder = Path(shutil.copytree(places[0], places[0].with_name("older")))
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    now = load_file(path)
    named = {}
    for name, tensor in now.items():
        for new, old in older.items():
            name = name.replace(f"attentions.0.{new}", f"attentions.0.{old}")
        named[name] = tensor
    assert named.keys() != now.keys()
    save_file(named, path, metadata={"format": "pt"})
    read = load_checkpoint(folder, torch.device("cpu"), torch.float32).vae.state_dict()
    assert all(torch.equal(read[name], tensor) for name, tensor in now.items())
