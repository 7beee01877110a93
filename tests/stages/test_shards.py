"""Work in shards: a kill loses at most one shard, and the result is the undisturbed one."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mm_model.store.shards import in_shards
from tests.store.damage import flipped, other_damage

_SLOW_WORK = """
import sys, time
from pathlib import Path
from mm_model.store.shards import in_shards

def compute(items):
    time.sleep(0.15)
    return [{"item": i, "root": i ** 0.5} for i in items]

rows = in_shards(Path(sys.argv[1]), list(range(40)), 4, compute, label="test")
print(len(rows))
"""


def squares(items: list[int]) -> list[dict]:
    return [{"item": item, "square": item**2, "pair": (item, None)} for item in items]


def test_rows_come_in_order_and_only_once_computed(tmp_path: Path) -> None:
    calls: list[list[int]] = []

    def compute(items: list[int]) -> list[dict]:
        calls.append(list(items))
        return squares(items)

    first = in_shards(tmp_path, list(range(10)), 4, compute, label="test")
    assert [row["square"] for row in first] == [i * i for i in range(10)]
    assert calls == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert in_shards(tmp_path, list(range(10)), 4, compute, label="test") == first
    assert len(calls) == 3


def test_a_killed_run_continues_and_ends_with_the_same_bytes(tmp_path: Path, root: Path) -> None:
    def start(name: str) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-c", _SLOW_WORK, str(tmp_path / name)], cwd=root)

    assert start("whole").wait(60) == 0
    killed = start("killed")
    deadline = time.monotonic() + 300
    while len(list((tmp_path / "killed").glob("shard-*.json"))) < 3:
        assert time.monotonic() < deadline and killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = {p: p.stat().st_mtime_ns for p in (tmp_path / "killed").glob("shard-*.json")}
    assert 3 <= len(done) < 10
    assert start("killed").wait(60) == 0
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole").glob("shard-*")}
    assert whole == {p.name: p.read_bytes() for p in (tmp_path / "killed").glob("shard-*")}


@pytest.mark.parametrize("damage", ["cut", "changed", "other items", "not json"])
def test_a_shard_that_cannot_be_trusted_is_computed_again(tmp_path: Path, damage: str) -> None:
    good = in_shards(tmp_path, [1, 2, 3], 3, squares, label="test")
    path = tmp_path / "shard-000000.json"
    content = path.read_text()
    record = json.loads(content)
    if damage == "changed":
        record["rows"][0]["square"] = 7
    path.write_text(
        {
            "cut": content[:-20],
            "not json": "",
            "changed": json.dumps(record),
            "other items": content,
        }[damage]
    )
    items = [1, 2, 4] if damage == "other items" else [1, 2, 3]
    rows = in_shards(tmp_path, items, 3, squares, label="test")
    assert rows == (
        good if items[2] == 3 else [*good[:2], {"item": 4, "square": 16, "pair": [4, None]}]
    )


def test_an_exception_keeps_what_was_committed(tmp_path: Path) -> None:
    def fails_late(items: list[int]) -> list[dict]:
        if 5 in items:
            raise RuntimeError("stop")
        return squares(items)

    with pytest.raises(RuntimeError, match="stop"):
        in_shards(tmp_path, list(range(8)), 2, fails_late, label="test")
    assert len(list(tmp_path.glob("shard-*.json"))) == 2


def test_values_that_json_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        in_shards(tmp_path, [1], 1, lambda items: [{"x": float("nan")}], label="test")
    with pytest.raises(ValueError, match="at least 1"):
        in_shards(tmp_path, [1], 0, squares, label="test")
    assert in_shards(tmp_path, [], 5, squares, label="test") == []


def test_no_damaged_shard_is_used_silently(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def compute(items: list[int]) -> list[dict]:
        return squares(items)

    good = in_shards(tmp_path, [1, 2, 3, 4], 2, compute, label="test", origin="work")
    first, second = sorted(tmp_path.glob("shard-*.json"))
    content = first.read_bytes()
    damages = [lambda d=d: first.write_bytes(d) for d in flipped(content, 300)]
    for do in [*damages, *other_damage(first, second).values()]:
        first.write_bytes(content)
        do()
        assert in_shards(tmp_path, [1, 2, 3, 4], 2, compute, label="test", origin="work") == good
        assert first.read_bytes() == content or json.loads(first.read_bytes())
    assert "shard-000000.json of the work folder is damaged: it is made again" in (
        capsys.readouterr().out
    )


def test_shards_of_other_work_are_computed_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute(items: list[int]) -> list[dict]:
        calls.append(len(items))
        return squares(items)

    for origin in ("work", "work", "another fingerprint"):
        in_shards(tmp_path, [1, 2, 3], 3, compute, label="test", origin=origin)
    assert calls == [3, 3]
