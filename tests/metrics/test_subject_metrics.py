"""Magic-Me's metrics of a clip of a subject: by networks, and by arithmetic alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mm_model.commands import cli
from mm_model.errors import UserError
from mm_model.media.encode import write_mp4
from mm_model.metrics import embedders, pixels, subject
from mm_model.metrics.subject import SubjectClip, measured
from tests.metrics import tiny_embedders

pytestmark = pytest.mark.capability("metrics of a subject", scale="L")

RNG = np.random.default_rng(2)
FRAMES = np.kron(RNG.integers(0, 256, (5, 6, 8, 3), np.uint8), np.ones((1, 8, 8, 1), np.uint8))
PHOTOS = tuple(
    np.kron(RNG.integers(0, 256, (7, 6, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    for _ in range(2)
)
PROMPT = "a man smiles " * 60


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("networks")
    makers = (tiny_embedders.clip, tiny_embedders.dino, tiny_embedders.dinov2)
    return {make.__name__: make(place / make.__name__) for make in makers}


@pytest.fixture(scope="module")
def networks(folders: dict[str, Path]) -> subject.SubjectNetworks:
    return embedders.open_networks(folders["clip"], folders["dino"])


def told(networks: subject.SubjectNetworks, frames: np.ndarray = FRAMES) -> subject.SubjectMeasures:
    seen = SubjectClip(frames=frames, fps=8, photographs=PHOTOS, prompt=PROMPT)
    return measured(seen, networks)


def test_values_are_those_of_the_library_s_own_arithmetic(
    folders: dict[str, Path], networks: subject.SubjectNetworks
) -> None:
    import transformers

    found = told(networks).values
    model = transformers.CLIPModel.from_pretrained(folders["clip"])
    whole = transformers.CLIPProcessor.from_pretrained(folders["clip"], backend="pil")
    shown = [Image.fromarray(one) for one in (*FRAMES, *PHOTOS)]
    given = whole(text=PROMPT, images=shown, truncation=True, max_length=77, return_tensors="pt")
    with torch.no_grad():
        said = model(**given)
    frames, photographs = said.image_embeds[:5], said.image_embeds[5:]
    assert found["clip_i"] == pytest.approx(float((frames @ photographs.T).mean()), abs=1e-5)
    # the library's own answer is the cosine times its learned scale, which is no part of CLIP-T
    cosines = said.logits_per_text[0, :5] / model.logit_scale.detach().exp()
    assert found["clip_t"] == pytest.approx(float(cosines.mean()), abs=1e-5)
    pairs = torch.nn.functional.cosine_similarity(frames[:-1], frames[1:])
    assert found["temporal_smoothness"] == pytest.approx(float(pairs.mean()), abs=1e-5)


@pytest.mark.parametrize(("name", "kind"), [("dino", "ViTModel"), ("dinov2", "Dinov2Model")])
def test_dino_is_the_token_of_the_whole_picture(
    folders: dict[str, Path], name: str, kind: str
) -> None:
    import transformers
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    found = told(embedders.open_networks(None, folders[name]))
    model = getattr(transformers, kind).from_pretrained(folders[name])
    shown = ViTImageProcessorPil.from_pretrained(folders[name])
    given = shown(images=[Image.fromarray(one) for one in (*FRAMES, *PHOTOS)], return_tensors="pt")
    with torch.no_grad():
        tokens = model(**given).last_hidden_state[:, 0]
    tokens = torch.nn.functional.normalize(tokens)
    assert found.values["dino_i"] == pytest.approx(
        float((tokens[:5] @ tokens[5:].T).mean()), abs=1e-5
    )
    assert "no CLIP" in found.unavailable["clip_i"] and found.values["clip_i"] is None


def test_a_frozen_clip_is_smoothest_and_does_not_move(networks: subject.SubjectNetworks) -> None:
    frozen = told(networks, np.repeat(FRAMES[:1], 5, axis=0)).values
    assert frozen["temporal_smoothness"] == pytest.approx(1, abs=1e-6)
    assert frozen["proxy_frame_ssim"] == pytest.approx(1)
    assert frozen["frame_change"] == 0 and frozen["proxy_dynamic_degree"] == 0
    moving = told(networks).values
    for name in ("temporal_smoothness", "proxy_frame_ssim"):
        assert moving[name] < frozen[name] - 0.05  # type: ignore[operator]


def test_smoothness_hangs_on_the_order_of_frames_and_likeness_does_not(
    networks: subject.SubjectNetworks,
) -> None:
    fade = np.stack(
        [(FRAMES[0] * (1 - t) + FRAMES[1] * t).astype(np.uint8) for t in (0, 0.3, 0.6, 1)]
    )
    straight, mixed = (told(networks, one).values for one in (fade, fade[[0, 3, 1, 2]]))
    for name in ("temporal_smoothness", "proxy_frame_ssim"):
        assert straight[name] > mixed[name]  # type: ignore[operator]
    for name in ("clip_i", "clip_t", "dino_i", "proxy_hsv_similarity", "proxy_hog_similarity"):
        assert straight[name] == pytest.approx(mixed[name], abs=1e-6), name


def test_one_frame_has_no_smoothness_and_no_motion(networks: subject.SubjectNetworks) -> None:
    found = told(networks, FRAMES[:1])
    gone = {name for name, value in found.values.items() if value is None}
    assert gone == set(found.unavailable)
    assert gone == {
        "temporal_smoothness",
        "frame_change",
        "proxy_frame_ssim",
        "proxy_dynamic_degree",
        "proxy_dynamic_degree_margin",
    }


def test_what_was_not_given_is_null_with_the_reason() -> None:
    found = measured(SubjectClip(frames=FRAMES, fps=8))
    assert found.values["clip_i"] is None and "--clip" in found.unavailable["clip_i"]
    assert "--dino" in found.unavailable["dino_i"]
    assert "--photos" in found.unavailable["proxy_hsv_similarity"]
    assert set(found.values) == {one.name for one in (*subject.COLUMNS, *subject.PROXIES)}


def test_every_value_keeps_its_bounds(networks: subject.SubjectNetworks) -> None:
    columns = {one.name: one for one in (*subject.COLUMNS, *subject.PROXIES)}
    assert all(one.name.startswith("proxy_") for one in subject.PROXIES)
    for name, value in told(networks).values.items():
        assert value is not None, name
        least, most = columns[name].least, columns[name].most
        assert least is None or value >= least - 1e-6, name
        assert most is None or value <= most + 1e-6, name


def test_proxies_know_the_same_picture() -> None:
    one = SubjectClip(frames=FRAMES[:1], fps=8, photographs=(FRAMES[0],))
    found = measured(one).values
    assert found["proxy_hsv_similarity"] == pytest.approx(1)
    assert found["proxy_hog_similarity"] == pytest.approx(1)
    assert pixels.correlation(np.zeros(4), np.zeros(4)) == 1


def test_ssim_is_the_published_formula() -> None:
    """Flat pictures leave the term of brightness alone: (2ab + c) / (a^2 + b^2 + c)."""
    dark, light = (np.full((32, 32, 3), grey, np.uint8) for grey in (50, 100))
    steady = (0.01 * 255) ** 2
    assert pixels.ssim(dark, light) == pytest.approx((10000 + steady) / (12500 + steady))


def test_a_ground_that_slides_is_dynamic_by_the_rule() -> None:
    wide = np.kron(RNG.integers(0, 256, (16, 40, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    wide = np.asarray(Image.fromarray(wide).resize((320, 128), Image.Resampling.BICUBIC))
    slow, fast = (
        np.stack([wide[:, step * n : step * n + 128] for n in range(6)]) for step in (1, 6)
    )
    # 128 pixels a side: the fastest twentieth must move by more than 3 pixels
    assert pixels.dynamic_degree(fast, 8)[0] == 1  # type: ignore[index]
    moved = pixels.dynamic_degree(slow, 8)
    assert moved is not None and moved[0] == 0 and moved[1] < 1
    # at 16 frames a second every other frame is looked at
    assert pixels.dynamic_degree(fast, 16)[1] > pixels.dynamic_degree(fast, 8)[1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights in safetensors"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "preprocessor_config.json"),
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'),
            "is of the kind 'bert'",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(
    folders: dict[str, Path], tmp_path: Path, spoil: Any, said: str
) -> None:
    place = Path(shutil.copytree(folders["clip"], tmp_path / "clip"))
    spoil(place)
    with pytest.raises(UserError, match=said):
        embedders.open_networks(place, None)


def test_the_command_measures_clips_against_photographs(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, one in enumerate(PHOTOS):
        Image.fromarray(one).save(photos / f"{number}.png")
    (photos / "broken.png").write_bytes(b"no picture")
    (photos / "masks").mkdir()
    Image.fromarray(PHOTOS[0]).save(photos / "masks" / "0.png")
    clip = tmp_path / "clip.mp4"
    write_mp4(clip, FRAMES, 8)
    line = ["measure", str(clip), "--photos", str(photos), "--clip", str(folders["clip"])]
    assert cli.main([*line, "--prompt", "a man smiles"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["photographs"] == 2 and sorted(said["left_out"]) == ["broken.png", "masks/0.png"]
    (values,) = said["clips"].values()
    assert values["frames"] == 5 and -1 <= values["clip_t"] <= 1
    assert values["dino_i"] is None and "--dino" in said["unavailable"]["dino_i"]
    assert list(said["weights"]) == ["clip"] and len(said["weights"]["clip"]) == 64
    assert cli.main(["measure", str(clip), "--photos", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert cli.main(["measure", str(photos / "broken.png")]) == 1
    assert "cannot be used" in capsys.readouterr().err


def test_motion_is_the_change_from_frame_to_frame() -> None:
    clip = np.zeros((3, 4, 4, 3), np.uint8)
    assert pixels.frame_change(clip) == 0
    clip[1] = 30
    assert pixels.frame_change(clip) == pytest.approx(30)
