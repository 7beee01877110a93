"""The card of a real run: its counts, its pictures, blurred and not, in a browser too."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_model.card import album, outputs, page
from mm_model.card.album import Album, Places
from mm_model.facepack.port import FacePack, open_pack
from mm_model.media.images import load_image
from mm_model.settings import load_profile
from mm_model.store.layout import Layout
from tests.report.browsing import DESKTOP, NARROW, PHONE, chromium, opened, unfold, violations
from tests.small_chain import built

pytestmark = pytest.mark.slow

_PICTURE = re.compile(r'src="data:image/jpeg;base64,([\w+/=]+)" alt="([^"]*)"')


@pytest.fixture(scope="module")
def layout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return Layout(built(root, tmp_path_factory), "tiny")


@pytest.fixture(scope="module")
def cards(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("cards")
    return {
        name: page.build(layout, place / f"{name}.html", blur=name == "blurred")
        for name in ("plain", "blurred")
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def test_the_card_holds_the_run_s_own_numbers(layout: Layout, cards: dict[str, Path]) -> None:
    text = re.sub(r"\s+", " ", cards["plain"].read_text())
    assert "could not be made" not in text and "All accounts add up" in text
    for stage in outputs.STAGES:
        report = json.loads((layout.output(stage) / "report.json").read_text())
        rejected, failed = (sum(report[kind].values()) for kind in ("rejected", "failed"))
        cells = "".join(
            f'<td class="n">{number}</td>'
            for number in (report["total"], report["kept"], rejected, failed)
        )
        assert f'<th scope="row">{stage}</th>{cells}' in text
    people = json.loads((layout.output("faces") / "report.json").read_text())["metrics"]
    sides = people["identities_train"], people["identities_held_out"]
    assert "<b>{}</b> people to train on and <b>{}</b> held out".format(*sides) in text
    assert "nobody real is shown" in text and '<th scope="row">elderly woman</th>' in text
    assert "face pack: commercial-ok; backbone: commercial-ok" in text


def test_the_card_needs_no_network_and_stays_small(cards: dict[str, Path]) -> None:
    for path in cards.values():
        text = path.read_text()
        assert len(text) < 5_000_000 and len(_PICTURE.findall(text)) > 40
        assert not re.findall(r'(?:src|href)="(?!data:|#)', text) and "url(" not in text


def test_each_picture_says_what_it_is(cards: dict[str, Path]) -> None:
    for _, words in _PICTURE.findall(cards["plain"].read_text()):
        assert re.fullmatch(r"(kept|rejected): .+, (no value|[-\d.,e+]+)", words), words


def _found(pack: FacePack, picture: np.ndarray) -> int:
    return len(pack.detect(picture, above=0.5))


def test_no_face_is_left_in_a_blurred_picture(layout: Layout, tiny_facepack: Path) -> None:
    """The detector that found the faces finds them in small pictures still, and in no blurred."""
    pack = open_pack(tiny_facepack, 128)
    found, profile = outputs.published(layout), load_profile(layout.root, "tiny")
    table = found["faces"].columns("sample_id", "status").to_pylist()
    ids = {row["sample_id"] for row in table if row["status"] == "kept"}
    places = Places(found, ids, set())
    asked = [place for one in sorted(ids) if (place := places.of_sample(one))]
    assert len(asked) >= 20 and sum(place.boxes is not None for place in asked) >= 15
    seen = {}
    for blur in (False, True):
        shown = Album(layout, found, profile, blur).shown(asked).values()
        pictures = [load_image(base64.b64decode(str(one.uri).partition(",")[2])) for one in shown]
        seen[blur] = [_found(pack, picture) for picture in pictures]
    assert np.mean([number > 0 for number in seen[False]]) > 0.9
    assert sum(seen[True]) == 0


def test_on_the_blurred_card_no_picture_shows_a_face(
    cards: dict[str, Path], tiny_facepack: Path
) -> None:
    pack = open_pack(tiny_facepack, 128)
    pictures = _PICTURE.findall(cards["blurred"].read_text())
    assert len(pictures) > 40
    for content, words in pictures:
        assert words.endswith(", blurred")
        assert _found(pack, load_image(base64.b64decode(content))) == 0, words


def test_where_a_second_face_was_seen_all_is_blurred(layout: Layout) -> None:
    found = outputs.published(layout)
    rows = found["faces"].columns("sample_id", "most_faces", "bystanders").to_pylist()
    several = {
        row["sample_id"] for row in rows if (row["most_faces"] or 0) + (row["bystanders"] or 0) != 1
    }
    assert several, "the small chain has pictures of several people, or of none"
    places = Places(found, several, set())
    assert {place.boxes for one in several if (place := places.of_sample(one))} == {None}


def test_a_page_that_would_grow_too_large_leaves_pictures_out(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(album, "MOST_BYTES", 30_000)
    text = page.build(layout, tmp_path / "card.html").read_text()
    assert "left out: the page would grow too large" in text
    assert sum(len(content) for content, _ in _PICTURE.findall(text)) < 200_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(
    browser: Any, cards: dict[str, Path], size: tuple[int, int], scheme: str
) -> None:
    shown = opened(browser, cards["plain"], size, color_scheme=scheme)
    unfold(shown)
    assert violations(shown) == []
    shown.context.close()


@pytest.mark.parametrize("size", [PHONE, NARROW], ids=["390", "320"])
@pytest.mark.parametrize("name", ["plain", "blurred"])
def test_a_phone_scrolls_down_and_never_sideways(
    browser: Any, cards: dict[str, Path], name: str, size: tuple[int, int]
) -> None:
    shown = opened(browser, cards[name], size)
    unfold(shown)
    assert shown.evaluate("document.documentElement.scrollWidth") == size[0]
    shown.context.close()
