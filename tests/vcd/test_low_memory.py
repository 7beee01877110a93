"""`generate --low-memory`: one network at a time where that saves something, and tiles.

A GPU is played by accelerate's own hooks whose resting place holds no numbers, as in
`tests/nn/test_diffusers_offload.py`: what computes without being brought fails.
"""

import json
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCogVideoX

from mm_model.commands import cli
from mm_model.consisid import clips
from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.generation import memory
from mm_model.nn.cogvideox.backbone import load_vae
from mm_model.vcd.animate import Take, load_animator
from mm_model.vcd.cog_clips import CogAnimator
from mm_model.vcd.cogvideox import CogVideoX
from mm_model.vcd.tokens import IdTokens
from tests.consisid import tiny_consisid
from tests.nn import tiny
from tests.nn.pipes import mirror
from tests.nn.test_diffusers_offload import Away, offload_whole
from tests.vcd import tiny_sd
from tests.vcd.test_generate_subject import line, motion, subject
from tests.vcd.test_learn_subject import said_of, tree, weights

pytestmark = pytest.mark.capability("generate --low-memory", scale="L")

__all__ = ["line", "motion", "subject", "tree", "weights"]  # fixtures

CPU = torch.device("cpu")
TAKE = Take("a woman smiles", 3, frames=9, height=32, width=32, steps=2)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "has_memory_of_its_own", lambda _: True)
    monkeypatch.setattr(accelerate, "cpu_offload_with_hook", offload_whole)
    monkeypatch.setattr(Away, "kept", {})


def networks_at_work(pipe: Any) -> int:
    parts = [one for one in pipe.components.values() if isinstance(one, torch.nn.Module)]
    return sum(any(not weight.is_meta for weight in one.parameters()) for one in parts)


def face() -> Any:
    pixels = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)
    return tiny_consisid.StandInFaces().read(pixels)


def test_one_network_is_there_at_a_time_and_the_clip_is_the_same(
    gpu: None, weights: Path, motion: Path, tmp_path: Path
) -> None:
    tokens = IdTokens("<my-cup>", torch.randn(2, tiny_sd.WIDTH))
    take = Take("a <my-cup> cup", 3, frames=4, height=32, width=32, steps=2)
    checkpoint = tiny_consisid.checkpoint(tmp_path / "consisid")
    seen: list[int] = []

    def animated(spared: bool) -> np.ndarray:
        animator = load_animator(weights, motion, CPU, torch.float32)
        if spared:
            memory.spare(animator.pipe, CPU)
        return animator.clip(take, tokens, lambda *_: seen.append(networks_at_work(animator.pipe)))

    def consistent(spared: bool) -> np.ndarray:
        animator = clips.load_consisid(checkpoint, CPU, torch.float32, spared)
        return animator.clip(TAKE, face(), lambda *_: seen.append(networks_at_work(animator.pipe)))

    def on_backbone(spared: bool) -> np.ndarray:
        networks = tiny.text_encoder(), tiny.vae(), tiny.transformer()
        schedule = mirror().scheduler
        base = CogVideoX(tiny.tokenizer(), *networks, schedule, space="output", size=32)
        animator = CogAnimator(base)
        if spared:
            animator.spare(CPU)
        pipe = animator._pipe
        return animator.clip(TAKE, None, lambda *_: seen.append(networks_at_work(pipe)))

    for make, all_of_them in ((animated, 4), (consistent, 3), (on_backbone, 3)):
        seen.clear()
        plain = make(spared=False)
        assert set(seen) == {all_of_them}
        seen.clear()
        spared = make(spared=True)
        assert np.abs(plain.astype(int) - spared).max() <= 1, make.__name__
        assert set(seen) == {1}, "the network that denoises is there alone"


def test_a_picture_in_tiles_is_nearly_the_plain_one(root: Path) -> None:
    """Tiles are blended where they meet, and norms see a tile alone: not to the bit, but near."""
    vae = load_vae(root / "weights" / "tiny" / "backbone")
    drawn = photograph(person(3), np.random.default_rng(3), 64).image
    pixels = torch.from_numpy(drawn).permute(2, 0, 1)[None, :, None] / 127.5 - 1
    latents = vae.encode(pixels).latent_dist.mode()
    plain = vae.decode(latents).sample
    memory.in_tiles(vae)
    tiled = vae.decode(latents).sample
    assert tiled.shape == plain.shape, "the library's own tiles of so small a VAE do not join"
    levels = 127.5 * (plain - tiled).abs()
    assert 0 < levels.mean() < 4, "of 255, with tiles of 32 pixels"
    with torch.device("meta"):
        large = AutoencoderKLCogVideoX()
    memory.in_tiles(large)
    assert (large.tile_sample_min_height, large.tile_overlap_factor_height) == (240, 1 / 6)


def test_the_record_says_it_and_makes_the_same_again(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    large = [*line, "--size", "64x64"]
    assert cli.main([*large, "-o", "plain.mp4"]) == 0
    assert cli.main([*large, "--low-memory", "-o", "low.mp4"]) == 0, said_of(capsys)
    assert "on a CPU all weights stay in memory" in said_of(capsys)
    said = json.loads(Path("low.json").read_text())
    assert said["values"]["low_memory"] is True
    assert "low_memory" not in json.loads(Path("plain.json").read_text())["values"]
    assert cli.main(["generate", "--again", "low.json"]) == 0, said_of(capsys)
    assert said_of(capsys).splitlines()[-1] == "the same bytes"
    assert cli.main(["generate", "--again", "plain.json", "--low-memory"]) == 1
    assert "leave out --low-memory" in said_of(capsys)
