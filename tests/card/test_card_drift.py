"""What moved between two versions of a dataset, and what chance alone moves."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mm_model.card import drift, page
from mm_model.errors import UserError
from mm_model.store.layout import Layout
from tests.card.small import face, layout_at, publish, refused


@pytest.fixture
def layout(root: Path, tmp_path: Path) -> Layout:
    return layout_at(root, tmp_path / "tree")


def _faces(seed: int, number: int = 300, shift: float = 0.0, **more: Any) -> list[dict[str, Any]]:
    drawn = random.Random(seed)
    return [face(n, drawn.gauss(100, 20) + shift, face_size=40.0, **more) for n in range(number)]


def _cards(layout: Layout, place: Path, *versions: list[dict[str, Any]]) -> str:
    for rows in versions:
        publish(layout, "faces", rows)
        page.build(layout, place / "card.html")
    return (place / "card.html").read_text()


def test_a_shifted_measure_is_named(layout: Layout, tmp_path: Path) -> None:
    said = _cards(layout, tmp_path, _faces(1), _faces(2, shift=15))
    assert "<b>1</b> of" in said and "faces: sharpness" in said and "large move" in said


def test_other_samples_of_the_same_kind_do_not_move(layout: Layout, tmp_path: Path) -> None:
    said = _cards(layout, tmp_path, _faces(1), _faces(2))
    assert "Nothing moved since version" in said


@pytest.mark.parametrize("seed", range(10))
def test_few_samples_do_not_move_by_chance(seed: int) -> None:
    drawn = random.Random(seed)
    counts = [[sum(drawn.random() < 0.1 for _ in range(30)) for _ in range(10)] for _ in "ab"]
    index, told = drift.index_of(*counts)
    assert index > 0 and not told


@pytest.mark.parametrize(("before", "now"), [(1.0, 0.5), (0.5, 1.0)])
def test_a_measure_that_was_one_value_everywhere_moves_both_ways(
    layout: Layout, tmp_path: Path, before: float, now: float
) -> None:
    said = _cards(layout, tmp_path, _faces(1, found_share=before), _faces(1, found_share=now))
    assert "faces: found_share" in said


def test_a_measure_that_is_no_longer_had_and_shares_of_reasons_move(
    layout: Layout, tmp_path: Path
) -> None:
    small = [face(900 + n, 60, face_size=9.0, **refused("FACE_SMALL", 9, 28)) for n in range(90)]
    gone = [{**row, "sharpness": None} for row in _faces(1)]
    said = _cards(layout, tmp_path, _faces(1), [*gone, *small])
    assert "faces: shares of reasons" in said and "FACE_SMALL 23.1%" in said
    assert "faces: sharpness" in said and "300 without" in said


def test_a_card_made_again_compares_with_the_same_version(layout: Layout, tmp_path: Path) -> None:
    said = _cards(layout, tmp_path, _faces(1), _faces(2, shift=15))
    page.build(layout, tmp_path / "card.html")
    page.build(layout, tmp_path / "blurred.html", blur=True)
    assert (tmp_path / "card.html").read_text() == said
    assert "faces: sharpness" in (tmp_path / "blurred.html").read_text()


def test_quantiles_and_counts_are_remembered(layout: Layout, tmp_path: Path) -> None:
    _cards(layout, tmp_path, [face(n, float(n)) for n in range(101)])
    found = json.loads((tmp_path / "card.json").read_text())
    measure = found["stages"]["faces"]["measures"]["sharpness"]
    assert measure["quantiles"]["0.5"] == 50 and measure["quantiles"]["0.95"] == 95
    assert sum(measure["parts"]) == 101 and found["stages"]["faces"]["counts"]["kept"] == 101


def test_somebody_else_s_card_json_stays(layout: Layout, tmp_path: Path) -> None:
    publish(layout, "faces", _faces(1))
    (tmp_path / "card.json").write_text('{"release_digest": "1"}')
    with pytest.raises(UserError, match="written by no dataset card"):
        page.build(layout, tmp_path / "card.html")
    assert (tmp_path / "card.json").read_text() == '{"release_digest": "1"}'
    assert not (tmp_path / "card.html").exists()


def test_another_dataset_is_not_compared(layout: Layout, tmp_path: Path) -> None:
    _cards(layout, tmp_path, _faces(1))
    path = tmp_path / "card.json"
    path.write_text(path.read_text().replace('"name": "tiny"', '"name": "other"'))
    assert "of another dataset, other: not compared" in _cards(layout, tmp_path, _faces(2))
