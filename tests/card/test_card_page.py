"""What a reader of the dataset card sees, and what is kept from him."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mm_model.card import outputs, page, people
from mm_model.commands import cli
from mm_model.errors import UserError
from mm_model.report import page as report
from mm_model.store.layout import Layout
from tests.card.small import face, layout_at, publish, refused

SCRIPT = "<script>alert('x')</script>\"><img src=x onerror=y>"


@pytest.fixture
def layout(root: Path, tmp_path: Path) -> Layout:
    return layout_at(root, tmp_path / "tree")


def _text(layout: Layout, **how: Any) -> str:
    text = page.build(layout, **how).read_text()
    assert "could not be made" not in text
    return text


def _photo(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((60, 80, 3), grey, np.uint8)
    picture[20:40, 30:50] = 255 - grey
    assert cv2.imwrite(str(path), picture)


def _file(number: int, **more: Any) -> dict[str, Any]:
    return {
        "sample_id": f"s{number:05d}",
        "source_id": f"r{number}",
        "name": f"p{number}.jpg",
        "media": "image",
        "num_frames": 1,
        "width": 80,
        "height": 60,
        "shorter_side": 60,
        **more,
    }


def test_names_of_strangers_are_text_and_nothing_else(layout: Layout) -> None:
    rows = [face(1, 20.0, name=f"{SCRIPT}.jpg", identity=SCRIPT)]
    publish(
        layout, "sources", [{"source_id": "r", "consent": SCRIPT, "licence": SCRIPT}], ["licence"]
    )
    publish(layout, "ingest", [_file(1)])
    publish(layout, "faces", rows)
    text = _text(layout)
    assert "<script" not in text and "<img src=x" not in text and "onerror=y>" not in text
    assert unescape(text).count(SCRIPT) >= 3, "file, identity and licence are told"


def test_a_field_in_a_sentence_is_shown_as_one(layout: Layout) -> None:
    publish(layout, "ingest", [_file(1)])
    text = _text(layout)
    assert "where <code>ingest.caption_lint</code> is reject" in text and "`" not in text


def test_a_half_finished_run_says_what_has_not_run(layout: Layout) -> None:
    with pytest.raises(UserError, match="no dataset yet: start with 'make run'"):
        page.build(layout)
    publish(layout, "sources", [{"source_id": "r", "synthetic": False}])
    text = _text(layout)
    assert all(f"stage {name} has not run" in text for name in ("ingest", "faces", "pairs"))
    assert "nobody is told apart yet" in text and "There are no pairs yet" in text


def test_a_damaged_output_costs_itself_alone(layout: Layout) -> None:
    publish(layout, "ingest", [_file(1)])
    publish(layout, "faces", [face(1, 20.0)])
    (layout.output("ingest") / "samples.parquet").write_bytes(b"no table")
    text = _text(layout)
    assert "stage ingest cannot be read" in text and "faces: blurred face" in text


def test_pictures_that_cannot_be_shown_say_so(layout: Layout) -> None:
    """A published file that changed since, and a stranger's that is broken."""
    for number in (1, 2):
        _photo(layout.output("ingest") / "files" / f"s{number}.jpg", 90 * number)
    raw = layout.root / "raw"
    _photo(raw / "small.png", 200)
    (raw / "cut.png").write_bytes((raw / "small.png").read_bytes()[:90])
    given = [("small.png", 10), ("cut.png", 11)]
    publish(
        layout,
        "sources",
        [{"source_id": f"r{number}", "path": f"raw/{name}"} for name, number in given],
    )
    small = refused("FMT_TOO_SMALL", 60, 64)
    rows = [_file(number, file=f"files/s{number}.jpg") for number in (1, 2)]
    publish(layout, "ingest", [*rows, *(_file(number, **small) for _, number in given)])
    _photo(layout.output("ingest") / "files" / "s2.jpg", 20)
    text = _text(layout)
    told = re.findall(r'<div class="none">(.*?)</div>', text)
    assert any("no longer the file that was published" in one for one in told)
    assert any(one.startswith("cannot be read: ") for one in told)
    assert 'alt="rejected: p10.jpg, 60"' in text and 'alt="kept: p1.jpg, 60"' in text
    assert 'p2.jpg, 60"' not in text and 'p11.jpg, 60"' not in text


def test_a_file_without_consent_is_never_opened(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mm_model.card import album

    asked: list[Any] = []
    nothing = album.Shown(None, "nothing")

    def noted(_: Any, places: list[album.Place]) -> dict[album.Place, album.Shown]:
        asked.extend(places)
        return dict.fromkeys(places, nothing)

    monkeypatch.setattr(album.Album, "_foreign", noted)
    paths = {f"r{n}": f"raw/{n}.png" for n in range(3)}
    publish(
        layout,
        "sources",
        [
            {"source_id": "r0", "path": paths["r0"]},
            {"source_id": "r1", "path": paths["r1"]},
            {"source_id": "r2", "path": paths["r2"], **refused("IO_SYMLINK_ESCAPE", None, None)},
        ],
    )
    reasons = {0: "RIGHTS_CONSENT", 1: "FMT_TOO_SMALL", 2: "FMT_TOO_SMALL"}
    rows = [_file(n, **refused(reason, 60, 64)) for n, reason in reasons.items()]
    publish(layout, "ingest", rows)
    page.build(layout)
    assert [place.file for place in asked] == ["raw/1.png"]


def test_licences_and_origins_are_counted_where_they_are_recorded(layout: Layout) -> None:
    publish(layout, "sources", [{"source_id": "r"}])
    text = re.sub(r"\s+", " ", _text(layout))
    assert text.count('<th scope="row">not recorded</th>') == 2
    rows = [{"source_id": "a", "licence": "CC-BY-4.0", "origin": "a site"}] * 3
    publish(layout, "sources", [*rows, {"source_id": "b"}], ["licence", "origin"])
    text = re.sub(r"\s+", " ", _text(layout))
    assert '<th scope="row">CC-BY-4.0</th><td></td><td class="n">3</td>' in text
    assert '<th scope="row">not recorded</th><td></td><td class="n">1</td>' in text


def test_a_consent_goes_by_its_id(layout: Layout) -> None:
    given = ["words:0123456789abcdef", "written:shelf-4", "Anna said yes on the phone", None]
    publish(layout, "sources", [{"source_id": str(n), "consent": c} for n, c in enumerate(given)])
    text = _text(layout)
    assert given[0] in text and given[1] in text and "no record covers these files" in text
    assert "Anna" not in text


def test_real_people_have_no_category(layout: Layout) -> None:
    publish(layout, "sources", [{"source_id": "r", "synthetic": False}])
    publish(layout, "faces", [face(n, 20.0) for n in range(8)])
    text = _text(layout)
    assert "unavailable: the pack holds no genderage model" in text
    assert ">elderly man<" not in text


def test_a_pack_s_estimates_make_the_balance_of_real_people(layout: Layout) -> None:
    """The median of a person's files; who has no estimate stays unavailable."""
    publish(layout, "sources", [{"source_id": "r", "synthetic": False}])
    ages, women = [1, 70, 80, 75] + [12] * 4, [0.9, 0.9, 0.2, 0.8] + [0.1] * 4
    estimates = [
        {"age_years": float(age), "gender_p_female": woman}
        for age, woman in zip(ages, women, strict=True)
    ]
    publish(layout, "faces", [face(n, 20.0, **estimates[n]) for n in range(8)] + [face(8, 20.0)])
    found = people.population(outputs.published(layout))
    assert found is not None and found.estimated
    assert {one.name: one.category for one in found.listed} == {
        "id-0": "elderly woman",
        "id-1": "boy",
        "id-2": people.UNKNOWN,
    }
    text = re.sub(r"\s+", " ", _text(layout))
    assert "estimates of the face pack's genderage model" in text and "under 16 a child" in text


def test_the_paper_s_funnel_stands_beside(layout: Layout) -> None:
    publish(layout, "sources", [{"source_id": str(n)} for n in range(7)])
    text = _text(layout)
    for number in ("5,000,000", "107,000", "50,000", "120,000", "70,000", "29,000", "2501.03931"):
        assert number in text
    assert "files found: 7" in text


def test_blurred_cards_name_no_file(layout: Layout) -> None:
    publish(layout, "ingest", [_file(1)])
    publish(layout, "faces", [face(1, 20.0, name="anna_mueller.jpg")])
    assert "anna_mueller" in _text(layout)
    assert "anna_mueller" not in _text(layout, blur=True)


def test_the_command_writes_it_where_it_is_told(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(layout, "sources", [{"source_id": "r"}])
    monkeypatch.setenv("MM_ROOT", str(layout.root))
    place = layout.root / "cards" / "mine.html"
    assert cli.main(["dataset-card", str(place), "--blur"]) == 0
    assert capsys.readouterr().out.strip() == str(place)
    assert "Faces are blurred" in place.read_text() and (place.parent / "card.json").is_file()
    assert cli.main(["dataset-card"]) == 0
    assert "Faces are blurred" not in page.usual_place(layout).read_text()


def test_the_report_page_leads_to_a_card_that_is_there(layout: Layout) -> None:
    publish(layout, "sources", [{"source_id": "r"}])
    assert "dataset-card.html" not in report.render(layout)
    place = page.build(layout)
    assert f'href="{place.name}"' in report.render(layout)
    assert place.parent == layout.page.parent


def test_every_expectation_is_shown_with_what_was_observed(layout: Layout) -> None:
    """The verdicts lie beside the table; a warning is open to see, a stage without any is told."""
    publish(layout, "ingest", [_file(1)])
    text = _text(layout)
    assert "No stage has left the verdicts of its audit" in text
    verdicts = [
        {
            "expectation": "expect_column_values_to_be_between",
            "table": "samples.parquet",
            "column": "width",
            "severity": severity,
            "success": success,
            "observed": observed,
            "rows": [],
            "sentence": "expect_column_values_to_be_between: samples.parquet, column 'width': "
            f"at least 64, at most 128; observed {observed}",
        }
        for severity, success, observed in (
            ("critical", True, "0 of 7 rows against it"),
            ("warning", False, SCRIPT),
        )
    ]
    said = {"stage": "ingest", "success": True, "expectations": verdicts}
    (layout.output("ingest") / "audit.json").write_text(json.dumps(said))
    text = _text(layout)
    assert SCRIPT not in text
    shown = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text.split('id="checks"')[1])))
    assert "1 of 2 expectations hold" in shown
    assert "samples.parquet, width: at least 64, at most 128 holds 0 of 7 rows" in shown
    assert shown.index(" warning ") < shown.index(" holds 0 of 7")
    for damaged in ("[]", '{"expectations": 3}', "nonsense"):
        (layout.output("ingest") / "audit.json").write_text(damaged)
        assert "No stage has left" in _text(layout)
