"""A row of a table, as plain data that every room hands on."""

from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
"""A row of a stage's table, or what is known of one file so far, by column: texts, numbers, None.

Which columns there are is said by `mm_model.records`, their types where a table is written.
"""
