"""The catalogue is disposable: nothing that lies in its place stops a stage or gets lost."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.records import (
    DECISION_COLUMNS,
    FACES_COLUMNS,
    INGEST_COLUMNS,
    PAIRS_COLUMNS,
    SOURCES_COLUMNS,
)
from mm_model.report import catalogue
from mm_model.report.views import VIEWS
from mm_model.run import views
from mm_model.run.views import View
from mm_model.store import atomic, manifest, tables
from mm_model.store.layout import Layout

_HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1])
held.execute("begin exclusive")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: Any) -> Layout:
    """A root with one published output of no tables."""
    monkeypatch.delenv("MM_CATALOGUE_URL", raising=False)
    made = Layout(tmp_path, "tiny")
    publish(made, "register", "f")
    return made


def publish(layout: Layout, stage: str, fingerprint: str) -> None:
    folder = layout.output(stage)
    folder.mkdir(parents=True, exist_ok=True)
    report = {"total": 1, "kept": 1, "rejected": {}, "failed": {}, "line": "", "metrics": {}}
    manifest.seal(folder, manifest.Manifest(stage, 1, fingerprint, {}, "", report))


def fingerprints(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute("select fingerprint from runs")]


def other_application(path: Path) -> None:
    """A database with a table of one of our names, and one of its own."""
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("create table runs (run_uuid text, status text)")
        connection.execute("create table users (name text)")
        connection.execute("insert into runs values ('one', 'FINISHED')")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "notes.txt").write_text("somebody's")


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "garbage": lambda path: path.write_bytes(os.urandom(5000)),
    "half a file": _half,
    "zero length": lambda path: path.write_bytes(b""),
    "a folder": _folder,
    "another application": other_application,
    "another schema of ours": lambda path: sqlite3.connect(path).execute("drop table samples"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_catalogue_is_made_again_whatever_lies_in_its_place(
    layout: Layout, damage: str, capsys: Any
) -> None:
    catalogue.rebuild(layout)
    DAMAGES[damage](layout.catalogue)
    kept = None if layout.catalogue.is_dir() else layout.catalogue.read_bytes()
    views.rebuild(layout, VIEWS)
    assert fingerprints(layout.catalogue) == ["f"]
    aside = layout.catalogue.with_name("catalogue.db.set-aside")
    disposable = damage in ("zero length", "another schema of ours")
    assert aside.exists() != disposable
    assert ("lies in catalogue.db.set-aside" in capsys.readouterr().out) != disposable
    if damage == "a folder":
        assert (aside / "notes.txt").read_text() == "somebody's"
    elif not disposable:
        assert aside.read_bytes() == kept


@pytest.fixture
def holder() -> Iterator[Callable[[Path], None]]:
    """`holder(path)`: another process holds the database by an exclusive lock until the end."""
    started: list[subprocess.Popen] = []

    def hold(path: Path) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(path)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"

    yield hold
    for process in started:
        process.communicate()


def test_a_locked_catalogue_is_no_obstacle(layout: Layout, holder: Callable) -> None:
    catalogue.rebuild(layout)
    holder(layout.catalogue)
    publish(layout, "register", "newer")
    views.rebuild(layout, VIEWS)
    assert fingerprints(layout.catalogue) == ["newer"]


def test_what_a_kill_left_beside_an_output_is_no_run(layout: Layout) -> None:
    publish(layout, ".register.0a1b2c3d.old", "older")
    catalogue.rebuild(layout)
    assert fingerprints(layout.catalogue) == ["f"]


def test_what_a_killed_writer_left_beside_it_does_not_reach_the_new_one(layout: Layout) -> None:
    """SQLite would put a journal's pages back into whatever file has the name."""
    catalogue.rebuild(layout)
    journal = layout.catalogue.with_name("catalogue.db-journal")
    with contextlib.closing(sqlite3.connect(layout.catalogue, isolation_level=None)) as writer:
        writer.execute("pragma synchronous = off")
        writer.execute("begin immediate")
        writer.execute("update runs set fingerprint = 'half'")
        left = journal.read_bytes()
        writer.execute("rollback")
    journal.write_bytes(left)
    publish(layout, "register", "newer")
    catalogue.rebuild(layout)
    assert fingerprints(layout.catalogue) == ["newer"]
    assert not journal.exists()


def test_another_application_s_tables_are_never_dropped(layout: Layout, tmp_path: Path) -> None:
    theirs = tmp_path / "mlflow.db"
    other_application(theirs)
    before = theirs.read_bytes()
    with pytest.raises(UserError, match="table runs of another application: name another"):
        catalogue.rebuild(layout, f"sqlite:///{theirs}")
    assert theirs.read_bytes() == before


def test_tables_beside_ours_stay(layout: Layout, tmp_path: Path) -> None:
    shared = tmp_path / "shared.db"
    with sqlite3.connect(shared) as connection:
        connection.execute("create table users (name text)")
    for _ in range(2):
        catalogue.rebuild(layout, f"sqlite:///{shared}")
    with sqlite3.connect(shared) as connection:
        assert connection.execute("select count(*) from users").fetchone() == (0,)
    assert fingerprints(shared) == ["f"]


@pytest.mark.parametrize(
    "url", ["sqlite:////proc/nowhere/x.db", "sqlite:///{garbage}", "no url", "nosuch://x"]
)
def test_a_database_that_cannot_be_used_is_one_sentence(
    layout: Layout, tmp_path: Path, url: str
) -> None:
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"g" * 4000)
    with pytest.raises((UserError, OSError)) as caught:
        catalogue.rebuild(layout, url.format(garbage=garbage))
    assert "\n" not in str(caught.value)
    assert garbage.read_bytes() == b"g" * 4000


def test_views_never_fail_a_stage_and_the_next_run_makes_them(
    layout: Layout, monkeypatch: Any, capsys: Any
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_bytes", full)
        patch.setattr(catalogue, "rebuild", full)
        views.rebuild(layout, VIEWS)
    said = capsys.readouterr().out.splitlines()
    names = [view.name for view in VIEWS]
    assert {"catalogue", "report page"} <= set(names)
    assert [line.split(" (")[0] for line in said] == [f"The {name} was not made" for name in names]
    calls: list[str] = []

    def counting(view: View) -> View:
        def make(layout: Layout) -> None:
            calls.append(view.name)
            if view.name == "catalogue":
                catalogue.rebuild(layout)
            else:
                atomic.write_text(view.place(layout), "x")

        return replace(view, make=make)

    counted = [counting(view) for view in VIEWS]
    for _ in range(2):
        views.refresh(layout, counted)
    assert calls == names
    publish(layout, "register", "newer")
    layout.page.unlink()
    views.refresh(layout, counted)
    assert calls == names * 2


def open_log(path: Path) -> sqlite3.Connection:
    """Another application's database whose tables are still only in its write-ahead log."""
    theirs = sqlite3.connect(path)
    theirs.execute("pragma journal_mode=wal")
    theirs.execute("create table users (name text)")
    theirs.execute("insert into users values ('x')")
    theirs.commit()
    return theirs


def test_a_database_in_use_by_others_keeps_what_is_in_its_log(
    layout: Layout, tmp_path: Path
) -> None:
    named = tmp_path / "theirs.db"
    with contextlib.closing(open_log(named)) as theirs:
        catalogue.rebuild(layout, f"sqlite:///{named}")
        assert theirs.execute("select name from users").fetchall() == [("x",)]


def test_what_lies_in_the_default_place_goes_aside_with_its_log(layout: Layout) -> None:
    layout.catalogue.parent.mkdir(parents=True, exist_ok=True)
    layout.catalogue.unlink(missing_ok=True)
    with contextlib.closing(open_log(layout.catalogue)):
        catalogue.rebuild(layout)
        aside = layout.catalogue.with_name(f"{layout.catalogue.name}.set-aside")
        with contextlib.closing(sqlite3.connect(aside)) as kept:
            assert kept.execute("select name from users").fetchall() == [("x",)]
    assert catalogue._is_ours(layout.catalogue)


def test_a_sample_s_split_and_identity_are_those_that_faces_found(layout: Layout) -> None:
    """As with a folder of one's own, which prescribes no split; and where the two say otherwise."""
    types = tables.DECISION_TYPES | {"width": "count", "height": "count", "num_frames": "count"}
    found = [
        ("a", None, "id-0002", "held_out"),
        ("b", None, "id-0001", "train"),
        ("c", "train", "id-0003", "held_out"),
        ("d", None, None, None),
    ]
    clip = {"media": "clip", "caption_origin": "beside", "status": "kept"}
    ingested = [
        {"sample_id": name, "source_id": f"{name}-source", "split": said, **clip}
        | {"width": 90 + place, "height": 60 + place, "num_frames": 9 + place}
        | {"caption": f"caption {name}", "caption_problem": f"why {name}"}
        for place, (name, said, _, _) in enumerate(found)
    ]
    rejected = ingested[0] | {"sample_id": "e", "source_id": "e-source", "status": "rejected"}
    other = {"status": "kept", "media": "x", "num_frames": 1}
    seen = {
        name: {"sample_id": name, "identity": who, "split": side, **other}
        for name, _, who, side in found
    }
    for stage, rows, columns in (
        ("ingest", [rejected, *ingested], INGEST_COLUMNS),
        ("faces", [*reversed(seen.values())], FACES_COLUMNS),
    ):
        layout.output(stage).mkdir(parents=True)
        tables.write(layout.output(stage) / "samples.parquet", rows, columns, types)
        publish(layout, stage, "f")
    catalogue.rebuild(layout)
    with sqlite3.connect(layout.catalogue) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("select * from samples order by sample_id")]
    merged = ("identity", "split")
    assert rows == [
        {name: (seen[row["sample_id"]] if name in merged else row)[name] for name in rows[0]}
        for row in ingested
    ]


DECIDED: dict[str, tuple[str, str, tuple[str, ...], dict[str, Any]]] = {
    "sources": ("inventory", "source_id", SOURCES_COLUMNS, {"name": "x", "synthetic": True}),
    "ingest": ("samples", "source_id", INGEST_COLUMNS, {"sample_id": "a"}),
    "faces": ("samples", "sample_id", FACES_COLUMNS, {}),
    "pairs": ("pairs", "pair_id", PAIRS_COLUMNS, {"target": "a", "reference": "b"}),
}
"""Of each stage that decides: its table, what names an item there, all columns, other values."""


def test_each_decision_is_told_of_its_own_item(layout: Layout) -> None:
    expected = []
    for number, (stage, (table, key, columns, others)) in enumerate(DECIDED.items()):
        decisions = [
            dict(zip(DECISION_COLUMNS, values, strict=True))
            for values in (
                ("kept", None, None, None, None),
                ("rejected", f"WHY_{number}", number + 0.25, number + 0.5, f"{stage} says so"),
            )
        ]
        rows = [others | {key: f"{stage}-{n}"} | said for n, said in enumerate(decisions)]
        layout.output(stage).mkdir(parents=True)
        path = layout.output(stage) / f"{table}.parquet"
        tables.write(path, rows, columns, tables.DECISION_TYPES | {"synthetic": "flag"})
        publish(layout, stage, "f")
        expected += [(stage, *(row[name] for name in (key, *DECISION_COLUMNS))) for row in rows]
    catalogue.rebuild(layout)
    with sqlite3.connect(layout.catalogue) as connection:
        told = connection.execute(
            f"select stage, item, {', '.join(DECISION_COLUMNS)} from decisions"
        ).fetchall()
    assert sorted(told) == sorted(expected)
