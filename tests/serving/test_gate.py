"""The gate that opens pictures: its own pixel limit, and looking from many threads at once."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import open_pack
from mm_model.nn.identity.portrait import Photograph
from mm_model.serving import gate
from mm_model.serving.refusal import Code, Refusal
from mm_model.settings import load_profile
from tests.serving.conftest import one_face
from tests.serving.house import ROOT

LIMIT = load_profile(ROOT, "tiny").serve.max_reference_pixels


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png_head(width: int, height: int) -> bytes:
    """A PNG that ends after its header: whoever decodes it finds it cut short."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size) + _chunk(b"IDAT", b"")


def _jpeg_head(width: int, height: int) -> bytes:
    """A JPEG whose header announces a size; of its data there is next to nothing."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    content = bytearray(buffer.getvalue())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def _file(size: tuple[int, int], kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (120, 90, 60)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        _png_head(9400, 9400),
        _png_head(5001, 5000),
        _jpeg_head(8000, 6000),
        _jpeg_head(65_500, 400),
        _file((5001, 5000), "PNG"),
        _file((6000, 4200), "JPEG"),
    ],
)
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(content: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        gate.admit((content,), one_face, LIMIT, 4)
    assert refusal.value.code == Code.PICTURE_TOO_LARGE
    assert "Reference picture 1" in refusal.value.sentence and str(LIMIT) in refusal.value.sentence


@pytest.mark.parametrize("size", [(4000, 3000), (4032, 3024), (6000, 4000), (5657, 4242)])
def test_a_telephone_s_photograph_passes_and_is_held_reduced(size: tuple[int, int]) -> None:
    (reference,) = gate.admit((_file(size, "JPEG"),), one_face, LIMIT, 4)
    assert max(reference.pixels.shape) == min(max(size), 4096)
    assert reference.pixels.shape[1] / reference.pixels.shape[0] == pytest.approx(
        size[0] / size[1], rel=1e-3
    )
    assert reference.face.box[3] == pytest.approx(reference.pixels.shape[0], rel=1e-3)


def test_a_strip_is_refused_by_its_header() -> None:
    with pytest.raises(Refusal, match="strip"):
        gate.admit((_png_head(20_000, 100),), one_face, LIMIT, 4)


def test_a_picture_reduced_once_or_twice_is_the_same() -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (3100, 4700, 3), dtype=np.uint8)
    face = one_face(picture).faces[0].moved(311.5, 77.25)
    once = Photograph.of(picture, face)
    twice = Photograph.of(once.pixels, once.face)
    assert np.array_equal(once.pixels, twice.pixels)
    assert np.array_equal(once.face.box, twice.face.box)
    assert np.array_equal(once.face.landmarks, twice.face.landmarks)


def test_looking_needs_no_lock(tiny_facepack: Path) -> None:
    """Eight threads on one pack see what one sees."""
    rules = load_profile(ROOT, "tiny").faces
    pack = open_pack(tiny_facepack, rules.detection_size, 1)
    rng = np.random.default_rng(3)
    pictures = []
    for size in (64, 128, 200, 333):
        buffer = io.BytesIO()
        Image.fromarray(photograph(person(10_001), rng, size).image).save(buffer, "PNG")
        pictures.append(buffer.getvalue())

    def found(content: bytes) -> list[bytes]:
        (reference,) = gate.admit(
            (content,), lambda pixels: chosen_faces(pack, pixels, rules), LIMIT, 4
        )
        face = reference.face
        return [reference.pixels.tobytes(), face.box.tobytes(), face.landmarks.tobytes()]

    alone = [found(content) for content in pictures] * 12
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(found, pictures * 12)) == alone
