"""One catalogue on two databases: SQLite with its log, and a PostgreSQL server started here."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mm_model.commands import cli
from mm_model.errors import UserError
from mm_model.records import FACES_COLUMNS, INGEST_COLUMNS, PAIRS_COLUMNS, SOURCES_COLUMNS
from mm_model.report import catalogue, catalogue_tables, database
from mm_model.store import tables
from mm_model.store.layout import Layout
from tests.report.servers import PASSWORD, postgres
from tests.report.test_catalogue import publish

KINDS = ("sqlite", "postgresql")
HALF = """
import sys, time
from pathlib import Path
from mm_model.report import catalogue
from mm_model.store.layout import Layout

whole = catalogue.filling
def half(*given):
    for number, portion in enumerate(whole(*given)):
        yield portion
        if number == 2:
            print("half", flush=True)
            time.sleep(600)

catalogue.filling = half
catalogue.rebuild(Layout(Path(sys.argv[1]), "tiny"), sys.argv[2])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of the kind that the test names."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'named.db'}"
        return
    found = request.getfixturevalue("server")
    yield found
    with connected(found) as connection:
        connection.execute(sa.text("drop schema public cascade"))
        connection.execute(sa.text("create schema public"))


def connected(url: str) -> Any:
    return sa.create_engine(database.address(url), poolclass=sa.NullPool).begin()


def published(root: Path, rows: int) -> Layout:
    """Four stages' tables, with what one database takes otherwise than another."""
    layout = Layout(root, "tiny")
    kept = {"status": "kept", "split": None}
    named = [f"{number:08x}" for number in range(rows)]
    strange = {"name": "a\x00b", "licence": "é" * 300, "subject": "x" * 90}
    wide = {"width": 10, "height": 20, "num_frames": 1, "fps": float("nan"), "media": "image"}
    no = {"status": "rejected", "reason": "FACE_MANY", "reason_value": 2.5, "message": "two\x00"}
    counts = dict.fromkeys(("bytes", "width", "height", "num_frames"), "count")
    types = tables.DECISION_TYPES | counts | {"synthetic": "flag", "fps": "number"}
    made: dict[str, tuple[tuple[str, ...], Any]] = {
        "sources": (SOURCES_COLUMNS, lambda n: strange | {"synthetic": True, "bytes": 2**40}),
        "ingest": (INGEST_COLUMNS, lambda n: wide | {"sample_id": n, "caption": "a man"}),
        "faces": (FACES_COLUMNS, lambda n: {"sample_id": n, "identity": f"folder-{n}" * 9}),
        "pairs": (PAIRS_COLUMNS, lambda n: {"pair_id": n} | (no if int(n, 16) % 2 else {})),
    }
    for stage, (columns, more) in made.items():
        place, key = catalogue_tables._TABLES_OF[stage]
        folder = layout.output(stage)
        folder.mkdir(parents=True, exist_ok=True)
        found = ({key: name} | kept | more(name) for name in named)
        tables.write(folder / place, found, columns, types)
        publish(layout, stage, f"of {rows}")
    return layout


def told(url: str) -> dict[str, list[tuple]]:
    """All that the catalogue says, in an order."""
    with connected(url) as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in catalogue_tables.metadata.sorted_tables
        }


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_each_database_tells_the_same_as_the_file_below_work(tmp_path: Path, url: str) -> None:
    layout = published(tmp_path, 50)
    catalogue.rebuild(layout)
    usual = told(f"sqlite:///{layout.catalogue}")
    for _ in range(2):  # the second time the tables stand there already
        said = catalogue.rebuild(layout, url)
        assert told(url) == usual
    assert "50 sources" in said and "200 decisions" in said
    assert ("pairs", "00000001", "rejected", "FACE_MANY", 2.5, None, "two\ufffd") in usual[
        "decisions"
    ]
    (first, *_) = usual["samples"]
    assert first[-2:] == ("folder-00000000" * 9, None)
    assert usual["sources"][0][1:3] == ("a\ufffdb", 2**40)


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_a_killed_import_leaves_the_old_catalogue(tmp_path: Path, url: str) -> None:
    """Readers have it while the import goes on as well, and the next import is not hindered."""
    catalogue.rebuild(published(tmp_path, 5), url)
    before = told(url)
    layout = published(tmp_path, 3_000)
    code = [sys.executable, "-c", HALF, str(tmp_path), url]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True) as importing:
        assert importing.stdout is not None and importing.stdout.readline() == "half\n"
        with sa.create_engine(database.address(url), poolclass=sa.NullPool).connect() as reader:
            found = reader.execute(sa.select(catalogue_tables.runs.c.fingerprint)).scalars()
            assert set(found) == {"of 5"}
        importing.send_signal(signal.SIGKILL)
    assert told(url) == before
    catalogue.rebuild(layout, url)
    assert len(told(url)["samples"]) == 3_000


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_tables_of_an_earlier_form_are_made_again(tmp_path: Path, url: str) -> None:
    layout = published(tmp_path, 5)
    catalogue.rebuild(layout, url)
    whole = told(url)
    with connected(url) as connection:
        connection.execute(sa.text("drop table samples"))
        connection.execute(sa.text("create table samples (sample_id varchar(3))"))
        connection.execute(sa.text("update magic_mirror_catalogue set schema = 1"))
    catalogue.rebuild(layout, url)
    assert told(url) == whole


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_a_table_of_another_application_stays(tmp_path: Path, url: str) -> None:
    with connected(url) as connection:
        connection.execute(sa.text("create table runs (run_uuid varchar(9))"))
        connection.execute(sa.text("insert into runs values ('theirs')"))
    with pytest.raises(UserError, match="table runs of another application") as refused:
        catalogue.rebuild(published(tmp_path, 3), url)
    assert PASSWORD not in str(refused.value)
    with connected(url) as connection:
        assert connection.execute(sa.text("select * from runs")).all() == [("theirs",)]


def test_readers_of_a_named_sqlite_file_have_its_log(tmp_path: Path) -> None:
    layout, named = published(tmp_path, 3), tmp_path / "named.db"
    catalogue.rebuild(layout, f"sqlite:///{named}")
    shared = tmp_path / "shared.db"
    for path, mode in ((shared, "delete"), (named, "wal")):
        with connected(f"sqlite:///{path}") as connection:
            if path is shared:
                connection.execute(sa.text("create table users (name text)"))
        catalogue.rebuild(layout, f"sqlite:///{path}")
        with connected(f"sqlite:///{path}") as connection:
            assert connection.execute(sa.text("pragma journal_mode")).scalar_one() == mode


def test_a_password_is_never_told(
    root: Path,
    server: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither where the import goes well, nor where the server or the address is wrong."""
    layout = published(tmp_path, 3)
    monkeypatch.setenv("MM_ROOT", str(tmp_path))
    folder = server.partition("host=")[2]
    elsewhere = server.replace("/postgres?", "/no_such?")
    by_query = f"postgresql:///postgres?host={folder}&user=tester&password={PASSWORD}"
    wrong = f"postgresql://tester:{PASSWORD}@host:port/postgres"
    nowhere = by_query.replace(folder, str(tmp_path))
    (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text())
    for url, status in ((server, 0), (by_query, 0), (elsewhere, 1), (wrong, 1), (nowhere, 1)):
        monkeypatch.setenv("MM_CATALOGUE_URL", url)
        try:
            said = catalogue.rebuild(layout)
        except UserError as error:
            said = str(error)
            assert "\n" not in said
        assert said.startswith("postgresql://") == (status == 0), said
        assert PASSWORD not in said
        assert cli.main(["catalogue"]) == status
    shown = capfd.readouterr()
    assert PASSWORD not in shown.out + shown.err
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]


def test_a_missing_driver_is_named_with_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"psycopg .*make postgres"):
        catalogue.rebuild(Layout(tmp_path, "tiny"), "postgresql://host/catalogue")


def test_another_kind_of_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="catalogue's database is SQLite or PostgreSQL"):
        catalogue.rebuild(Layout(tmp_path, "tiny"), "mysql://host/catalogue")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("password", ["first@second", "first@sec/ond", "fi/rst@second"])
def test_half_a_password_is_not_told_either(tmp_path: Path, password: str) -> None:
    """An @ that is written as it is would end the password early."""
    url = f"postgresql://me:{password}@host:1/db"
    with pytest.raises(UserError, match="write an @ of the password as %40") as refused:
        catalogue.rebuild(Layout(tmp_path, "tiny"), url)
    said = str(refused.value)
    assert not any(part in said for part in ("first", "rst", "second", "ond"))
    assert database.hidden(f"no {url}", url) == "no postgresql://me:***@host:1/db"


def test_a_password_is_hidden_as_it_is_meant_too() -> None:
    url = "postgresql://me:first%40second@host:1/db"
    assert database.hidden("first@second is wrong", url) == "*** is wrong"


def test_a_file_of_sqlite_may_have_an_at_in_its_name(tmp_path: Path) -> None:
    assert database.address(f"sqlite:///{tmp_path}/a@b.db").database == f"{tmp_path}/a@b.db"
