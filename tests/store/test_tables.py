"""Tables: the one row of a name."""

import pandas as pd
import pytest

from mm_model.errors import UserError
from mm_model.store import tables

TABLE = pd.DataFrame({"name": ["a", "b", "b"], "file": ["1.jpg", "2.jpg", "3.jpg"]})


def test_a_row_is_found_by_its_name() -> None:
    assert tables.row_of(TABLE.set_index("name"), "a")["file"] == "1.jpg"


def test_a_name_that_stands_twice_is_said() -> None:
    with pytest.raises(UserError, match="'b' stands 2 times"):
        tables.row_of(TABLE.set_index("name"), "b")


def test_a_name_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        tables.row_of(TABLE.set_index("name"), "c")
