"""Motion, cuts and lettering: the measures separate what they are named after."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mm_model.media import cuts, lettering
from mm_model.media.content import MotionMeter, reduced_size
from mm_model.media.decode import read_frames
from mm_model.media.images import load_image
from mm_model.media.sheet import contact_sheet


def scenery(seed: int, number: int = 8, shift: int = 0) -> list[np.ndarray]:
    """Smooth random scenery, panned by `shift` pixels a frame."""
    wide = np.random.default_rng(seed).integers(0, 255, (10, 20, 3)).astype(np.uint8)
    wide = cv2.resize(wide, (320, 96), interpolation=cv2.INTER_CUBIC)
    return [wide[:, i * shift : i * shift + 96] for i in range(number)]


def measured(frames: list[np.ndarray]) -> MotionMeter:
    meter = MotionMeter()
    for frame in frames:
        meter.add(frame)
    return meter


def test_motion_grows_with_motion_and_is_zero_without() -> None:
    still, slow, fast = (measured(scenery(1, shift=s)).motion for s in (0, 1, 4))
    assert still == 0 < slow < fast


def test_a_cut_stands_out_from_any_pan() -> None:
    pan = measured(scenery(1, shift=6)).cut
    night = [frame // 4 for frame in scenery(2, shift=2)]
    cut = measured(scenery(1, shift=2) + night).cut
    assert pan < 0.45 < cut <= 1


@pytest.mark.parametrize("place", range(1, 13))
def test_a_cut_is_seen_wherever_it_stands_in_a_short_clip(place: int) -> None:
    day, night = scenery(1, 13, shift=2), [frame // 4 for frame in scenery(2, 13, shift=2)]
    assert measured(day[:place] + night[place:]).cut > 0.45


@pytest.mark.parametrize("every", [1, 2, 3])
def test_cuts_in_a_row_hide_none_of_each_other(every: int) -> None:
    day, night = scenery(1, 13, shift=2), [frame // 4 for frame in scenery(2, 13, shift=2)]
    clip = [(day, night)[n // every % 2][n] for n in range(13)]
    assert measured(clip).cut > 0.45


def between(dark: list[np.ndarray], bright: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Four frames of one, `length` mixtures, four of the other."""
    shares = np.linspace(0, 1, length + 2)[1:-1]
    mixed = [(dark[4] * (1 - x) + bright[4] * x).astype(np.uint8) for x in shares]
    return [*dark[:4], *mixed, *bright[4:]]


@pytest.mark.parametrize("length", [1, 2, 4, 8])
def test_a_dissolve_joins_two_shots(length: int) -> None:
    assert measured(between(scenery(1), scenery(2), length)).cut > 0.45


@pytest.mark.parametrize("black", [1, 3])
def test_two_shots_are_joined_through_black(black: int) -> None:
    first, second, gains = scenery(1), scenery(2), (0.66, 0.33)
    down = [(frame * gain).astype(np.uint8) for frame, gain in zip(first[4:], gains, strict=False)]
    up = [(frame * gain).astype(np.uint8) for frame, gain in zip(second, gains[::-1], strict=False)]
    dark = [np.zeros_like(first[0])] * black
    assert measured([*first[:4], *down, *dark, *up, *second[2:]]).cut > 0.45


def lit(gains: list[float], more: int = 0) -> list[np.ndarray]:
    """One shot, panned slowly, each frame under its own light."""
    shot = scenery(1, len(gains), shift=2)
    return [
        np.clip(frame * gain + more * (gain > 1), 0, 255).astype(np.uint8)
        for frame, gain in zip(shot, gains, strict=True)
    ]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(lit([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1]), id="it is faded in"),
        pytest.param(lit([1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0]), id="it is faded out"),
        pytest.param(lit([1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]), id="a lamp goes out"),
        pytest.param(lit([1, 1, 1, 2.5, 1, 1, 1, 1], 60), id="a flash"),
        pytest.param(lit([1, 1, 1, 2.5, 2.5, 1, 1, 1], 60), id="a flash of two frames"),
    ],
)
def test_light_is_no_cut(frames: list[np.ndarray]) -> None:
    histograms = [cuts.colour_histogram(frame) for frame in frames]
    assert max(0.5 * np.abs(np.diff(histograms, axis=0)).sum(axis=1)) > 0.45
    assert measured(frames).cut < 0.45


def test_one_frame_has_no_motion() -> None:
    meter = measured(scenery(1, number=1))
    assert meter.motion is None and meter.cut is None


def test_the_digest_names_all_frames() -> None:
    frames = scenery(1, shift=2)
    changed = [frame.copy() for frame in frames]
    changed[4][0, 0, 0] ^= 1
    assert measured(frames).digest == measured([f.copy() for f in frames]).digest
    assert measured(frames).digest != measured(changed).digest


def test_reduced_sizes_keep_shape_and_are_never_enlarged() -> None:
    assert reduced_size(1280, 720) == (160, 90)
    assert reduced_size(100, 60) == (100, 60)
    assert reduced_size(4000, 3) == (160, 1)


def written(picture: np.ndarray, words: str, scale: float) -> np.ndarray:
    out = picture.copy()
    for colour, thickness in (((0, 0, 0), 5), ((255, 255, 255), 2)):
        place = (12, out.shape[0] - 20)
        cv2.putText(out, words, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness)
    return out


def test_lettering_is_seen_on_smooth_scenery_and_only_there() -> None:
    for seed in range(6):
        clean = cv2.resize(scenery(seed)[0], (480, 360), interpolation=cv2.INTER_CUBIC)
        assert lettering.area_share(clean) == 0
        assert lettering.area_share(written(clean, "SUBSCRIBE NOW", 1.6)) > 0.05


def test_a_clip_counts_lettering_that_stays() -> None:
    clean = cv2.resize(scenery(3)[0], (480, 360), interpolation=cv2.INTER_CUBIC)
    lettered = written(clean, "BREAKING NEWS", 1.6)
    assert lettering.lasting_area_share([clean, lettered, lettered, lettered]) > 0.05
    assert lettering.lasting_area_share([clean, clean, clean, lettered]) == 0
    assert lettering.lasting_area_share([]) is None


def test_no_real_picture_is_taken_for_lettering(real_media: Path) -> None:
    for path in sorted(real_media.glob("*.jpg")):
        assert lettering.area_share(load_image(path)) <= 0.02, path.name
    for path in sorted(real_media.glob("driving_d1[28].mp4")):
        assert lettering.lasting_area_share(read_frames(path, [0, 60, 120])) <= 0.02, path.name


def test_contact_sheet_has_room_for_all_and_draws_them() -> None:
    pictures = [np.full((30, 60, 3), shade, np.uint8) for shade in (10, 90, 170)]
    sheet = contact_sheet(pictures, ["a", "b", "c" * 90], columns=2, side=48)
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    assert {10, 90, 170} <= set(np.unique(sheet[..., 0]))
    with pytest.raises(ValueError, match="labels"):
        contact_sheet(pictures, ["a"], columns=2)
