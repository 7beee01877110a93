"""No operation on a table holds it whole: a long one takes hardly more memory than a short one."""

from pathlib import Path

import pytest

from benchmarks import stage_memory
from benchmarks import tables as benchmark

LONG, SHORT = 200_000, 1_000
MORE_MB = {"rows": 150, "kept": 200, "each": 100, "catalogue": 150, "audit": 300}
"""What a row group takes, and some. As Python rows the long tables take 300 to 700 MB."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    made = {count: tmp_path_factory.mktemp(f"of-{count}") for count in (LONG, SHORT)}
    for count, folder in made.items():
        for operation in ("columns", "rows"):
            benchmark.OPERATIONS[operation](folder, count)
    return made


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ("catalogue", "audit") else ())
        for name in MORE_MB
    ],
)
def test_a_long_table_takes_hardly_more_memory_than_a_short_one(
    folders: dict[int, Path], operation: str
) -> None:
    peaks = {count: benchmark.measured(operation, folders[count], count)[0] for count in folders}
    print(operation, peaks)
    assert peaks[LONG] - peaks[SHORT] < MORE_MB[operation], peaks


@pytest.mark.slow
@pytest.mark.endurance
@pytest.mark.parametrize("stage", list(stage_memory.STAGES))
def test_a_stage_holds_few_bytes_of_a_row(stage: str) -> None:
    """As dictionaries the rows of a stage take 2,000 to 5,000 bytes each."""
    few, many = 90_000, 160_000
    peaks = [stage_memory.measured(stage, rows)[0] for rows in (few, many)]
    assert (peaks[1] - peaks[0]) / (many - few) < 1000, peaks
