"""`promote` and `pin`: a person makes a version champion, or keeps the one that stands."""

from __future__ import annotations

from typing import Any

import pytest

from mm_model.register import served
from mm_model.tracking import store
from tests.serving.house import House, metrics
from tests.stages.test_releases import (
    NAME,
    challenger,
    champion,
    grown,
    house,
    refused,
    say,
    trained,
)

__all__ = ["grown", "house"]  # fixtures
pytestmark = pytest.mark.capability("promotion, pins, rollback", scale="T")


def worse(house: House) -> None:
    """A third version, which the rule makes challenger."""
    house.stub_weights("worse")
    house.evaluated(metrics([0.1, 0.2, 0.3, 0.2]))
    assert house.register()["aliases"] == ["challenger"]


def test_a_promoted_challenger_is_champion_and_no_challenger(house: House, capsys: Any) -> None:
    worse(house)
    said = say(capsys, "promote", "3", "--reason", "steadier hands")
    assert said.startswith("Version 3 is pinned as champion, by ")
    assert "(steadier hands)" in said and "until 'python -m mm_model unpin'" in said
    assert (champion(house), challenger(house)) == (3, None)
    assert served.checked_folder(house.layout, NAME) == served.checked_folder(
        house.layout, NAME, "3"
    )
    say(capsys, "rollback")
    assert champion(house) == 2, "the champion before is where a rollback goes"


def test_a_pinned_champion_keeps_its_place_from_a_better_newcomer(
    house: House, capsys: Any
) -> None:
    assert "Version 2 is pinned as champion" in say(capsys, "pin", "--reason", "a show tomorrow")
    release = trained(house, "three")
    assert release["aliases"] == ["challenger"]
    assert any("(a show tomorrow)" in sentence for sentence in release["sentences"])
    assert champion(house) == 2
    said = say(capsys, "pin", "--reason", "the show is longer")
    assert "(the show is longer)" in said and said.strip() in say(capsys, "releases")
    assert "Promoted to champion." in say(capsys, "unpin")
    assert champion(house) == 3


def test_a_reason_stays_until_another_is_said(house: House, capsys: Any) -> None:
    say(capsys, "rollback", "--reason", "blue faces")
    for words in (("pin",), ("promote", "1"), ("pin", "--reason", " ")):
        assert "(blue faces)" in say(capsys, *words)
    assert "(red ones)" in say(capsys, "pin", "--reason", "red ones")
    assert "(" not in say(capsys, "promote", "2"), "another choice has a reason of its own"


def test_whom_a_person_went_back_from_is_explained(house: House, capsys: Any) -> None:
    say(capsys, "rollback", "--reason", "blue faces")
    left = say(capsys, "explain", "2")
    assert "no alias points to it\n  it was champion before" in left
    now = say(capsys, "explain", "champion")
    assert "(blue faces)" in now and "it was champion before" not in now
    release = say(capsys, "releases").splitlines()[1].split()[1]  # as it is shown there
    assert say(capsys, "explain", release) == left
    assert "There is no release 'aaaaaaaa' here" in refused(capsys, "explain", "aaaaaaaa")
    assert "There is no release '9' here" in refused(capsys, "explain", "9")


def test_a_pin_keeps_who_was_champion_before(house: House, capsys: Any) -> None:
    say(capsys, "pin")
    say(capsys, "rollback")
    assert champion(house) == 1


def test_what_cannot_be_chosen_is_said_and_nothing_moves(house: House, capsys: Any) -> None:
    assert "There is no version 9" in refused(capsys, "promote", "9")
    folder = served.checked_folder(house.layout, NAME, "1")
    (folder / "model.py").write_text("# damaged\n")
    assert "is not what was registered" in refused(capsys, "promote", "1")
    assert champion(house) == 2
    store.open_client(house.layout).delete_registered_model_alias(NAME, "champion")
    assert "promote 2'" in refused(capsys, "pin")
    assert champion(house) is None
    say(capsys, "promote", "2")
    assert champion(house) == 2
