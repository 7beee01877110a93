"""Who is champion: the rule, or a person by our commands or MLflow's own; nothing undoes a person's
choice but `unpin`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands import cli
from mm_model.errors import UserError
from mm_model.register import origin, pins, served
from mm_model.register import stage as register
from mm_model.serving import code
from mm_model.tracking import store
from tests.serving.house import House, alone, metrics

pytestmark = pytest.mark.capability("promotion, pins, rollback", scale="T")

NUMBERS = {
    "one": metrics([0.3, 0.4, 0.5, 0.4]),
    "two": metrics([0.4, 0.5, 0.6, 0.5]),
    "three": metrics([0.5, 0.6, 0.7, 0.6]),
}
NAME = "magic-mirror"


@pytest.fixture(scope="module")
def grown(tmp_path_factory: Any) -> Path:
    """A root with two versions, each promoted in its turn; copy it, never use it."""
    root = tmp_path_factory.mktemp("grown") / "root"
    with alone(root) as house:
        for mark in ("one", "two"):
            trained(house, mark)
    return root


@pytest.fixture
def house(grown: Path, tmp_path: Path, monkeypatch: Any) -> House:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    root = Path(shutil.copytree(grown, tmp_path / "root"))
    monkeypatch.setenv("MM_ROOT", str(root))
    return House.at(root)


def trained(house: House, mark: str) -> dict[str, Any]:
    house.stub_weights(mark)
    house.evaluated(NUMBERS[mark])
    return house.register()


def champion(house: House) -> int | None:
    found = pins.alias_version(store.open_client(house.layout), NAME, "champion")
    return None if found is None else int(found.version)


def challenger(house: House) -> int | None:
    found = pins.alias_version(store.open_client(house.layout), NAME, "challenger")
    return None if found is None else int(found.version)


def say(capsys: Any, *words: str) -> str:
    """Run one command of ours; its output."""
    capsys.readouterr()
    assert cli.main(words) == 0
    return capsys.readouterr().out


def refused(capsys: Any, *words: str) -> str:
    capsys.readouterr()
    assert cli.main(words) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("Stopped: ") and "\n" not in said
    return said


def by_our_command(house: House) -> None:
    assert cli.main(["rollback", "--to", "1", "--reason", "blue faces"]) == 0


def by_mlflow(house: House) -> None:
    store.open_client(house.layout).set_registered_model_alias(NAME, "champion", "1")


ROLLED_BACK = pytest.mark.parametrize("roll_back", [by_our_command, by_mlflow])


@ROLLED_BACK
def test_a_rollback_survives_registering_again(
    house: House, capsys: Any, roll_back: Callable[[House], None]
) -> None:
    assert champion(house) == 2
    roll_back(house)
    for _ in range(2):
        assert register.confirm(house.job()), "a pinned registry stands: no loop"
        sentences = house.register()["sentences"]
        assert champion(house) == 1
        assert any("pinned as champion" in sentence for sentence in sentences)
    assert served.checked_folder(house.layout, NAME).is_dir()
    assert "champion (pinned)" in say(capsys, "releases")


@ROLLED_BACK
def test_a_better_newcomer_becomes_challenger_under_a_pin(
    house: House, roll_back: Callable[[House], None]
) -> None:
    roll_back(house)
    release = trained(house, "three")
    assert (release["version"], release["aliases"]) == (3, ["challenger"])
    assert not release["promoted"]
    assert "by the rule it would have been promoted" in release["sentences"][-1]
    assert "'python -m mm_model unpin'" in release["sentences"][-2]
    assert (champion(house), challenger(house)) == (1, 3)
    assert register.confirm(house.job())


@ROLLED_BACK
def test_unpin_lets_the_rule_decide_at_once(
    house: House, capsys: Any, roll_back: Callable[[House], None]
) -> None:
    roll_back(house)
    house.register()
    assert "Promoted to champion." in say(capsys, "unpin")
    assert (champion(house), challenger(house)) == (2, None)
    assert house.register()["aliases"] == ["champion"]
    assert register.confirm(house.job())
    assert "not pinned" in refused(capsys, "unpin")


def test_unpin_keeps_what_the_rule_would_keep(house: House, capsys: Any) -> None:
    """A pin on the newest, better version: lifting it changes nothing."""
    say(capsys, "rollback", "--to", "2")
    say(capsys, "unpin")
    assert champion(house) == 2
    house.stub_weights("worse")
    house.evaluated(metrics([0.1, 0.2, 0.3, 0.2]))
    assert house.register()["aliases"] == ["challenger"]
    assert champion(house) == 2


def test_who_why_and_when_are_said(house: House, capsys: Any) -> None:
    said = say(capsys, "rollback", "--reason", "faces  turn\nblue")
    assert said.startswith("Version 1 is pinned as champion, by ")
    assert "(faces turn blue)" in said and "UTC" in said
    table = say(capsys, "releases")
    assert said.strip() in table
    rows = {line.split()[0]: line for line in table.splitlines()}
    assert "0.400" in rows["1"] and "champion (pinned)" in rows["1"]
    assert "0.500" in rows["2"] and "unknown" in rows["2"]


def test_rolling_back_twice_goes_further_back(house: House, capsys: Any) -> None:
    trained(house, "three")
    for expected in (2, 1):
        say(capsys, "rollback")
        assert champion(house) == expected
    assert "No earlier champion" in refused(capsys, "rollback")
    assert champion(house) == 1


def test_a_pin_moved_with_mlflow_stays_a_pin(house: House) -> None:
    by_our_command(house)
    store.open_client(house.layout).set_registered_model_alias(NAME, "champion", "2")
    sentences = house.register()["sentences"]
    assert "moved with MLflow itself" in sentences[-1]
    assert trained(house, "three")["aliases"] == ["challenger"]
    assert champion(house) == 2


def test_an_alias_taken_away_is_a_choice_too(house: House, capsys: Any) -> None:
    store.open_client(house.layout).delete_registered_model_alias(NAME, "champion")
    assert trained(house, "three")["aliases"] == ["challenger"]
    assert champion(house) is None
    with pytest.raises(UserError, match="rollback --to 3"):
        served.checked_folder(house.layout, NAME)
    say(capsys, "unpin")
    assert champion(house) == 3


def test_a_pin_goes_with_its_version(house: House) -> None:
    by_our_command(house)
    store.open_client(house.layout).delete_model_version(NAME, "1")
    assert trained(house, "three")["aliases"] == ["champion"]


def test_a_kill_amid_a_promotion_is_no_person(house: House, monkeypatch: Any) -> None:
    """Between the note that the alias will move and the move itself."""
    import mlflow

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(mlflow.MlflowClient, "set_registered_model_alias", killed)
        trained(house, "three")
    assert champion(house) == 2
    assert house.register()["aliases"] == ["champion"]
    assert champion(house) == 3


def test_a_kill_amid_a_rollback_leaves_a_pin(house: House, monkeypatch: Any) -> None:
    import mlflow

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "set_registered_model_tag", killed)
        assert cli.main(["rollback", "--to", "1"]) == 130
    house.register()
    assert champion(house) == 1


def test_only_what_can_be_served_is_rolled_back_to(house: House, capsys: Any) -> None:
    folder = served.checked_folder(house.layout, NAME, "1")
    (folder / "model.py").write_text("changed = True\n")
    assert "model.py differs" in refused(capsys, "rollback", "--to", "1")
    assert "no version 9" in refused(capsys, "rollback", "--to", "9")
    assert champion(house) == 2


def test_serving_needs_the_registry_alone(house: House, capsys: Any) -> None:
    shutil.rmtree(house.root / "data")
    shutil.rmtree(house.root / "weights")
    shutil.rmtree(house.root / "work")
    assert served.checked_folder(house.layout, NAME).is_dir()
    assert len(say(capsys, "releases").splitlines()) == 3
    say(capsys, "rollback")
    assert served.checked_folder(house.layout, NAME) == served.checked_folder(
        house.layout, NAME, "1"
    )


def test_a_moved_tree_keeps_its_releases_and_its_pin(house: House, monkeypatch: Any) -> None:
    by_our_command(house)
    moved = house.root.rename(house.root.with_name("moved tree"))
    monkeypatch.setenv("MM_ROOT", str(moved))
    house = House.at(moved)
    assert served.checked_folder(house.layout, NAME).is_relative_to(moved)
    assert register.confirm(house.job())
    house.register()
    assert champion(house) == 1


def test_a_registry_of_an_earlier_release_is_registered_anew(house: House, capsys: Any) -> None:
    """Its versions have no digests; the model takes the place of what cannot be checked."""
    client = store.open_client(house.layout)
    for tag in ("release_digest", "code_digest"):
        for number in ("1", "2"):
            client.delete_model_version_tag(NAME, number, tag)
    client.delete_registered_model_tag(NAME, "magic_mirror.champion")
    with pytest.raises(UserError, match="has no release digest"):
        served.checked_folder(house.layout, NAME)
    said = refused(capsys, "rollback", "--to", "1")
    assert "has no release digest" in said and "registers the model anew" in said
    assert " none " in say(capsys, "releases")
    assert not register.confirm(house.job())
    release = house.register()
    assert (release["version"], release["aliases"]) == (3, ["champion"])
    assert "does not count" in release["sentences"][0]


def test_nothing_registered_is_one_sentence(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    house = House(tmp_path / "root")
    monkeypatch.setenv("MM_ROOT", str(house.root))
    for words in (["releases"], ["rollback"], ["unpin"]):
        assert "let 'make run' finish first" in refused(capsys, *words)
    with pytest.raises(UserError, match="let 'make run' finish first"):
        served.checked_folder(house.layout, NAME)
    assert not (house.root / "mlflow.db").exists()


def test_code_that_was_not_evaluated_is_not_registered(
    house: House, monkeypatch: Any, tmp_path: Path
) -> None:
    package = Path(shutil.copytree(code.PACKAGE, tmp_path / "mm_model"))
    monkeypatch.setattr(code, "PACKAGE", package)
    monkeypatch.setattr(code.digest, "__defaults__", (package,))
    monkeypatch.setattr(code.modules, "__defaults__", (package,))
    (package / "pairs" / "stage.py").write_text("# not served\n")
    assert register.confirm(house.job()), "code that is not served may change"
    assert house.register()["version"] == 2
    with (package / "nn" / "magic_mirror" / "block.py").open("a") as module:
        module.write("# changed\n")
    for act in (house.register, lambda: register.confirm(house.job())):
        with pytest.raises(UserError, match="is not the code that was evaluated: 'make run'"):
            act()
    house.evaluated(NUMBERS["two"])
    release = house.register()
    assert (release["version"], release["aliases"]) == (3, ["champion"])
    folder = served.checked_folder(house.layout, NAME)
    assert (folder / "code/mm_model/nn/magic_mirror/block.py").read_text().endswith("# changed\n")
    old = served.checked_folder(house.layout, NAME, "2")
    assert not (old / "code/mm_model/nn/magic_mirror/block.py").read_text().endswith("# changed\n")


def test_changed_code_that_spoils_a_figure_is_no_champion(house: House) -> None:
    spoilt = metrics([0.4, 0.5, 0.6, 0.5], face_found_rate=0.8)
    house.evaluated(spoilt)
    house.stub_weights("two")
    limits = house.root / "profiles" / "tiny.yaml"
    limits.write_text(limits.read_text().replace("max_steps: 100", "max_steps: 50"))
    release = house.register()
    assert (release["version"], release["aliases"]) == (3, ["challenger"])
    assert champion(house) == 2


@pytest.mark.parametrize("part", ["backbone", "pack"])
def test_other_weights_beside_the_same_adapter_must_do_better(house: House, part: str) -> None:
    """Only where code or configuration alone differ need nothing rise."""
    (house.root / "weights" / part / "more.json").write_text("{}")
    release = house.register()
    assert (release["version"], release["aliases"]) == (3, ["challenger"])
    assert "Identity does not rise against the champion" in release["sentences"][0]
    assert champion(house) == 2
    house.evaluated(NUMBERS["three"])
    assert house.register()["aliases"] == ["champion"]


def test_two_trees_with_other_code_do_not_take_turns(house: House) -> None:
    """What is registered again with nothing new does not take the place of a newer one."""
    limits = house.root / "profiles" / "tiny.yaml"
    before = limits.read_text()
    limits.write_text(before.replace("max_steps: 100", "max_steps: 50"))
    assert house.register()["aliases"] == ["champion"]
    limits.write_text(before)
    release = house.register()
    assert (release["version"], release["aliases"]) == (2, ["challenger"])
    assert "rollback --to 2' brings it back" in release["sentences"][0]
    assert register.confirm(house.job())
    assert champion(house) == 3


def committed(root: Path) -> None:
    who = ["-c", "user.name=one", "-c", "user.email=one@localhost"]
    for words in (["init", "-q"], ["add", "params.yaml", "profiles"], ["commit", "-qm", "tree"]):
        subprocess.run(["git", *who, *words], cwd=root, check=True)


def test_a_changed_tree_is_refused_by_a_shared_registry(
    house: House, monkeypatch: Any, tmp_path: Path
) -> None:
    committed(house.root)
    shared = f"sqlite:///{tmp_path / 'shared' / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", shared)
    assert house.register()["version"] == 1, "a clean tree is welcome"
    assert store.open_client(house.layout).get_model_version(NAME, "1").tags["tree"] == "clean"
    assert served.checked_folder(house.layout, NAME).is_dir()
    profile = house.root / "profiles" / "tiny.yaml"
    profile.write_text(profile.read_text() + "# changed\n")
    with pytest.raises(UserError, match=r"profiles/tiny\.yaml is not committed"):
        trained(house, "three")
    monkeypatch.delenv("MLFLOW_REGISTRY_URI")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="is not committed"):
        house.register()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{house.root / 'mlflow.db'}")
    release = house.register()
    tags = store.open_client(house.layout).get_model_version(NAME, str(release["version"])).tags
    assert tags["tree"] == "changed", "on the tree's own registry it is only marked"


def test_what_git_says_of_a_tree(house: House) -> None:
    assert origin.of_tree(house.root).state == "unknown"
    committed(house.root)
    assert origin.of_tree(house.root) == origin.TreeState("clean")
    (house.root / "params.yaml").write_text((house.root / "params.yaml").read_text() + "\n")
    assert origin.of_tree(house.root).state == "clean", "choosing a profile is no change"
    (house.root / "mm_model").mkdir()
    (house.root / "mm_model" / "new file.py").write_text("")
    found = origin.of_tree(house.root)
    assert (found.state, found.changed) == ("changed", ("mm_model/",))
    inner = house.root / "inner"
    inner.mkdir()
    (inner / "params.yaml").write_text("")
    assert origin.of_tree(inner).state == "unknown", "it merely lies in a repository"
