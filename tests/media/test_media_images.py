"""The image loader: what is accepted looks right, what is not is refused with its reason."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from mm_model.media.failure import MediaError
from mm_model.media.images import load_image, load_picture
from mm_model.records import Reason


def quarters(height: int = 40, width: int = 60) -> np.ndarray:
    """A picture whose upper left quarter is red and the rest grey."""
    picture = np.full((height, width, 3), 120, np.uint8)
    picture[: height // 2, : width // 2] = (200, 30, 30)
    return picture


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photograph(kind: str = "JPEG") -> bytes:
    noise = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
    return saved(Image.fromarray(noise), kind)


@pytest.mark.parametrize(("kind", "lossless"), [("PNG", True), ("JPEG", False), ("WEBP", False)])
def test_accepted_kinds_come_back_as_they_were(kind: str, lossless: bool) -> None:
    picture = quarters()
    loaded = load_picture(saved(Image.fromarray(picture), kind, quality=95))
    assert loaded.pixels.shape == (40, 60, 3)
    assert loaded.pixels.dtype == np.uint8
    assert np.abs(loaded.pixels[5, 5].astype(int) - (200, 30, 30)).max() <= (0 if lossless else 12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(orientation: int) -> None:
    stored = Image.fromarray(quarters())
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = load_image(saved(stored, "JPEG", exif=exif, quality=95))
    assert loaded.shape[:2] == ((60, 40) if orientation >= 5 else (40, 60))
    corner = {
        1: (3, 3),
        2: (3, -3),
        3: (-3, -3),
        4: (-3, 3),
        5: (3, 3),
        6: (3, -3),
        7: (-3, -3),
        8: (-3, 3),
    }[orientation]
    assert loaded[corner][0] > 170 and loaded[corner][1] < 80


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    values = np.full((32, 32), 125 * 257, np.uint16)
    loaded = load_image(saved(Image.fromarray(values), "PNG"))
    assert np.all(loaded == 125)


def test_transparent_pixels_do_not_show_what_they_hide() -> None:
    alpha = np.zeros((40, 60), np.uint8)
    alpha[-1, -1] = 255
    loaded = load_image(saved(Image.fromarray(np.dstack([quarters(), alpha])), "PNG"))
    assert np.all(loaded[:-1] == 255) and np.all(loaded[-1, -1] == 120)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_a_picture_that_shows_nothing_at_all_is_refused(kind: str, options: dict) -> None:
    hidden = np.dstack([quarters(), np.zeros((40, 60), np.uint8)])
    with pytest.raises(MediaError, match="wholly transparent") as refused:
        load_image(saved(Image.fromarray(hidden), kind, exact=True, **options))
    assert refused.value.reason == Reason.FMT_TRANSPARENT


def test_palette_with_alpha_is_composited() -> None:
    palette = Image.fromarray(quarters()).quantize(4)
    grey = palette.getpixel((50, 30))
    loaded = load_image(saved(palette, "PNG", transparency=grey))
    assert tuple(loaded[30, 50]) == (255, 255, 255)
    assert abs(int(loaded[5, 5][0]) - 200) < 8


def test_wide_gamut_profile_changes_colours_and_srgb_does_not() -> None:
    picture = Image.fromarray(quarters())
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(load_image(saved(picture, "PNG", icc_profile=srgb)), quarters())
    lab_like = load_picture(saved(picture, "PNG", icc_profile=b"not a profile"))
    assert np.array_equal(lab_like.pixels, quarters())
    assert any("profile ignored" in note for note in lab_like.notes)


def test_cmyk_is_converted_with_a_note() -> None:
    loaded = load_picture(saved(Image.fromarray(quarters()).convert("CMYK"), "JPEG", quality=95))
    assert loaded.pixels[5, 5][0] > 150 > loaded.pixels[5, 5][1]
    assert loaded.notes == ("CMYK without a colour profile",)


def test_bomb_is_refused_by_its_header() -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000))
    with pytest.raises(MediaError) as refused:
        load_image(b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b""))
    assert refused.value.reason == Reason.FMT_BOMB


def test_too_many_pixels_carry_value_and_threshold() -> None:
    with pytest.raises(MediaError) as refused:
        load_image(photograph(), max_pixels=4000)
    error = refused.value
    assert (error.reason, error.value, error.threshold) == (Reason.FMT_BOMB, 4096, 4000)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_animation_is_refused(kind: str) -> None:
    frames = [Image.fromarray(np.full((16, 16, 3), shade, np.uint8)) for shade in (0, 128, 255)]
    with pytest.raises(MediaError) as refused:
        load_image(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert refused.value.reason == Reason.FMT_ANIMATED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.IO_EMPTY),
        (b"<html>404</html>", Reason.FMT_UNKNOWN),
        (b"%PDF-1.7", Reason.FMT_UNKNOWN),
        (b"\x00" * 64, Reason.FMT_UNKNOWN),
    ],
)
def test_other_content_is_refused(content: bytes, reason: Reason) -> None:
    with pytest.raises(MediaError) as refused:
        load_image(content)
    assert refused.value.reason == reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_cut_is_refused(kind: str) -> None:
    whole = photograph(kind)
    for part in range(1, 32):
        with pytest.raises(MediaError) as refused:
            load_image(whole[: len(whole) * part // 32])
        assert refused.value.reason in (Reason.IO_TRUNCATED, Reason.FMT_UNKNOWN), part
        assert part < 3 or refused.value.reason == Reason.IO_TRUNCATED


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP"]),
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_gives_a_picture_or_a_reason_never_another_error(
    kind: str, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(photograph(kind))
    for place, value in flips:
        content[place % len(content)] = value
    try:
        pixels = load_image(bytes(content), max_pixels=1_000_000)
    except MediaError as refused:
        assert refused.reason in Reason
    else:
        assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
