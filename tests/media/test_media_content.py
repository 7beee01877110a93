"""Motion, cuts and lettering: the measures separate what they are named after."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mm_model.media import lettering
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
