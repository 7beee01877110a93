"""A run held against a stored one: what lies outside is named; nothing compared is no success."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.report import against


def _span(value: float, half: float = 0.1) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "people": 21}


RUN: dict[str, Any] = {
    "profile": "tiny",
    "evaluation": {
        "headline": "tiny",
        "people": 21,
        "candidate": "finetune",
        "test_set_digest": "t",
        "judges": {
            "tiny": {"kind": "house", "title": "ours", "pack": {"digest": "a"}},
            "dlib": {"kind": "outsider", "title": "dlib's", "pack": {"digest": "b"}},
        },
        "variants": {"finetune": {"identity": _span(0.2), "fm_ref": _span(0.4)}},
        "gain": {"finetune_over_base": _span(0.1)},
        "named": {
            judge: {"finetune": {"hits": 7, "people": 21, "low": 0.2, "high": 0.5}}
            for judge in ("tiny", "dlib")
        },
        "twins": {"tiny": {"finetune": {"hits": 12, "people": 21, "chance": 4.2}}},
    },
}


def _stored(tmp_path: Path, run: dict[str, Any] = RUN) -> against.Stored:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run))
    return against.read(path)


def _changed(*where: str, to: Any) -> dict[str, Any]:
    run = copy.deepcopy(RUN)
    part = run["evaluation"]
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = to
    return run


def test_an_equal_run_holds(tmp_path: Path) -> None:
    found = against.compare(RUN, _stored(tmp_path))
    assert found.holds and found.compared == 6


@pytest.mark.parametrize(
    ("where", "to", "name"),
    [
        (("variants", "finetune", "identity", "value"), 0.31, "finetune.identity"),
        (("variants", "finetune", "fm_ref", "value"), None, "finetune.fm_ref"),
        (("variants", "finetune"), {}, "finetune.identity"),
        (("gain", "finetune_over_base", "value"), -0.01, "gain.finetune_over_base"),
        (("named", "dlib", "finetune", "hits"), 11, "named.dlib.finetune"),
        (("twins", "tiny", "finetune", "hits"), 3, "twins.tiny.finetune"),
        (("twins",), {}, "twins.tiny.finetune"),
    ],
)
def test_what_lies_outside_is_named(
    where: tuple[str, ...], to: Any, name: str, tmp_path: Path
) -> None:
    found = against.compare(_changed(*where, to=to), _stored(tmp_path))
    assert not found.holds
    assert any(sentence.startswith(name) for sentence in found.outside)


def test_another_judge_s_figures_are_passed_over_and_said(tmp_path: Path) -> None:
    found = against.compare(_changed("judges", "tiny", "pack", "digest", to="c"), _stored(tmp_path))
    assert found.holds and found.compared == 2, "FM_ref, and what dlib's judge named"
    assert any("tiny has other weights" in sentence for sentence in found.passed_over)
    gone = _changed("judges", to={})
    gone["evaluation"]["variants"] = {"finetune": {}}
    found = against.compare(gone, _stored(tmp_path, {**RUN, "evaluation": {"variants": {}}}))
    assert not found.holds, "nothing was compared"


@pytest.mark.parametrize("text", ["", "[]", '{"profile": "tiny"}', '{"profile": 3}'])
def test_what_is_no_stored_run_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match="holds no figures of a run"):
        against.read(tmp_path / "run.json")
    with pytest.raises(UserError, match="cannot be read"):
        against.read(tmp_path / "absent.json")


def test_runs_of_two_profiles_are_not_compared(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="profile 'tiny'"):
        against.compare({**RUN, "profile": "paper"}, _stored(tmp_path))
    with pytest.raises(UserError, match="no evaluation"):
        against.compare({"profile": "tiny", "evaluation": {}}, _stored(tmp_path))


@pytest.mark.parametrize(
    ("field", "to", "word"),
    [("test_set_digest", "u", "another test set"), ("people", 5, "5 people were tested")],
)
def test_another_test_set_is_not_comparable(field: str, to: Any, word: str, tmp_path: Path) -> None:
    found = against.compare(_changed(field, to=to), _stored(tmp_path))
    assert not found.holds and found.compared == 0
    assert "Not comparable" in found.sentences[0] and word in found.sentences[0]


def test_where_the_judge_differs_the_test_set_cannot_be_told(tmp_path: Path) -> None:
    """Its digest covers the judge: what no judge says is compared all the same."""
    run = _changed("judges", "tiny", "pack", "digest", to="c")
    run["evaluation"]["test_set_digest"] = "u"
    found = against.compare(run, _stored(tmp_path))
    assert found.holds and found.compared == 2
    assert any("cannot be told" in sentence for sentence in found.sentences)


def test_another_candidate_is_said(tmp_path: Path) -> None:
    found = against.compare(_changed("candidate", to="pretrain"), _stored(tmp_path))
    assert found.holds
    assert any("candidate is pretrain" in sentence for sentence in found.sentences)


def test_what_an_earlier_stored_run_does_not_say_is_no_difference(tmp_path: Path) -> None:
    stored = copy.deepcopy(RUN)
    for field in ("test_set_digest", "people", "candidate"):
        del stored["evaluation"][field]
    found = against.compare(RUN, _stored(tmp_path, stored))
    assert found.holds and not found.passed_over


def test_a_figure_that_is_no_number_is_named(tmp_path: Path) -> None:
    run = _changed("variants", "finetune", "identity", "value", to=float("nan"))
    with pytest.raises(UserError, match=r"variants\.finetune\.identity\.value") as refusal:
        against.compare(run, _stored(tmp_path))
    assert "no evaluation" not in str(refusal.value)
