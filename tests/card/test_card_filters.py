"""What a dataset card says of filters: counts, bounds, and who came nearest."""

from pathlib import Path

import pytest

from mm_model.card import filters, outputs
from mm_model.card.filters import FilterView
from mm_model.settings import load_profile
from mm_model.store.layout import Layout
from tests.card.small import face, layout_at, publish, refused


@pytest.fixture
def layout(root: Path, tmp_path: Path) -> Layout:
    return layout_at(root, tmp_path / "tree")


def _view(layout: Layout, stage: str, name: str) -> FilterView:
    profile = load_profile(layout.root, "tiny")
    found = filters.viewed(outputs.published(layout)[stage], profile)
    return next(view for view in found if view.decision.name == name)


def test_the_bound_stands_between_what_it_parts(layout: Layout) -> None:
    """The profile's least sharpness is 15."""
    kept = [face(n, 16 + n) for n in range(20)]
    blurred = [face(50 + n, 14 - n, **refused("FACE_BLUR", 14 - n, 15)) for n in range(5)]
    publish(layout, "faces", [*kept, *blurred])
    view = _view(layout, "faces", "blurred_face")
    assert view.rejected == 5 and view.bounds == (("faces.min_sharpness", 15.0),)
    assert view.histogram is not None
    ((_, value, x),) = view.histogram.lines
    scale = view.histogram.scale
    assert value == 15 and scale.at(14) < x < scale.at(16)
    # halfway between the bars of 14 and 16, to a pixel
    assert x == pytest.approx((scale.at(14) + scale.at(16)) / 2, abs=1)
    for bar in view.histogram.bars:
        middle = bar.x + bar.width / 2
        assert (middle > x) == (bar.kind == "kept")
        assert (bar.y + bar.height <= 100.01) == (bar.kind == "kept"), "kept above the axis"
    assert sum(bar.count for bar in view.histogram.bars if bar.kind == "kept") == 20
    assert sum(bar.count for bar in view.histogram.bars if bar.kind == "rejected") == 5


def test_the_nearest_to_the_bound_are_shown_on_either_side(layout: Layout) -> None:
    kept = [face(n, 100 - n) for n in range(80)]  # 21 to 100
    blurred = [face(100 + n, n / 2, **refused("FACE_BLUR", n / 2, 15)) for n in range(29)]
    other = [face(200, 15.1, **refused("FACE_SMALL", 9, 28))]
    publish(layout, "faces", [*kept, *blurred, *other])
    view = _view(layout, "faces", "blurred_face")
    assert [near.value for near in view.kept_near] == [21 + n for n in range(12)]
    assert [near.value for near in view.rejected_near] == [14 - n / 2 for n in range(12)]
    rows = outputs.published(layout)["faces"].rows([view.kept_near[0].place], "sharpness", "name")
    assert rows == [{"sharpness": 21.0, "name": "p79.jpg"}]


def test_who_was_rejected_without_a_value_is_counted_and_shown_last(layout: Layout) -> None:
    rows = [face(n, 40, detection_score=0.9) for n in range(3)]
    rows += [face(10, None, **refused("FACE_NONE", None, 0.5))]
    rows += [face(11, None, detection_score=0.3, **refused("FACE_NONE", 0.3, 0.5))]
    publish(layout, "faces", rows)
    view = _view(layout, "faces", "no_face")
    assert (view.rejected, view.valueless) == (2, 1)
    assert [near.value for near in view.rejected_near] == [0.3, None]


def test_a_reason_of_two_filters_goes_to_the_one_whose_bound_it_carries(layout: Layout) -> None:
    row = {"sample_id": "a", "name": "a.png", "media": "image"}
    publish(
        layout,
        "ingest",
        [
            {**row, "pixels": 90_000_000, **refused("FMT_BOMB", 90_000_000, 89_000_000)},
            {**row, **refused("FMT_BOMB", None, 1536)},
            {**row, **refused("FMT_BOMB", None, 1536)},
            {**row, **refused("VID_DECODE_TIMEOUT", 20, 20)},
        ],
    )
    assert _view(layout, "ingest", "too_many_pixels").rejected == 1
    assert _view(layout, "ingest", "too_dear").rejected == 3


def test_a_photograph_is_no_clip_of_one_frame(layout: Layout) -> None:
    rows = [{"sample_id": f"{n}", "media": "image", "num_frames": 1} for n in range(5)]
    rows += [{"sample_id": "clip", "media": "clip", "num_frames": 12}]
    publish(layout, "ingest", rows)
    view = _view(layout, "ingest", "too_short")
    assert [near.value for near in view.kept_near] == [12]
    assert view.histogram is not None and sum(bar.count for bar in view.histogram.bars) == 1


def test_a_bound_that_the_profile_changed_since_is_said_and_the_run_s_is_drawn(
    layout: Layout,
) -> None:
    publish(layout, "faces", [face(1, 50), face(2, 20, **refused("FACE_BLUR", 20, 30))])
    view = _view(layout, "faces", "blurred_face")
    assert [value for _, value in view.bounds] == [30]
    assert "held samples to 30; the profile says faces.min_sharpness 15" in view.notes[0]


def test_a_table_that_differs_from_its_report_is_told(layout: Layout) -> None:
    publish(layout, "sources", [{"source_id": str(n)} for n in range(3)])
    publish(layout, "ingest", [{"sample_id": str(n)} for n in range(3)])
    publish(layout, "faces", [face(n, 20) for n in range(3)])
    assert outputs.doubts(outputs.published(layout)) == []
    path = layout.output("faces") / "samples.parquet"
    publish(layout, "faces", [face(n, 20) for n in range(2)])
    lost = path.read_bytes()
    publish(layout, "faces", [face(n, 20) for n in range(3)])
    path.write_bytes(lost)
    told = outputs.doubts(outputs.published(layout))
    assert "faces reports '3 in = 3 kept" in told[0] and "holds '2 in = 2 kept" in told[0]
    assert "faces took 2 samples, and ingest has 3 kept files" in told[1]
