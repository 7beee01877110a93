"""The compose file of a team says what `make team` does: the same programs, words and settings.

Nothing is run: there are no containers here.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from orchestration import home
from orchestration.team import proxy, services
from orchestration.team import settings as team
from tests.graph import teams

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "orchestration" / "team" / "compose.yaml"
FROM_OUTSIDE = {"DB_PASSWORD"}


@pytest.fixture(scope="module")
def told() -> dict:
    return yaml.safe_load(FILE.read_text())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, services.Service]:
    """The processes that `make team` starts."""
    teams.needs_nginx()
    root = tmp_path_factory.mktemp("plain")
    proxy.let_in(root, teams.NAME, teams.PASSWORD)
    url = "postgresql+psycopg2://me:word@host/name"
    values = {**team.lines_of(team.FILE), home.BOOKS: url, team.BACKEND: url}
    return {one.name: one for one in services.of(team.Settings(root, values))}


def words(service: dict) -> list[str]:
    command = service["command"]
    return " ".join(command).split() if isinstance(command, list) else command.split()


def test_it_has_the_same_services(told: dict, plain: dict[str, services.Service]) -> None:
    assert {*told["services"]} == {*plain, "postgres", "object-store"}


@pytest.mark.parametrize("name", ["mlflow", "code", "dagster", "daemon", "door"])
def test_each_runs_the_same_program_with_the_same_words(
    told: dict, plain: dict[str, services.Service], name: str
) -> None:
    def core(said: list[str]) -> list[str]:
        """The words that are no place: neither paths, nor addresses, nor ports."""
        said = [Path(one).name if one.startswith("/") else one for one in said]
        said = ["python" if one.startswith("python3") else one for one in said]
        return [one for one in said if not re.fullmatch(r"[\d.]+|\$\{.*\}|.*\.yaml", one)]

    ours = core(list(plain[name].command))
    theirs = core([*words(told["services"][name]), ""])
    at = "--working-directory"
    if at in ours:  # whose value is a place too
        ours.pop(ours.index(at) + 1)
        theirs.pop(theirs.index(at) + 1)
    joined = " ".join(theirs)
    assert " ".join(ours) in joined, joined


def test_mlflow_is_told_the_same(told: dict, plain: dict[str, services.Service]) -> None:
    theirs = told["services"]["mlflow"]["environment"]
    settings = team.Settings(ROOT, dict(plain["mlflow"].environment) | team.lines_of(team.FILE))
    ours = services.mlflow(settings)
    assert {*ours} <= {*theirs}
    places = {"MLFLOW_HOST", "MLFLOW_PORT", "MLFLOW_SERVER_ALLOWED_HOSTS", team.ARTIFACTS}
    for name in {*ours} - places - {team.BACKEND}:
        assert theirs[name] == ours[name], name


def test_the_proxy_fills_in_the_same_names(told: dict) -> None:
    filled = set(re.findall(r"\$\{(\w+)\}", proxy.PAGES.read_text()))
    theirs = {n for n in told["services"]["proxy"]["environment"] if n.startswith("MM_TEAM_")}
    settings = team.Settings(ROOT, team.lines_of(team.FILE))
    assert filled == theirs == {*proxy.values(settings)}


def test_only_the_proxy_is_published_and_to_this_machine_alone(told: dict) -> None:
    assert [n for n, one in told["services"].items() if "ports" in one] == ["proxy"]
    ports = told["services"]["proxy"]["ports"]
    listening = told["services"]["proxy"]["environment"]
    for port, page in zip(ports, team.PAGES, strict=True):
        assert port == f"127.0.0.1:${{MM_TEAM_{page}}}:{listening[f'MM_TEAM_LISTEN_{page}']}"


def test_every_name_comes_from_the_settings_and_no_secret_stands_in_it(told: dict) -> None:
    text = "\n".join(line for line in FILE.read_text().splitlines() if line.lstrip()[:1] != "#")
    known = {*team.lines_of(team.FILE)} | FROM_OUTSIDE
    assert set(re.findall(r"\$\{(\w+)", text)) <= known
    for one in told["services"].values():
        assert re.fullmatch(r"[a-z][a-z0-9-]*(:[\w.-]+)?", one["image"]), "no registry's host"
        for name, value in one.get("environment", {}).items():
            if "PASSWORD" in name and name != "MM_TEAM_PASSWORDS":
                assert value.startswith("${"), name


def test_its_packages_are_the_project_s(told: dict) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {one for some in extras["optional-dependencies"].values() for one in some}
    installed = re.findall(r"[\w-]+==[\w.]+", told["x-image"]["build"]["dockerfile_inline"])
    assert installed and set(installed) <= pinned
