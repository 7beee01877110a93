"""Two trees keep one set of Dagster's books on PostgreSQL, and neither ends the other's runs."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest

from mm_model.errors import UserError
from orchestration import home, jobs, runs
from tests.graph.conftest import Tree
from tests.report import servers

pytestmark = pytest.mark.capability("shared services", scale="T")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    pytest.importorskip("dagster_postgres", reason="no dagster-postgres here (make cluster)")
    with servers.postgres() as url:
        before, _, folder = url.partition("?host=")
        address = before.replace("postgresql:", "postgresql+psycopg2:", 1)
        yield f"{address}?host={quote(folder, safe='')}"


def books(root: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """Dagster's instance as `make run` gets it in a tree."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home.check()
    home.prepare(root)
    return dg.DagsterInstance.get()


@pytest.mark.slow
def test_what_one_tree_ran_the_other_sees(
    done: Tree, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(home.BOOKS, database)
    with books(done.root, monkeypatch) as here, books(tmp_path / "b", monkeypatch) as there:
        assert here.root_directory != there.root_directory
        assert not runs.are_own(here)
        assert Tree(done.root, here).dagster("sources", "ingest").success
        event = there.get_latest_materialization_event(dg.AssetKey("ingest"))
        assert event is not None and event.asset_materialization is not None
        job = done.definitions().resolve_job_def(jobs.EVERYTHING)
        run = here.create_run_for_job(job, tags=runs.tags(here))
        here.report_run_canceling(run)
        assert runs.settle(there, alone=True) == 0, "it goes on elsewhere"
        assert runs.under_way(there)
        runs.let_go(here)
        assert runs.settle(here, alone=True) == 1
        assert not runs.under_way(there)
    said = (tmp_path / "b" / "work" / "dagster" / "dagster.yaml").read_text()
    assert home.BOOKS in said and servers.PASSWORD not in said
    assert not list((done.root / "work" / "dagster").rglob("*.db"))


def test_own_books_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(home.BOOKS, raising=False)
    with books(tmp_path, monkeypatch) as own:
        assert runs.are_own(own)


def test_what_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(home.BOOKS, f"postgresql://me:{servers.PASSWORD}@host/books")
    with pytest.raises(UserError, match=r"begin with postgresql\+psycopg2://") as told:
        home.prepare(tmp_path)
    assert servers.PASSWORD not in str(told.value)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="make cluster"):
        home.check()
