"""The table of a record's numbers in a page: `python -m mm_model.serving.page mlflow/README.md`."""

import sys
from pathlib import Path

from mm_model.serving import fields

BEGIN = "<!-- numbers: written by python -m mm_model.serving.page -->"
END = "<!-- end of numbers -->"


def table() -> str:
    """A row for each option's fields."""
    lines = ["| field | type | |", "|---|---|---|"]
    for together in fields.by_option().values():
        names = ", ".join(f"`{one.name}`" for one in together)
        kind = "whole number" if together[0].whole else "number"
        plural = "s" if len(together) > 1 else ""
        lines.append(f"| {names} | {kind}{plural} | {together[0].says} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page `text` with today's table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(page(path.read_text("utf-8")), "utf-8")
