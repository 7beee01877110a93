"""Tables: equal rows give equal bytes, parts are read in order, a row is found by its key."""

import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mm_model.errors import UserError
from mm_model.store import lookup, tables
from mm_model.store.lookup import Lookup

COLUMNS = ("name", "status", "number", "count", "flag")
TYPES = {"number": "number", "count": "count", "flag": "flag"}
ROWS = tables.ROW_GROUP * 2 + 77


def made(count: int) -> list[dict[str, Any]]:
    rng = random.Random(5)
    return [
        {
            "name": f"n{number:07d}",
            "status": rng.choice(("kept", "rejected", None)),
            "number": rng.choice((None, rng.random())),
            "count": number,
            "flag": number % 3 == 0,
        }
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "table.parquet"
    tables.write(path, made(ROWS), COLUMNS, TYPES)
    return path


@pytest.mark.parametrize("portion", [1_000, tables.ROW_GROUP, ROWS])
def test_equal_rows_give_equal_bytes_in_whatever_portions(
    table: Path, tmp_path: Path, portion: int
) -> None:
    rows = made(ROWS)
    with tables.writing(tmp_path / "other.parquet", COLUMNS, TYPES) as writer:
        for start in range(0, ROWS, portion):
            if start % 2000:
                writer.add_columns(tables.columns(table, COLUMNS).slice(start, portion))
            else:
                writer.add(iter(rows[start : start + portion]))
    assert (tmp_path / "other.parquet").read_bytes() == table.read_bytes()
    assert tables.records(table) == rows


def test_nobody_else_reads_a_whole_table(root: Path) -> None:
    """A source's own index is no table of ours (`sources/index.py` reads it in parts)."""
    ways = ("read_parquet(", "pq.read_table(", "pq.write_table(")
    files = [path for path in (root / "mm_model").rglob("*.py") if path.name != "tables.py"]
    assert not [path for path in files if any(way in path.read_text() for way in ways)]


def test_a_table_s_groups_are_whole(table: Path) -> None:
    told = pq.read_metadata(table)
    groups = [told.row_group(number).num_rows for number in range(told.num_row_groups)]
    assert groups == [tables.ROW_GROUP, tables.ROW_GROUP, 77]


def test_a_table_without_rows_keeps_its_types(tmp_path: Path) -> None:
    tables.write(tmp_path / "none.parquet", [], COLUMNS, TYPES)
    found = tables.read(tmp_path / "none.parquet")
    assert list(found.columns) == list(COLUMNS) and found["number"].dtype == float


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    tables.write(path, made(3), COLUMNS, TYPES)
    before = path.read_bytes()
    with (
        pytest.raises(ValueError, match=r"\['other'\] are no columns"),
        tables.writing(path, COLUMNS, TYPES) as writer,
    ):
        writer.add(made(2))
        writer.add([{"other": 1}])
    assert path.read_bytes() == before and [one.name for one in tmp_path.iterdir()] == [path.name]


def test_parts_hold_the_rows_that_are_asked_for(table: Path) -> None:
    wanted = [row for row in made(ROWS) if row["status"] in ("kept", "rejected")]
    found = list(tables.batches(table, ("count", "absent"), {"status": ("kept", "rejected")}, 999))
    assert max(batch.num_rows for batch in found) <= 999
    assert [batch.schema.names for batch in found[:1]] == [["count"]]
    assert [n for batch in found for n in batch["count"].to_pylist()] == [
        row["count"] for row in wanted
    ]
    kept = tables.read(table, ("name",), {"status": "kept", "name": {"n0000001", "n0131072"}})
    assert list(kept["name"]) == [
        row["name"]
        for row in made(ROWS)
        if row["status"] == "kept" and row["name"] in ("n0000001", "n0131072")
    ]


def test_a_group_that_cannot_hold_a_key_is_not_read(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    whole = pq.ParquetFile.read_row_group

    def noted(file: Any, group: int, **more: Any) -> Any:
        read.append(group)
        return whole(file, group, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    assert [row["count"] for row in tables.rows(table, where={"name": f"n{ROWS - 1:07d}"})] == [
        ROWS - 1
    ]
    assert read == [2]


def test_a_column_to_choose_by_that_is_not_there_is_one_sentence(table: Path) -> None:
    with pytest.raises(UserError, match="no column 'colour'"):
        list(tables.rows(table, where={"colour": "red"}))


def test_rows_are_taken_by_their_place(table: Path) -> None:
    places = [ROWS - 1, 0, 70_000, 0]
    assert [row["count"] for row in tables.taken(table, places, ("count",))] == places
    with pytest.raises(IndexError):
        tables.taken(table, [ROWS], ("count",))


@pytest.fixture(params=["digests", "digests that meet"])
def by_name(tmp_path: Path, request: Any, monkeypatch: pytest.MonkeyPatch) -> Lookup:
    if request.param == "digests that meet":
        whole = lookup._digests
        monkeypatch.setattr(lookup, "_digests", lambda keys: whole(keys) % 2)
    rows = [{"name": name, "count": n} for n, name in enumerate("abcbdefg")]
    tables.write(tmp_path / "t.parquet", rows, ("name", "count"), {"count": "count"})
    return Lookup(tmp_path / "t.parquet", "name", ("count",))


def test_a_row_is_found_by_its_name(by_name: Lookup) -> None:
    assert by_name.row("a") == {"name": "a", "count": 0}
    assert by_name.row("g")["count"] == 7
    assert "g" in by_name and "x" not in by_name


def test_all_rows_of_a_name_are_found_in_order(by_name: Lookup) -> None:
    assert by_name.rows("b")["count"].to_pylist() == [1, 3]
    assert by_name.rows("x").num_rows == 0


def test_a_name_that_stands_twice_is_said(by_name: Lookup) -> None:
    with pytest.raises(UserError, match="'b' stands 2 times"):
        by_name.row("b")


def test_a_name_that_is_not_there_is_a_key_error(by_name: Lookup) -> None:
    with pytest.raises(KeyError):
        by_name.row("x")


def test_many_names_are_joined_at_once(by_name: Lookup, tmp_path: Path) -> None:
    import pyarrow as pa

    keys = pa.array(["g", "x", None, "b", "a"])
    assert by_name.joined(keys)["count"].to_pylist() == [7, None, None, 1, 0]
    tables.write(tmp_path / "none.parquet", [], ("name", "count"), {"count": "count"})
    none = Lookup(tmp_path / "none.parquet", "name", ("count",))
    assert none.joined(keys)["count"].to_pylist() == [None] * 5
