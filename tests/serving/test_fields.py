"""A number is declared once: request, options and the record beside a clip follow the table."""

import argparse
import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from mm_model.commands.generate import command
from mm_model.commands.generate.sidecar import Arguments
from mm_model.serving import fields, page, request
from mm_model.serving.engine import PipelineEngine
from mm_model.serving.fields import Field, Model, between
from mm_model.serving.refusal import Code, Refusal
from mm_model.settings import load_profile
from tests.serving.house import ROOT

MODEL = Model(load_profile(ROOT, "tiny").serve, 9)
WARMTH = Field(
    "warm_scale",
    "warmth",
    whole=False,
    default=lambda _: 1.0,
    check=between(Code.NUMBER, 0, 2),
    option="warmth",
    help="how warm",
    says="0 to 2",
    later=True,
)
SAID: dict[str, Any] = {
    "prompt": "a man",
    "references": [],
    "consent": {},
    "adapter": "1",
    "facepack": None,
}


@pytest.fixture
def warmer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "FIELDS", (*fields.FIELDS, WARMTH))


def _numbers() -> dict[str, float]:
    return {one.name: one.default(MODEL) for one in fields.FIELDS}


def test_every_number_of_a_request_is_in_the_table() -> None:
    known = {one.attribute for one in fields.FIELDS}
    assert {one.name for one in dataclasses.fields(fields.Numbers)} == known
    assert known < {one.name for one in dataclasses.fields(request.Request)}


def test_a_further_number_gets_an_option_and_a_row(warmer: None) -> None:
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    assert parser.parse_args(["generate", "--warmth", "1.5"]).warmth == 1.5
    assert "| `warm_scale` | number | 0 to 2 |" in page.table()


def test_a_further_number_is_recorded_and_read_again(warmer: None) -> None:
    numbers = {**_numbers(), "warm_scale": 1.5}
    arguments = Arguments.of({**SAID, **numbers})
    assert arguments.numbers == numbers
    assert arguments.as_dict() == {**SAID, "refine": None, **numbers}


def test_a_record_of_before_a_number_was_there_leaves_it_to_the_default(warmer: None) -> None:
    numbers = _numbers()
    del numbers["warm_scale"]
    assert Arguments.of({**SAID, **numbers}).numbers == numbers
    with pytest.raises(KeyError):
        Arguments.of({**SAID, "warm_scale": 1.0})
    with pytest.raises(TypeError):
        Arguments.of({**SAID, **numbers, "cold_scale": 1.0})


@pytest.mark.parametrize("value", [True, "1", [1], float("nan"), 2.5, -1])
def test_a_further_number_is_held_to_its_kind_and_range(value: Any) -> None:
    with pytest.raises(Refusal, match=r"^warm_scale must (be a number|lie between 0 and 2)\.$"):
        WARMTH.read({"warm_scale": value}, MODEL)
    assert WARMTH.read({}, MODEL) == 1.0


def test_the_table_in_a_page_is_replaced_and_nothing_else() -> None:
    text = f"before\n{page.BEGIN}\noutdated\n{page.END}\nafter\n"
    said = page.page(text)
    assert said.startswith("before\n") and said.endswith("\nafter\n") and "outdated" not in said
    assert page.page(said) == said


class _Method:
    """Keeps what it was asked for."""

    def enroll(self, references: Any) -> str:
        return "somebody"

    def generate(self, subjects: Any, shots: Any, sampling: Any, on_step: Any) -> Any:
        self.asked = (shots, sampling)
        yield None


def _handed_on(wanted: request.Request, monkeypatch: pytest.MonkeyPatch) -> Any:
    import torch

    engine, method = object.__new__(PipelineEngine), _Method()
    monkeypatch.setattr(engine, "_method", method, raising=False)
    monkeypatch.setattr(engine, "_placed", lambda *_: None)
    told = SimpleNamespace(threads=torch.get_num_threads(), face_guidance="keep")
    monkeypatch.setattr(engine, "_config", told, raising=False)
    list(engine.shots([wanted], []))
    return method.asked


@pytest.mark.parametrize("one", fields.FIELDS, ids=lambda one: one.name)
def test_what_is_asked_for_reaches_what_makes_the_clip(
    one: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = {each.attribute: each.default(MODEL) for each in fields.FIELDS}
    wanted = request.Request(consent=None, prompt="a man", references=(), **numbers)
    other = dataclasses.replace(wanted, **{one.attribute: numbers[one.attribute] + 1})
    assert _handed_on(wanted, monkeypatch) != _handed_on(other, monkeypatch), (
        f"{one.name} changes no clip: hand it on in mm_model/serving/engine.py"
    )
