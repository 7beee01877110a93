"""Synthesisers: the drawn person drawn again, and honest variations of a photograph."""

from pathlib import Path

import numpy as np
import pytest

from mm_model.media.encode import write_mp4
from mm_model.media.sheet import jpeg_bytes
from mm_model.pairs.augment import LONGEST_SIDE, AugmentSynthesizer, vary
from mm_model.pairs.make import Order, make, order_key
from mm_model.pairs.procedural import ProceduralSynthesizer
from mm_model.pairs.synthesizer import Identity, IdentityPicture, open_synthesizer
from tests.faces.faked import FakePack, face

pytestmark = pytest.mark.capability("synthetic pairs", scale="T")


def _photo(folder: Path) -> Path:
    from mm_model.embedded.people.clips import photograph
    from mm_model.embedded.people.people import person

    path = folder / "photo.jpg"
    image = photograph(person(10_004), np.random.default_rng(0), 96).image
    path.write_bytes(jpeg_bytes(image, 95))
    return path


def _identity(
    path: Path, subject: str | None = "person_10004", procedural: bool = True
) -> Identity:
    portrait = IdentityPicture("ab" * 8, path, None, 96, 96, face(24, 20, 50))
    return Identity("id-0001", subject, procedural, (portrait,))


def test_the_world_draws_the_same_person_anew(tmp_path: Path) -> None:
    identity, world = _identity(tmp_path / "none.jpg"), ProceduralSynthesizer()
    first, again, other = (world.make(identity, seed) for seed in (5, 5, 6))
    assert first.image.shape == (96, 96, 3)
    assert first.origin is None
    np.testing.assert_array_equal(first.image, again.image)
    assert (first.image != other.image).mean() > 0.5


@pytest.mark.parametrize(
    ("subject", "procedural"),
    [("person_10004", False), (None, True), ("Ada", True), ("person_", True)],
)
def test_the_world_draws_nobody_without_the_mark(
    tmp_path: Path, subject: str | None, procedural: bool
) -> None:
    identity = _identity(tmp_path / "none.jpg", subject, procedural)
    assert ProceduralSynthesizer().make(identity, 1) is None


def test_a_variation_is_seeded_differs_and_names_its_origin(tmp_path: Path) -> None:
    identity = _identity(_photo(tmp_path))
    first, again, other = (AugmentSynthesizer().make(identity, seed) for seed in (5, 5, 6))
    assert first.origin == "ab" * 8
    np.testing.assert_array_equal(first.image, again.image)
    assert first.image.shape != other.image.shape or (first.image != other.image).mean() > 0.5


def test_a_variation_names_the_picture_that_it_was_made_of(tmp_path: Path) -> None:
    """Of a photograph, red, and a clip that is green before the frame in question, blue from it."""
    red, green, blue = (
        np.full((96, 96, 3), shade, np.uint8)
        for shade in ((200, 40, 40), (40, 200, 40), (40, 40, 200))
    )
    (tmp_path / "photo.jpg").write_bytes(jpeg_bytes(red, 95))
    write_mp4(tmp_path / "clip.mp4", np.stack([green] * 4 + [blue] * 3), 8)
    where = face(24, 20, 50)
    portraits = (
        IdentityPicture("aa" * 8, tmp_path / "photo.jpg", None, 96, 96, where, 1),
        IdentityPicture("bb" * 8, tmp_path / "clip.mp4", 4, 96, 96, where, 3),
    )
    identity, chosen = Identity("id-0001", None, False, portraits), set()
    told = {0: ("aa" * 8, 1), 2: ("bb" * 8, 3)}
    for seed in range(12):
        made = AugmentSynthesizer().make(identity, seed)
        colour = int(made.image.mean((0, 1)).argmax())
        assert (made.origin, made.faces) == told[colour]
        chosen.add(colour)
    assert chosen == {0, 2}


def test_a_variation_keeps_the_face_in_the_picture() -> None:
    """A bright square where the face is stays whole, whatever is drawn."""
    image = np.full((300, 400, 3), 20, np.uint8)
    image[120:180, 250:310] = 230
    for seed in range(20):
        varied = vary(image, np.array([250, 120, 310, 180]), np.random.default_rng(seed))
        bright = varied[..., 1] > 110
        side = varied.shape[0]
        assert 0.06 < bright.mean() < 0.32
        middle = np.argwhere(bright).mean(0) / side
        assert np.abs(middle - 0.5).max() < 0.15


def test_a_large_photograph_is_reduced() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (3000, 2500, 3), np.uint8)
    varied = vary(image, np.array([200, 300, 2200, 2500]), rng)
    assert 0.6 * LONGEST_SIDE < min(varied.shape[:2]) <= max(varied.shape[:2]) <= LONGEST_SIDE


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((300, 400), (10, 10, 110, 110)),
        ((300, 400), (150, 190, 250, 290)),
        ((400, 200), (40, 100, 170, 230)),
        ((160, 500), (200, 5, 340, 155)),
        ((120, 120), (-10, -15, 130, 135)),
        ((2000, 300), (90, 60, 190, 160)),
        ((300, 400), (340, 100, 420, 180)),
    ],
)
def test_no_head_is_shown_twice_wherever_it_stands(
    size: tuple[int, int], box: tuple[float, ...]
) -> None:
    """One bright disc on a dark ground stays one, whole, and nothing of another colour appears."""
    import cv2

    image = np.full((*size, 3), 60, np.uint8)
    middle = (int(box[0] + box[2]) // 2, int(box[1] + box[3]) // 2)
    cv2.circle(image, middle, int(box[2] - box[0]) // 2 - 4, (230, 230, 230), -1)
    shown = (image[..., 0] > 140).sum()
    for seed in range(30):
        varied = vary(image, np.array(box, float), np.random.default_rng(seed))
        bright = (varied[..., 1] > 120).astype(np.uint8)
        assert cv2.connectedComponents(bright)[0] == 2
        assert 0.55 * shown < bright.sum() < 1.75 * shown
        # Only borders that the picture itself has may show: no wedge of some other grey.
        assert (cv2.GaussianBlur(varied, (0, 0), 3)[..., 1] > 25).all()
        assert max(varied.shape[:2]) <= LONGEST_SIDE


@pytest.mark.parametrize(
    "box", [(0, 0, 100, 100), (300, 200, 400, 300), (150, 0, 250, 100), (0, 100, 110, 250)]
)
def test_a_face_at_the_edge_is_not_cut_off_by_a_turn(box: tuple[int, ...]) -> None:
    """Four marks in the corners of the face: all are seen, whatever is drawn."""
    import cv2

    image = np.full((300, 400, 3), 60, np.uint8)
    left, top, right, bottom = box
    for y in (top, bottom - 10):
        for x in (left, right - 10):
            image[y : y + 10, x : x + 10] = 250
    for seed in range(20):
        varied = vary(image, np.array(box, float), np.random.default_rng(seed))
        marks = (varied[..., 1] > 130).astype(np.uint8)
        assert cv2.connectedComponents(marks)[0] == 1 + 4


def test_every_pixel_of_a_variation_lies_inside_the_picture() -> None:
    """A frame of one colour around the picture never widens: it is cut off or shown once."""
    image = np.full((200, 260, 3), 90, np.uint8)
    image[:1], image[-1:], image[:, :1], image[:, -1:] = ((255, 0, 255),) * 4
    for seed in range(40):
        rng = np.random.default_rng(seed)
        box = np.array([0, 0, 90, 90]) + np.tile(rng.integers(0, 110, 2), 2)
        varied = vary(image, box, rng)
        framed = (varied[..., 0].astype(int) - varied[..., 1]) > 90
        assert framed.mean() < 0.04


def test_keys_and_seeds_hang_on_the_identity_alone() -> None:
    assert order_key("a", "world", 0, 1) == order_key("a", "world", 0, 1)
    keys = {order_key(name, "world", n, seed) for name in "ab" for n in (0, 1) for seed in (1, 2)}
    assert len(keys) == 8
    assert all(0 <= seed < 2**63 for _, seed in keys)


@pytest.mark.parametrize(
    ("sides", "in_origin", "flaw"),
    [
        ((50,), 1, None),
        ((50, 45), 1, "PAIR_MANY_FACES"),
        ((60, 9), 1, "PAIR_MANY_FACES"),
        ((60, 9), 2, None),
        ((60, 9, 8), 2, "PAIR_MANY_FACES"),
        ((50, 45), 2, "PAIR_MANY_FACES"),
    ],
)
def test_a_variation_may_show_no_more_faces_than_its_origin(
    tmp_path: Path, sides: tuple[int, ...], in_origin: int, flaw: str | None, root: Path
) -> None:
    """Bystanders of the origin are no fault of the copy; a second head is."""
    from mm_model.settings import load_profile

    faces = [face(2 + 70 * n, 10, side) for n, side in enumerate(sides)]
    portrait = IdentityPicture(
        "ab" * 8, _photo(tmp_path), None, 96, 96, face(24, 20, 50), in_origin
    )
    identity = Identity("id-0001", None, False, (portrait,))
    rules = load_profile(root, "tiny").faces
    order = Order("made-1", identity, "augment", 3, tmp_path / "made", rules)
    row = make(FakePack(lambda image: faces), order)
    assert (row["flaw"], row["faces"]) == (flaw, len(sides))
    assert row["embedding"] and row["score"] == 0.9
    assert row.get("flaw_value") == (len(sides) if flaw else None)


def test_a_picture_that_cannot_be_made_is_a_row(tmp_path: Path, root: Path) -> None:
    import cv2

    from mm_model.settings import load_profile

    def fails(image: np.ndarray) -> list:
        cv2.resize(image, (0, 0))
        return []

    rules = load_profile(root, "tiny").faces
    order = Order("made-1", _identity(_photo(tmp_path)), "augment", 3, tmp_path / "made", rules)
    row = make(FakePack(fails), order)
    assert (row["made"], row["flaw"]) == (False, "SYS_WORKER_CRASH")
    assert "resize" in row["message"] and "\n" not in row["message"]
    lost = Order("made-2", _identity(tmp_path / "gone.jpg"), "augment", 3, tmp_path, rules)
    assert make(FakePack(lambda image: []), lost)["flaw"] == "SYS_WORKER_CRASH"


def test_no_synthesiser_is_none() -> None:
    assert open_synthesizer("none") is None
    assert {open_synthesizer(name).name for name in ("world", "augment")} == {"world", "augment"}


@pytest.mark.parametrize(
    ("faces", "flaw"), [(0, "PAIR_NO_FACE"), (1, None), (2, "PAIR_MANY_FACES")]
)
def test_what_is_made_is_looked_at_as_written(
    tmp_path: Path, faces: int, flaw: str | None, root: Path
) -> None:
    from mm_model.media.images import load_image
    from mm_model.settings import load_profile

    seen = []
    pack = FakePack(
        lambda image: seen.append(image) or [face(2 + 45 * n, 20, 40) for n in range(faces)]
    )
    rules = load_profile(root, "tiny").faces
    order = Order("made-1", _identity(tmp_path / "x.jpg"), "world", 3, tmp_path / "made", rules)
    row = make(pack, order)
    assert row["flaw"] == flaw
    np.testing.assert_array_equal(seen[0], load_image(tmp_path / "made" / "made-1.jpg"))
    assert ("embedding" in row) == (flaw != "PAIR_NO_FACE")
