"""The score of quality: the package's own values, what it tells, and what its files may hold."""

import importlib.util
import io
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mm_model.media import looks, natural
from mm_model.media.images import load_image


def noise(seed: int = 0, blur: float = 0) -> np.ndarray:
    picture = np.random.default_rng(seed).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    return cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture


def model(
    folder: Path, vectors: np.ndarray, weights: list[float], rho: float = 0.0
) -> tuple[Path, Path]:
    """A regression in libsvm's text, and ranges that leave features as they are."""
    rows = [
        f"{weight} " + " ".join(f"{at + 1}:{value:.9g}" for at, value in enumerate(vector))
        for weight, vector in zip(weights, vectors, strict=True)
    ]
    head = f"svm_type epsilon_svr\nkernel_type rbf\ngamma 0.5\nnr_class 2\nrho {rho}\nSV\n"
    (folder / "svm.txt").write_text(head + "\n".join(rows) + "\n")
    size = vectors.shape[1]
    (folder / "ranges").write_bytes(pickle.dumps({"min_": [-1.0] * size, "max_": [1.0] * size}))
    return folder / "svm.txt", folder / "ranges"


def test_features_tell_shape_and_the_likeness_of_neighbours() -> None:
    wide = np.random.default_rng(3).normal(128, 25, (200, 300, 1)).clip(0, 255).astype(np.uint8)
    bars = np.repeat(wide[:1], 200, axis=0)
    noisy, striped = (natural.features(np.repeat(one, 3, axis=2)) for one in (wide, bars))
    assert noisy is not None and striped is not None and noisy.shape == (36,)
    assert 1.7 < noisy[0] < 3, "close to the shape of a Gaussian, 2"
    (across, down), (still_across, still_down) = noisy[[3, 7]], striped[[3, 7]]
    assert across == pytest.approx(down, abs=0.02), "white noise has no direction"
    assert still_down > 0.3 > 0 > still_across, "bars are alike from above to below alone"


def test_the_regression_weighs_its_vectors_by_how_near_they_are(tmp_path: Path) -> None:
    mine = natural.features(noise())
    assert mine is not None
    score = natural.quality_score(*model(tmp_path, np.stack([mine, mine + 10]), [30, 60], -12))
    assert score(noise()) == pytest.approx(42, abs=0.01)
    apart = natural.features(noise(blur=1.5)) - mine
    assert score(noise(blur=1.5)) == pytest.approx(12 + 30 * np.exp(-(apart**2).sum() / 2), abs=0.1)


def test_a_score_stays_between_0_and_100_and_a_blank_picture_is_the_worst(tmp_path: Path) -> None:
    mine = natural.features(noise())
    low = natural.quality_score(*model(tmp_path, mine[None], [1], 5))
    assert low(noise()) == 0 and low(np.full((40, 40, 3), 7, np.uint8)) == natural.WORST
    assert natural.quality_score(*model(tmp_path, mine[None], [200], 5))(noise()) == 100


def test_ranges_that_ask_for_code_are_refused(tmp_path: Path) -> None:
    svm, ranges = model(tmp_path, np.zeros((1, 36)), [1])
    ranges.write_bytes(pickle.dumps({"min_": Path("x"), "max_": []}))
    with pytest.raises(ValueError, match="asks for pathlib"):
        natural.quality_score(svm, ranges)
    svm.write_text("svm_type c_svc\nkernel_type linear\nSV\n1 1:0\n")
    with pytest.raises(ValueError, match="no regression"):
        natural.quality_score(svm, ranges)


@pytest.fixture
def score() -> looks.Look:
    if importlib.util.find_spec(looks.QUALITY.module) is None:
        pytest.skip("brisque is not installed (make filters)")
    return looks.quality_look()


def test_scores_are_those_of_the_package(score: looks.Look) -> None:
    """What brisque 0.2.0 says of these once its error with numpy 2 is mended."""
    assert score(noise()) == pytest.approx(90.995, abs=0.1)
    assert score(noise(blur=1.5)) == pytest.approx(45.576, abs=0.1)


def test_spoilt_photographs_score_worse_than_clean_ones(
    score: looks.Look, real_media: Path
) -> None:
    for name in ("source_s0.jpg", "source_s5.jpg", "source_s12.jpg"):
        clean = load_image(real_media / name)
        buffer = io.BytesIO()
        Image.fromarray(clean).save(buffer, "JPEG", quality=5)
        blurred = cv2.GaussianBlur(clean, (0, 0), 4)
        assert score(clean) < 45 < 75 < min(score(blurred), score(load_image(buffer.getvalue())))
