"""Refining by a CogVideoX backbone: the library's own steps, and what it leaves alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mm_model.commands import cli
from mm_model.diffusion.schedule import build_scheduler
from mm_model.embedded.people.clips import clip as drawn_clip
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import ShotSetup
from mm_model.errors import UserError
from mm_model.media.decode import read_frames
from mm_model.media.encode import write_mp4
from mm_model.refine import boxes, cog, tiled
from mm_model.refine.plan import RefinePlan, refined
from mm_model.refine.port import redrawn
from mm_model.vcd.animate import Take
from mm_model.vcd.cog_clips import CogAnimator
from mm_model.vcd.cogvideox import load_cogvideox
from mm_model.vcd.tokens import IdTokens
from tests.refine.drawn import find, noise, with_faces
from tests.refine.test_animated import said_of, tree
from tests.vcd import tiny_sd

pytestmark = pytest.mark.capability("refined clips", scale="T")

__all__ = ["tree"]  # a fixture: a root with a small profile

ASKED = Take("a <rex> man smiles", 3, steps=5, guidance=2.0)


@pytest.fixture(scope="module")
def animator(tiny_backbone: Path) -> CogAnimator:
    base = load_cogvideox(
        tiny_backbone, torch.device("cpu"), torch.float32, space="output", size=64
    )
    return CogAnimator(base)


def rex(seed: int = 1) -> IdTokens:
    return IdTokens("<rex>", torch.randn(3, 96, generator=torch.Generator().manual_seed(seed)))


def redrawer(animator: CogAnimator, asked: Take = ASKED, seed: int = 1) -> cog.CogRedrawer:
    return cog.CogRedrawer(animator.pipe, asked, cog.of_tokens(animator.base, asked, rex(seed)))


@pytest.mark.parametrize("solver", ["ddim", "dpm"])
def test_a_redrawn_clip_is_the_library_s_own_video_to_video(
    animator: CogAnimator, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import CogVideoXVideoToVideoPipeline

    pipe, base = animator.pipe, animator.base
    monkeypatch.setattr(pipe, "scheduler", build_scheduler(solver))
    parts = {"tokenizer": base.tokenizer, "text_encoder": base.text_encoder, "vae": base.vae}
    stock = CogVideoXVideoToVideoPipeline(
        **parts, transformer=pipe.transformer, scheduler=pipe.scheduler
    )
    stock.set_progress_bar_config(disable=True)
    ours, frames = redrawer(animator), noise(9, 64, 64)
    began = ours.noised(ours.encode(frames), ours.times(0.6)[0])
    drawn = torch.Generator().manual_seed(ASKED.seed)
    torch.randn(began.shape, generator=drawn)  # the noise that began was made with
    theirs = stock(
        prompt_embeds=base.words([ASKED.prompt], rex()),
        negative_prompt_embeds=base.words([""]),
        latents=began,
        height=64,
        width=64,
        num_inference_steps=ASKED.steps,
        strength=0.6,
        guidance_scale=ASKED.guidance,
        generator=drawn,
        output_type="latent",
    ).frames
    assert torch.equal(redrawn(ours, frames, 0.6, lambda x, t: ours.predict(x, t, True)), theirs)


def test_strength_zero_and_a_clip_of_nobody_stay_as_they_are(animator: CogAnimator) -> None:
    clip, nobody = with_faces(noise(9, 70, 70), [(30, 30)] * 9), noise(9, 70, 70)
    still = refined(clip, RefinePlan(strength=0.0), redrawer(animator), find)
    assert np.array_equal(still.frames, clip)
    made = refined(nobody, RefinePlan(("face",)), redrawer(animator), find)
    assert made.frames is nobody and "no face" in made.notes[0]


def test_a_clip_of_another_length_is_redrawn_longer_and_cut_again(animator: CogAnimator) -> None:
    """Outside the crop no pixel changes, inside of it they do, by the strength of this model."""
    clip = with_faces(noise(5, 90, 100), [(40, 40)] * 5)
    made = refined(clip, RefinePlan(("face",)), redrawer(animator), find)
    path = boxes.crop_of(boxes.tracked(clip, find), (90, 100), (64, 64))  # type: ignore[arg-type]
    inside = np.zeros(clip.shape[:3], bool)
    for k, (top, left) in enumerate(path.corners):
        inside[k, top : top + path.height, left : left + path.width] = True
    assert made.frames.shape == clip.shape
    assert np.array_equal(made.frames[~inside], clip[~inside])
    assert np.abs(made.frames[inside].astype(int) - clip[inside]).mean() > 1
    assert "5 frames were redrawn as 9: the last one was repeated" in made.notes[-1]
    stated = refined(clip, RefinePlan(("face",), 0.6), redrawer(animator), find)
    assert np.array_equal(made.frames, stated.frames)
    longer = np.concatenate([clip, *[clip[-1:]] * 4])
    whole = refined(longer, RefinePlan(("face",)), redrawer(animator), find)
    assert len(whole.notes) == 1, "nine frames are as many as it makes"


def test_a_picture_stays_one_frame_and_too_many_are_refused(animator: CogAnimator) -> None:
    made = refined(noise(1, 20, 30), RefinePlan(("tiled",), 0.4), redrawer(animator), find)
    assert made.frames.shape == (1, 40, 60, 3) and len(made.notes) == 1
    with pytest.raises(UserError, match="17 frames and this backbone redraws 1 to 9: cut the clip"):
        refined(noise(17, 64, 64), RefinePlan(("tiled",)), redrawer(animator), find)


def test_windows_are_whole_patches_and_their_order_changes_nothing(animator: CogAnimator) -> None:
    ours = redrawer(animator)
    assert (ours.size, ours.factor, ours.unit) == ((64, 64), 8, 16)
    (time,) = ours.times(0.2)
    latents = torch.randn(1, 1, 16, 10, 12, generator=torch.Generator().manual_seed(2))
    windows = tiled.windows_of((10, 12), (8, 8))
    said = {w: ours.predict(w.cut(latents), time, True) for w in windows}
    assert {tuple(one.shape[-2:]) for one in said.values()} == {(8, 8)} and len(windows) == 4
    one = tiled.fused(latents, windows, said.__getitem__)
    assert torch.equal(one, tiled.fused(latents, windows[::-1], said.__getitem__))


def test_the_subject_is_heard_in_its_place_alone(animator: CogAnimator) -> None:
    one, other = (redrawer(animator, seed=seed) for seed in (1, 2))
    latents = one.encode(noise(1, 64, 64))
    said = []
    for subject in (True, False):
        said.append([r.predict(latents, r.times(0.4)[0], subject) for r in (one, other)])
    assert not torch.equal(*said[0]) and torch.equal(*said[1])


def test_a_tiled_clip_hears_the_subject_at_the_face_alone(animator: CogAnimator) -> None:
    """The VAE's norms see the whole picture, so that a grey level may pass to the far end."""
    clip = with_faces(noise(1, 64, 128), [(4, 4)])
    plan = RefinePlan(("tiled",), 0.2)
    one, other = (
        refined(clip, plan, redrawer(animator, seed=seed), find).frames for seed in (1, 2)
    )
    assert one.shape == (1, 128, 256, 3)
    apart = np.abs(one.astype(int) - other).max(axis=(0, 1, 3))
    assert apart[:40].max() > 10 and apart[-40:].max() <= 2


def test_gamma_makes_the_noise_of_latent_frames_alike(animator: CogAnimator) -> None:
    zero, half = (
        redrawer(animator, Take(ASKED.prompt, 3, steps=5, guidance=2.0, gamma=gamma))
        for gamma in (0.0, 0.5)
    )
    latents = zero.encode(noise(9, 64, 64))
    began = [r.noised(latents, r.times(0.6)[0]) for r in (zero, half)]
    assert torch.equal(began[0][:, 0], began[1][:, 0])
    assert not torch.equal(began[0][:, 1], began[1][:, 1])


def test_a_clip_is_refined_by_the_backbone_of_the_tree(
    tiny_backbone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    rng, backbone = np.random.default_rng(1), Path("weights/tiny/backbone")
    made = drawn_clip(person(18), "smiles", ShotSetup(), num_frames=5, size=112, rng=rng)
    write_mp4(Path("her.mp4"), made.frames, 8)
    tiny_sd.subject(tmp_path / "rex", backbone, rex(), "man", kind="animal", on_backbone=True)
    line = ["refine", "her.mp4", "--prompt", "a man smiles", "--strength", "0.1"]
    assert cli.main([*line, "--subject", "rex", "-o", "out.mp4"]) == 0, said_of(capsys)
    told = said_of(capsys)
    assert "found in 5 of 5 frames" in told and "5 frames were redrawn as 9" in told
    new, old = read_frames(Path("out.mp4")), read_frames(Path("her.mp4"))
    assert new.shape == old.shape and np.abs(new.astype(int) - old).max() > 30
    assert cli.main([*line, "-o", "plain.mp4"]) == 0, said_of(capsys)
    assert Path("plain.mp4").read_bytes() != Path("out.mp4").read_bytes()
    assert cli.main([*line, "--weights", "nowhere", "-o", "no.mp4"]) == 1
    assert "nowhere is not there" in said_of(capsys)
    assert cli.main([*line, "--subject", "rex", "--motion", "m", "-o", "no.mp4"]) == 1
    assert "rex was learned on a CogVideoX backbone, which moves by itself" in said_of(capsys)
    write_mp4(Path("long.mp4"), np.full((17, 64, 64, 3), 90, np.uint8), 8)
    line[1] = "long.mp4"
    assert cli.main([*line, "--steps", "tiled", "-o", "no.mp4"]) == 1
    assert "17 frames and this backbone redraws 1 to 9" in said_of(capsys)
    assert not Path("no.mp4").exists()
