"""The film of the training on the report page: moments in order, embedded once."""

import base64
import json
import re
from pathlib import Path

import pytest

from mm_model.report import page
from mm_model.store.layout import Layout
from tests.report.hostile import tree


@pytest.fixture
def layout(root: Path, tmp_path: Path) -> Layout:
    return tree(root, tmp_path / "tree")


def _moments(layout: Layout) -> list[str]:
    return re.findall(r'<div class="words">(.*?)</div>', page.render(layout))


def test_the_film_runs_over_both_trainings_and_its_end_stands_longer(layout: Layout) -> None:
    assert _moments(layout) == [
        *(f"Training on pictures, step {step}" for step in (0, 6)),
        *(f"Training on clips, step {step}" for step in (0, 4)),
    ]
    text = page.render(layout)
    starts = re.findall(r"@keyframes moment-\d\{.*?([\d.]+)%\{visibility:visible\}", text)
    assert starts == ["0", "16.667", "33.333", "50.000"], "four moments, the last of three lengths"
    assert ".moment{animation-duration:6.750s}" in text, "six times nine frames at eight a second"


def test_before_the_second_sample_there_is_no_film(layout: Layout) -> None:
    for stage, step in (("pretrain", 6), ("finetune", 0), ("finetune", 4)):
        (layout.output(stage) / "samples" / f"step_{step:06d}.strip.jpg").unlink()
    assert _moments(layout) == []


def test_trainings_that_watched_different_people_make_no_film(layout: Layout) -> None:
    people = layout.output("finetune") / "samples" / "people.json"
    people.write_text(json.dumps([{"prompt": "another"}]))
    assert _moments(layout) == []


def test_who_is_shown_twice_is_embedded_once(layout: Layout) -> None:
    strips = [*layout.data.rglob("strips/*.jpg"), *layout.data.rglob("samples/*.jpg")]
    assert len(strips) > 10
    text = page.render(layout)
    for path in strips:
        assert text.count(f"base64,{base64.b64encode(path.read_bytes()).decode()})") == 1, path
