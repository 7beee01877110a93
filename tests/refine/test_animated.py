"""Refining with a motion module: its steps are the library's, its subject the tokens'."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mm_model.commands import cli
from mm_model.embedded.people.clips import clip as drawn_clip
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import ShotSetup
from mm_model.errors import UserError
from mm_model.media.decode import read_frames
from mm_model.media.encode import write_mp4
from mm_model.refine.animated import AnimatedRedrawer, without_subject
from mm_model.refine.plan import RefinePlan, refined
from mm_model.refine.port import redrawn
from mm_model.vcd.animate import Animator, Take
from tests.refine.drawn import find, noise, with_faces
from tests.vcd import tiny_sd
from tests.vcd.test_animate import animator, places, rex

pytestmark = pytest.mark.capability("refined clips", scale="L")

__all__ = ["animator", "places"]  # fixtures

ASKED = Take("a photo of a <rex> man smiling", 3, steps=5)


def test_a_redrawn_clip_is_the_library_s_own_video_to_video(
    animator: Animator, places: tuple[Path, Path]
) -> None:
    from diffusers import AnimateDiffVideoToVideoPipeline, MotionAdapter

    ours = AnimatedRedrawer(animator, ASKED, rex())
    frames = noise(4, 32, 32)
    stock = AnimateDiffVideoToVideoPipeline.from_pretrained(
        places[0], motion_adapter=MotionAdapter.from_pretrained(places[1])
    )
    stock.scheduler = animator.pipe.scheduler
    began = ours.noised(ours.encode(frames), ours.times(0.6)[0])
    theirs = stock(
        prompt_embeds=animator.base.words([ASKED.prompt], rex()),
        negative_prompt_embeds=animator.base.words([""]),
        latents=began,
        height=32,
        width=32,
        num_inference_steps=ASKED.steps,
        strength=0.6,
        guidance_scale=ASKED.guidance,
        output_type="latent",
    ).frames
    made = redrawn(ours, frames, 0.6, lambda x, t: ours.predict(x, t, True))
    assert torch.equal(made, theirs)


def test_the_subject_is_heard_in_its_place_alone(animator: Animator) -> None:
    one, other = (AnimatedRedrawer(animator, ASKED, rex(seed)) for seed in (1, 2))
    latents = one.encode(noise(2, 32, 32))
    time = one.times(0.4)[0]
    said = [[r.predict(latents, time, subject) for r in (one, other)] for subject in (True, False)]
    assert not torch.equal(*said[0]) and torch.equal(*said[1])
    assert without_subject(ASKED.prompt, rex()) == "a photo of a man smiling"


def test_gamma_zero_is_plain_noise_and_strength_decides_what_stays(animator: Animator) -> None:
    clip = with_faces(noise(3, 100, 90), [(40, 40)] * 3)

    def made(strength: float, gamma: float = 0.0) -> np.ndarray:
        asked = Take(ASKED.prompt, 3, steps=5, gamma=gamma)
        redrawer = AnimatedRedrawer(animator, asked, rex())
        return refined(clip, RefinePlan(("face",), strength), redrawer, find).frames

    assert np.array_equal(made(0.4), made(0.4))
    assert not np.array_equal(made(0.4), made(0.4, 0.5))
    assert np.array_equal(made(0.1), clip), "a tenth of five steps is none"


def test_sizes_that_the_model_was_not_made_for_are_refined_in_windows(animator: Animator) -> None:
    redrawer = AnimatedRedrawer(animator, ASKED, rex())
    assert redrawer.size == (32, 32)
    clip = with_faces(noise(1, 21, 37), [(2, 3)])
    made = refined(clip, RefinePlan(("face", "tiled"), 0.4), redrawer, find)
    assert made.frames.shape == (1, 42, 74, 3)
    with pytest.raises(UserError, match="17 frames and this motion module redraws 1 to 16"):
        refined(noise(17, 32, 32), RefinePlan(("tiled",)), redrawer, find)


@pytest.fixture(scope="module")
def given(places: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of somebody drawn, a clip of nobody, and a subject."""
    folder = tmp_path_factory.mktemp("given")
    made = drawn_clip(
        person(18), "smiles", ShotSetup(), num_frames=3, size=128, rng=np.random.default_rng(1)
    )
    write_mp4(folder / "her.mp4", made.frames, 8)
    write_mp4(folder / "nobody.mp4", np.full((3, 24, 24, 3), 90, np.uint8), 8)
    tiny_sd.subject(folder / "rex", places[0], rex(), "man", kind="animal")
    return folder


@pytest.fixture(autouse=True)
def tree(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root whose profile asks for one thread: two wait for each other on a busy machine."""
    place = tmp_path / "root"
    (place / "profiles").mkdir(parents=True)
    for name in ("common.yaml", "tiny.yaml"):
        (place / "profiles" / name).write_bytes((root / "profiles" / name).read_bytes())
    small = "title: Small\nbase: tiny\nrun: {threads: 1}\n"
    (place / "profiles" / "small.yaml").write_text(small)
    said = (root / "params.yaml").read_text().replace("profile: tiny", "profile: small")
    (place / "params.yaml").write_text(said)
    (place / "weights").symlink_to(root / "weights")
    monkeypatch.setenv("MM_ROOT", str(place))


def line(given: Path, places: tuple[Path, Path], clip: str, *more: str) -> list[str]:
    words = ["refine", str(given / clip), "--prompt", "a photo of a <rex> man"]
    words += ["--subject", str(given / "rex"), "--weights", str(places[0])]
    return [*words, "--motion", str(places[1]), *more]


def said_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_clip_is_refined_by_one_command(
    given: Path, places: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    asked = line(given, places, "her.mp4", "-o", str(out), "--strength", "0.1")
    assert cli.main(asked) == 0, said_of(capsys)
    told = said_of(capsys)
    assert "face: a face of" in told and "found in 3 of 3 frames" in told
    made, old = read_frames(out), read_frames(given / "her.mp4")
    assert made.shape == old.shape and np.abs(made.astype(int) - old).max() > 50
    before = out.read_bytes()
    assert cli.main(asked) == 1 and "--force" in said_of(capsys)
    assert out.read_bytes() == before


def test_a_clip_of_nobody_and_strength_zero_change_nothing(
    given: Path, places: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, still = tmp_path / "out.mp4", tmp_path / "still.mp4"
    assert cli.main(line(given, places, "nobody.mp4", "-o", str(out))) == 0, said_of(capsys)
    assert "over half of the frames show no face" in said_of(capsys)
    assert out.read_bytes() == (given / "nobody.mp4").read_bytes()
    large = line(given, places, "nobody.mp4", "-o", str(out), "--steps", "tiled", "--force")
    assert cli.main([*large, "--strength", "0.05"]) == 0, said_of(capsys)
    assert "tiled: 48x48 pixels in 4 windows, 0 of them with the subject" in said_of(capsys)
    assert read_frames(out).shape == (3, 48, 48, 3)
    asked = line(given, places, "her.mp4", "-o", str(still), "--strength", "0")
    assert cli.main(asked) == 0
    assert still.read_bytes() == (given / "her.mp4").read_bytes()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["--steps", "sharpen"], "no way to refine"),
        (["--strength", "2"], "from 0 to 1"),
        (["--gamma", "2"], "from 0 to 1"),
        (["--motion", "nowhere"], "nowhere is not there"),
        (["--subject", "nowhere"], "nowhere is no learned subject"),
        (["--prompt", "a dog"], "says neither <rex> nor man"),
        (["--prompt", "a naked <rex> man"], "nudity"),
        (["-o", "out.avi"], "is no .mp4"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(
    given: Path,
    places: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = line(given, places, "her.mp4", "-o", "out.mp4", *changed)
    assert cli.main(asked) == 1
    told = said_of(capsys)
    assert said in told and "Traceback" not in told
    assert not list(tmp_path.glob("out.*"))


def test_a_file_that_is_no_clip_is_refused(
    given: Path, places: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torn.mp4").write_bytes((given / "her.mp4").read_bytes()[:700])
    asked = line(tmp_path, places, "torn.mp4", "-o", str(tmp_path / "out.mp4"))
    asked[asked.index("--subject") + 1] = str(given / "rex")
    for clip in ("torn.mp4", "none.mp4"):
        asked[1] = str(tmp_path / clip)
        assert cli.main(asked) == 1
        assert "cannot be used" in said_of(capsys)
