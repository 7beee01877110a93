"""The cache of measurements: what it keeps, forgets, and survives."""

import sqlite3
from pathlib import Path

import pytest

from mm_model.store import measured


def test_what_was_kept_is_there_in_the_next_run_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "of" / "faces.db"
    with measured.opened(path) as cache:
        assert cache.known(["a", "b"]) == {}
        cache.keep({"a": {"score": 0.1 + 0.2, "none": None}, "b": {}})
    with measured.opened(path) as cache:
        assert cache.known(["a", "b", "c", "a"]) == {
            "a": {"score": 0.30000000000000004, "none": None},
            "b": {},
        }


def test_more_keys_than_a_statement_takes(tmp_path: Path) -> None:
    values = {f"{number:05d}": {"number": number} for number in range(1201)}
    with measured.opened(tmp_path / "x.db") as cache:
        cache.keep(values)
        assert cache.known([*values, "absent"]) == values
        assert cache.absent([*values, "absent"]) == {"absent"}


def test_a_value_that_json_cannot_hold_keeps_none_of_its_batch(tmp_path: Path) -> None:
    with measured.opened(tmp_path / "x.db") as cache:
        with pytest.raises(ValueError, match="not JSON compliant"):
            cache.keep({"good": {"n": 1}, "bad": {"n": float("nan")}})
        assert cache.known(["good", "bad"]) == {}


def test_what_no_run_asks_for_is_dropped_and_what_one_does_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with measured.opened(path) as cache:
        cache.keep({"used": {}, "unused": {}})
    for _ in range(measured.RUNS_UNUSED + 1):
        with measured.opened(path) as cache:
            cache.known(["used"])
    with measured.opened(path) as cache:
        assert list(cache.known(["used", "unused"])) == ["used"]


def test_a_run_that_failed_drops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with measured.opened(path) as cache:
        cache.keep({"used": {}, "unused": {}})
    for _ in range(measured.RUNS_UNUSED + 1):
        with pytest.raises(RuntimeError), measured.opened(path) as cache:
            cache.known(["used"])
            raise RuntimeError
    with measured.opened(path) as cache:
        assert len(cache.known(["used", "unused"])) == 2


@pytest.mark.parametrize("harm", ["no database", "half", "another schema"])
def test_a_file_of_no_use_costs_time_and_nothing_else(
    tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.db"
    many = {f"{number:05d}": {"text": f"{number}" * 50} for number in range(900)}
    with measured.opened(path) as cache:
        cache.keep(many)
    if harm == "no database":
        path.write_bytes(b"hello" * 1000)
    elif harm == "half":
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    with measured.opened(path) as cache:
        assert cache.known(many) == {}
        cache.keep({"a": {}})
    assert "is of no use" in capsys.readouterr().out
    with measured.opened(path) as cache:
        cache.keep({"a": {"n": 1}})
    with measured.opened(path) as cache:
        assert cache.known(["a"]) == {"a": {"n": 1}}, "the next run begins another"


def test_a_damaged_value_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with measured.opened(path) as cache:
        cache.keep({"a": {"n": 1}, "b": {"n": 2}})
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE measured SET value = x'00112233' WHERE key = 'a'")
    connection.close()
    with measured.opened(path) as cache:
        assert cache.known(["a", "b"]) == {"b": {"n": 2}}


def test_a_file_that_another_holds_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, plain = tmp_path / "x.db", sqlite3.connect
    with measured.opened(path) as cache:
        cache.keep({"a": {"n": 1}})
    monkeypatch.setattr(measured.sqlite3, "connect", lambda path: plain(path, timeout=0.05))
    other = plain(path)
    other.execute("BEGIN EXCLUSIVE")
    with measured.opened(path) as cache:
        cache.keep({"a": {"n": 2}})
        assert cache.known(["a"]) == {}, "the run goes on without it"
    assert "is of no use" in capsys.readouterr().out
    other.rollback()
    other.close()
    with measured.opened(path) as cache:
        assert cache.known(["a"]) == {"a": {"n": 1}}
