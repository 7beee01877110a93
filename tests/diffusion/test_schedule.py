"""Schedule, velocity arithmetic, seeded draws, frame counts and the frame noise prior."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mm_model.diffusion.frames import (
    check_frame_count,
    frames_of_latent,
    latent_frame_count,
    legal_frame_counts,
)
from mm_model.diffusion.schedule import (
    COGVIDEOX_5B,
    NoiseSchedule,
    build_scheduler,
    correlate_frames,
    load_schedule,
    sample_noise,
    save_schedule,
)
from mm_model.errors import UserError

torch.set_num_threads(1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def schedule():
    return NoiseSchedule.from_scheduler(build_scheduler())


def test_alpha_bar_golden_values(schedule):
    """Measured values of the 5B schedule."""
    golden = {0: 0.9992, 100: 0.887, 200: 0.737, 300: 0.565, 337: 0.5, 500: 0.241, 700: 0.055}
    for t, value in golden.items():
        assert schedule.alpha_bar(torch.tensor([t])).item() == pytest.approx(value, abs=6e-4)
    assert schedule.alpha_bar(torch.tensor([999])).item() == 0.0


def test_velocity_identities(schedule):
    g = seeded()
    x0, noise = torch.randn(4, 2, 3, 4, 4, generator=g), torch.randn(4, 2, 3, 4, 4, generator=g)
    t = torch.tensor([0, 300, 700, 999])
    x_t, v = schedule.add_noise(x0, noise, t), schedule.velocity(x0, noise, t)
    assert torch.allclose(schedule.x0_hat(x_t, v, t), x0, atol=1e-5)
    assert torch.equal(v[3], -x0[3])
    assert torch.equal(x_t[3], noise[3])
    v_hat = v + torch.randn(v.shape, generator=g)
    bar = schedule.alpha_bar(t).view(-1, 1, 1, 1, 1)
    x0_error = (schedule.x0_hat(x_t, v_hat, t) - x0).square() / (1 - bar)
    assert torch.allclose(x0_error, (v_hat - v).square(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("kind", ["ddim", "dpm"])
def test_arithmetic_agrees_with_the_library_s_scheduler(kind):
    scheduler = build_scheduler(kind)
    schedule = NoiseSchedule.from_scheduler(scheduler)
    x0, noise = torch.randn(2, 1, 3, 4, 4), torch.randn(2, 1, 3, 4, 4)
    t = torch.tensor([50, 900])
    x_t = schedule.add_noise(x0, noise, t)
    assert torch.allclose(x_t, scheduler.add_noise(x0, noise, t), atol=1e-5)
    expected = scheduler.get_velocity(x0, noise, t)
    assert torch.allclose(schedule.velocity(x0, noise, t), expected, atol=1e-5)


def test_schedule_survives_the_disk_and_defaults_are_refused(tmp_path):
    scheduler = build_scheduler("dpm")
    save_schedule(scheduler, tmp_path)
    loaded = load_schedule(tmp_path)
    assert type(loaded) is type(scheduler)
    assert torch.equal(loaded.alphas_cumprod, scheduler.alphas_cumprod)
    incomplete = {k: v for k, v in COGVIDEOX_5B.items() if k != "snr_shift_scale"}
    with pytest.raises(UserError, match="snr_shift_scale"):
        build_scheduler("ddim", incomplete)
    with pytest.raises(UserError, match="epsilon"):
        build_scheduler("ddim", COGVIDEOX_5B | {"prediction_type": "epsilon"})
    with pytest.raises(UserError, match="euler"):
        build_scheduler("euler")
    with pytest.raises(UserError, match="scheduler_config"):
        load_schedule(tmp_path / "nowhere")


def test_draws_repeat_and_cover_the_range(schedule):
    t = schedule.sample_timesteps(4000, seeded(1))
    assert torch.equal(t, schedule.sample_timesteps(4000, seeded(1)))
    assert (t.min() < 5) and (t.max() > 994)
    noisy = schedule.sample_timesteps(4000, seeded(1), 0.5)
    assert (noisy >= 500).float().mean() == pytest.approx(0.75, abs=0.03)
    assert (noisy.min() < 5) and (noisy.max() > 994)
    assert schedule.sample_timesteps(4000, seeded(1), 1.0).min() >= 500
    assert torch.equal(sample_noise((2, 3), seeded(2)), sample_noise((2, 3), seeded(2)))


@given(st.integers(-3, 120))
def test_frame_counts(frames):
    legal = frames == 1 or (frames > 0 and frames % 8 == 1)
    if legal and frames <= 49:
        assert check_frame_count(frames) == frames
    else:
        with pytest.raises(UserError):
            check_frame_count(frames)


def test_frame_refusals_name_the_way_out():
    with pytest.raises(UserError, match="nearest is 9"):
        check_frame_count(12, 49)
    with pytest.raises(UserError, match="maximum of 9"):
        check_frame_count(17, 9)
    with pytest.raises(UserError, match="whole number"):
        check_frame_count(9.0)
    assert legal_frame_counts(25) == [1, 9, 17, 25]


def test_latent_frames_cover_each_frame_once():
    covered = [f for k in range(latent_frame_count(49)) for f in frames_of_latent(k)]
    assert latent_frame_count(49) == 13
    assert covered == list(range(49))


@pytest.mark.parametrize("gamma", [0.15, 0.6])
def test_noise_prior_covariance(gamma):
    noise = correlate_frames(torch.randn(20000, 5, 1, 1, 1, generator=seeded()), gamma).flatten(1)
    found = torch.cov(noise.T)
    steps = torch.arange(5)
    expected = gamma ** (steps[:, None] - steps[None]).abs().float()
    assert torch.allclose(found, expected, atol=0.04)


def test_noise_prior_limits():
    noise = torch.randn(2, 4, 3, 2, 2, generator=seeded())
    assert correlate_frames(noise, 0.0) is noise
    assert torch.equal(correlate_frames(noise, 1.0), noise[:, :1].expand_as(noise))
    with pytest.raises(UserError, match="between 0 and 1"):
        correlate_frames(noise, 1.5)
