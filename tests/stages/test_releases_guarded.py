"""Two people or two processes at one registry; releases of a server, or evaluated anew."""

from __future__ import annotations

import shutil
import threading
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.register import choice, pins, served, shelf, versions
from mm_model.register import stage as register
from mm_model.store import lock
from mm_model.tracking import places, store
from tests.serving.house import House, metrics
from tests.stages.test_releases import (
    NAME,
    by_mlflow,
    challenger,
    champion,
    grown,
    house,
    say,
    trained,
)

__all__ = ["grown", "house"]  # fixtures


def test_a_person_who_is_quicker_than_the_rule_has_his_way(house: House, monkeypatch: Any) -> None:
    """The alias is moved with MLflow while registration compares figures."""
    decide = versions._decision

    def meanwhile(*given: Any, **named: Any) -> Any:
        by_mlflow(house)
        return decide(*given, **named)

    monkeypatch.setattr(versions, "_decision", meanwhile)
    release = trained(house, "three")
    assert (release["aliases"], release["promoted"]) == (["challenger"], False)
    assert (champion(house), challenger(house)) == (1, 3)
    assert "A person moved the alias." in release["sentences"]


def test_a_fetched_copy_is_looked_at_before_each_use(house: House, monkeypatch: Any) -> None:
    """As where the registry is a server's: its folder is no path of this machine."""
    original = served.checked_folder(house.layout, NAME)
    monkeypatch.setattr(places, "local_path", lambda *_: None)
    copy = served.checked_folder(house.layout, NAME)
    assert copy.is_relative_to(house.root / "work" / "releases")
    script = (copy / "model.py").read_bytes()
    (copy / "model.py").write_text("changed = True\n")
    assert served.checked_folder(house.layout, NAME) == copy
    assert (copy / "model.py").read_bytes() == script
    shutil.rmtree(copy)
    (original / "model.py").write_bytes(script + b"\n")
    with pytest.raises(UserError, match=r"model\.py differs from what was registered"):
        served.checked_folder(house.layout, NAME)
    assert [path.name for path in copy.parent.iterdir()] == [".lock"]


def test_a_store_that_keeps_less_than_was_sent_makes_no_version(
    house: House, monkeypatch: Any
) -> None:
    assemble = shelf.assemble

    def forgetful(described: Any, folder: Any, **rules: Any) -> None:
        assemble(described, folder, **rules)
        (folder / "model.py").unlink()

    monkeypatch.setattr(shelf, "assemble", forgetful)
    with pytest.raises(UserError, match=r"did not keep what was sent \(.*model\.py is missing"):
        trained(house, "three")
    assert len(versions.numbered(store.open_client(house.layout), NAME)) == 2
    assert champion(house) == 2


def test_aliases_move_for_one_process_at_a_time(house: House, monkeypatch: Any) -> None:
    monkeypatch.setattr(versions, "_HELD_SECONDS", 0.2)
    held, go = threading.Event(), threading.Event()

    def another() -> None:
        with lock.held(house.root / "work" / "registry", "aliases of the registry"):
            held.set()
            go.wait(20)

    thread = threading.Thread(target=another)
    thread.start()
    held.wait(20)
    try:
        for act in (
            lambda: choice.roll_back(house.layout, NAME, 1, ""),
            lambda: choice.lift(house.layout, house.job().profile.register_),
            house.register,
        ):
            with pytest.raises(UserError, match="is in use by process"):
                act()
    finally:
        go.set()
        thread.join()
    assert champion(house) == 2
    assert choice.roll_back(house.layout, NAME, 1, "").startswith("Version 1 is pinned")


def test_an_alias_that_registration_set_and_lost_is_set_again(house: House) -> None:
    """A challenger's alias is nobody's choice."""
    house.stub_weights("worse")
    house.evaluated(metrics([0.1, 0.2, 0.3, 0.2]))
    release = house.register()
    client = store.open_client(house.layout)
    alias = release["aliases"][0]
    assert alias == "challenger" and register.confirm(house.job())
    client.delete_registered_model_alias(NAME, alias)
    assert not register.confirm(house.job()), "the finished stage is no longer true"
    assert house.register()["aliases"] == [alias]
    assert register.confirm(house.job())


def test_the_rule_passes_over_a_newest_version_that_is_damaged(house: House, capsys: Any) -> None:
    trained(house, "three")
    say(capsys, "rollback", "--to", "1")
    (served.checked_folder(house.layout, NAME, "3") / "model.py").write_text("changed = True\n")
    said = say(capsys, "unpin")
    assert "The newest is version 2." in said and champion(house) == 2


def test_where_a_rollback_went_from_is_remembered(house: House, capsys: Any) -> None:
    """From 3 to 1 and to 3 again: the champion before is 1 then, not the one that 3 followed."""
    trained(house, "three")
    say(capsys, "rollback", "--to", "1")
    assert 3 not in pins.standing(store.open_client(house.layout), NAME).earlier, "no measure now"
    say(capsys, "rollback", "--to", "3")
    say(capsys, "rollback")
    assert champion(house) == 1


def test_evaluated_anew_the_floors_hold_too(house: House) -> None:
    house.evaluated(metrics([0.4, 0.5, 0.6, 0.5], test_set="b" * 64, copy_paste_gap=0.3))
    release = house.register()
    assert (release["version"], release["aliases"]) == (3, ["challenger"])
    assert "copy_paste_gap is 0.300" in release["sentences"][0]
    assert champion(house) == 2
    house.evaluated(metrics([0.4, 0.5, 0.6, 0.5], test_set="b" * 64))
    assert house.register()["aliases"] == ["champion"]


def test_what_cannot_be_compared_names_commands_that_mend_it(house: House, capsys: Any) -> None:
    """After a change of the conditions: the way that the sentence names leads on."""
    house.stub_weights("three")
    house.evaluated(metrics([0.5, 0.6, 0.7, 0.6], test_set="b" * 64))
    release = house.register()
    assert release["aliases"] == ["challenger"]
    (said,) = [one for one in release["sentences"] if "different conditions" in one]
    assert "rollback --to" in said and "'python -m mm_model unpin'" in said
    say(capsys, "rollback", "--to", "3")
    say(capsys, "unpin")
    assert champion(house) == 3
    house.stub_weights("four")
    house.evaluated(metrics([0.6, 0.7, 0.8, 0.7], test_set="b" * 64))
    assert house.register()["aliases"] == ["champion"]
