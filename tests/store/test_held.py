"""Rows of which some columns are held in memory read and change as dictionaries do."""

from pathlib import Path

import numpy as np
import pytest

from mm_model.store import spill
from mm_model.store.held import HeldRows

KINDS = {"side": "text", "number": "count", "value": "number"}


def test_what_is_held_can_be_changed_and_all_else_is_read(tmp_path: Path) -> None:
    draws = np.random.default_rng(1)
    plain = [
        {
            "name": f"file {number}",
            "side": [None, "train", "held_out"][number % 3],
            "number": None if number % 5 == 0 else number,
            "value": None if number % 7 == 0 else float(draws.normal()),
        }
        for number in range(300)
    ]
    with spill.opened(tmp_path / "rows") as spills:
        rows = HeldRows(spills.rows("some"), KINDS)
        for row in plain:
            rows.append(row)
        for place in range(0, 300, 4):
            change = {"side": f"side {place % 8}", "number": None, "value": 0.1}
            plain[place].update(change)
            rows[place].update(change)
        assert [dict(row) for row in rows] == plain == list(rows.whole())
        assert rows[7].get("absent") is None and len(rows) == 300
        assert [type(rows[1][name]) for name in ("number", "value")] == [int, float]
        with pytest.raises(KeyError):
            rows[0]["name"] = "only what is held can be changed"
        with pytest.raises(IndexError):
            rows[300]
