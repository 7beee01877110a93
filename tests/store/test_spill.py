"""Rows that wait on the disk come back as they were, in any order, and leave nothing behind."""

import json
from pathlib import Path

import numpy as np
import pytest

from mm_model.errors import UserError
from mm_model.store import documents, spill
from mm_model.store.firsts import Firsts, first_equal


def row(number: int) -> dict:
    return {"name": f"file {number}\n", "value": number / 7, "none": None, "all": [number] * 3}


def test_rows_come_back_in_their_order_by_place_and_in_portions(tmp_path: Path) -> None:
    with spill.opened(tmp_path / "rows") as spills:
        rows = spills.rows("some")
        for number in range(600):
            rows.append(row(number))
            assert rows[number // 2] == row(number // 2), "what was just written is read too"
        assert list(rows) == [row(number) for number in range(600)]
        assert rows[250:514] == [row(number) for number in range(250, 514)]
        assert rows[590:700] == [row(number) for number in range(590, 600)]
        assert len(rows) == 600
        with pytest.raises(IndexError):
            rows[600]
        assert list(spills.rows("none")) == []
    assert not (tmp_path / "rows").exists()


def test_what_a_killed_run_left_is_not_read(tmp_path: Path) -> None:
    left = tmp_path / "rows" / "some.rows"
    left.parent.mkdir()
    left.write_bytes(b"torn")
    with spill.opened(tmp_path / "rows") as spills:
        assert len(spills.rows("some")) == 0
    with pytest.raises(RuntimeError), spill.opened(tmp_path / "rows"):
        raise RuntimeError
    assert not (tmp_path / "rows").exists()


def test_a_row_is_found_by_its_key_and_the_last_of_a_key_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "_digest", lambda key: len(key))  # many keys of one digest
    with spill.opened(tmp_path / "rows") as spills:
        rows = spills.by_key("some")
        assert rows.get("a") is None
        for number in range(50):
            rows.put(f"key {number}", row(number))
        assert [rows.get(f"key {number}") for number in range(50)] == [row(n) for n in range(50)]
        rows.put("key 7", row(70))
        assert rows.get("key 7") == row(70) and rows.get("key x") is None


def test_the_first_of_equal_texts_is_told() -> None:
    texts, seen = [str(number) for number in np.random.default_rng(1).integers(0, 40, 300)], {}
    firsts = Firsts()
    for text in texts:
        firsts.add(text)
    wanted = [seen.setdefault(text, place) for place, text in enumerate(texts)]
    assert firsts.first().tolist() == wanted and len(firsts) == 300
    assert first_equal(np.array([3, 1, 3, 3]), np.array([0, 0, 1, 0])).tolist() == [0, 1, 2, 0]
    assert Firsts().first().tolist() == []


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_entries_of_a_document_come_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(documents, "_CHUNK", chunk)
    path = tmp_path / "captions.json"
    said = {'a "b" \u00e9': {"text": "x } , {"}, "c": {}, "d": {"all": [1, {"e": None}]}, "n": 123}
    for indent in (None, 1):
        path.write_text(json.dumps(said, indent=indent), encoding="utf-8")
        assert list(documents.entries(path)) == list(said.items())
    path.write_text("{}\n")
    assert list(documents.entries(path)) == []
    for torn in ("", "[]", '{"a": 1', '{"a": 1} x', '{"a" 1}', '{"a": 1 "b": 2}', "{a: 1}"):
        path.write_text(torn)
        with pytest.raises(UserError, match="damaged"):
            list(documents.entries(path))
