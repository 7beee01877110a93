"""What a person is told: which way out mends a damaged champion, make's verbs, an interruption."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands import cli
from mm_model.errors import UserError
from mm_model.register import choice, served
from mm_model.tracking import store
from tests.serving.house import House, alone, metrics

NAME = "magic-mirror"


@pytest.fixture(scope="module")
def house(tmp_path_factory: Any) -> Iterator[House]:
    """A root with three versions, of which the first is champion."""
    with alone(tmp_path_factory.mktemp("words") / "root") as house:
        for mark, fall in (("one", 0.0), ("two", 0.1), ("three", 0.2)):
            house.stub_weights(mark)
            house.evaluated(metrics([one - fall for one in (0.3, 0.4, 0.5, 0.4)]))
            house.register()
        yield house


def damaged(house: House, number: str) -> Path:
    uri = store.open_client(house.layout).get_model_version_download_uri(NAME, number)
    module = house.root / uri / "code" / "mm_model" / "errors.py"
    module.write_text(module.read_text() + "#\n")
    return module


def said_of(house: House, number: str) -> str:
    with pytest.raises(UserError) as caught:
        served.checked_folder(house.layout, NAME, number)
    return str(caught.value)


def restored(module: Path) -> None:
    module.write_text(module.read_text().removesuffix("#\n"))


def test_an_older_version_is_mended_by_choosing_another(house: House) -> None:
    module = damaged(house, "1")
    said = said_of(house, "champion")
    assert "run register" not in said
    assert said.endswith(
        f"restore {module.parents[2]} from a copy, or choose another: "
        "'python -m mm_model rollback --to 3'."
    )
    house.register()
    assert said_of(house, "1") == said, "registering does not put it back"
    assert "Version 3 is pinned" in choice.roll_back(house.layout, NAME, 3, "damaged")
    served.checked_folder(house.layout, NAME)
    choice.roll_back(house.layout, NAME, 2, "")
    restored(module)


def test_the_newest_version_is_put_back_by_registering(house: House) -> None:
    module = damaged(house, "3")
    said = said_of(house, "3")
    assert "run register' puts it back" in said and said.endswith("rollback --to 2'.")
    house.register()
    assert served.checked_folder(house.layout, NAME, "3") == module.parents[2]


def test_a_middle_version_is_no_newest(house: House) -> None:
    module = damaged(house, "2")
    assert said_of(house, "2").endswith("rollback --to 3'.")
    assert "run register" not in said_of(house, "2")
    restored(module)


def test_a_version_that_is_damaged_too_is_not_named(house: House) -> None:
    modules = [damaged(house, number) for number in ("1", "3")]
    assert said_of(house, "1").endswith("rollback --to 2'.")
    modules.append(damaged(house, "2"))
    assert said_of(house, "1").endswith("from a copy, or run 'make run' for a new one.")
    for module in modules:
        restored(module)


def test_an_only_version_has_no_other(tmp_path: Path) -> None:
    with alone(tmp_path / "root") as house:
        house.stub_weights()
        house.evaluated(metrics([0.3, 0.4, 0.5, 0.4]))
        house.register()
        damaged(house, "1")
        said = said_of(house, "1")
        assert said.endswith("or run 'make run' for a new one.") and "rollback" not in said


def test_an_interrupted_start_of_serving_promises_no_resumption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(served, "chosen", interrupted)
    assert cli.main(["serve"]) == 130
    said = capsys.readouterr().err
    assert said == "Interrupted; nothing is served, and no release was changed.\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: Any, root: Path) -> Path:
    """A tree with the Makefile and a Python that prints how it is called."""
    tree = tmp_path_factory.mktemp("made") / "a tree"
    (tree / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(root / name, tree)
    (tree / ".venv" / ".installed").touch()
    python = tree / ".venv" / "bin" / "python"
    python.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "if sys.argv[1:3] == ['-m', 'mm_model']: print(sys.argv[3:])\n"
    )
    python.chmod(0o755)
    return tree


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["releases"], ["releases"]),
        (["releases", "OWED=1"], ["releases", "--owed"]),
        (["unpin"], ["unpin"]),
        (["rollback"], ["rollback"]),
        (["rollback", "VERSION=2"], ["rollback", "--to=2"]),
        (
            ["rollback", "VERSION=12", 'REASON=it\'s "worse" `id` now'],
            ["rollback", "--to=12", '--reason=it\'s "worse" `id` now'],
        ),
        (["rollback", "REASON=two  words"], ["rollback", "--reason=two  words"]),
        (["promote", "VERSION=3"], ["promote", "3"]),
        (
            ["promote", "VERSION=3", "REASON=-50% at $5 (it's)"],
            ["promote", "3", "--reason=-50% at $5 (it's)"],
        ),
        (["pin"], ["pin"]),
        (["pin", "REASON=a show tomorrow"], ["pin", "--reason=a show tomorrow"]),
    ],
)
def test_make_passes_it_on(made: Path, words: list[str], called: list[str]) -> None:
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(["make", *words], cwd=made, capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(called)
    assert cli.parser().parse_args(called).act


def test_make_promote_asks_which(made: Path) -> None:
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(["make", "promote"], cwd=made, capture_output=True, text=True, env=clean)
    assert done.returncode and "make promote VERSION=3" in done.stdout


def test_make_s_help_names_them(made: Path) -> None:
    done = subprocess.run(["make", "help"], cwd=made, capture_output=True, text=True, check=True)
    listed = [line.split()[1] for line in done.stdout.splitlines()]
    assert {"releases", "promote", "rollback", "pin", "unpin", "serve"} <= set(listed)
