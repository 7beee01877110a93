"""Table 3's benchmark at a small size: every phase, what is compared, and what a stop costs."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import table3
from benchmarks.table3 import phases, timing
from benchmarks.table3.models import Dimensions
from benchmarks.table3.sheet import MeasuredRows
from benchmarks.table3.ways import Setting, Way, Ways
from mm_model.errors import UserError

pytestmark = pytest.mark.capability("table 3's benchmark", scale="T")

FULL = {"parameters: base": 10_548_177_635, "parameters: ours": 12_801_922_659}


def _setting(out: Path, size: str = "small", minutes: float = 5.0) -> Setting:
    rows = MeasuredRows.open(out, size, "paper")
    options = argparse.Namespace(size="small", preset="paper", compiler="eager")
    return Setting.of(options, rows, time.monotonic() + 60 * minutes)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All phases, one after the other, in this process."""
    out = tmp_path_factory.mktemp("table3") / "rows.json"
    for phase in table3.PHASES:
        phases.run(phase, _setting(out))
    return out


@pytest.mark.slow
def test_every_phase_leaves_rows_and_says_on_what(measured: Path) -> None:
    said = json.loads(measured.read_text())
    assert said["finished"] == dict.fromkeys(table3.PHASES, True)
    assert {row["phase"] for row in said["rows"]} == set(table3.PHASES)
    assert said["about"]["gpu"] == "no GPU" or torch.cuda.is_available()
    assert "no claim" in said["about"]["what"]
    assert all(row["value"] > 0 and row["unit"] for row in said["rows"])


@pytest.mark.slow
def test_a_row_that_is_there_is_not_measured_again(
    measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = measured.read_bytes()
    monkeypatch.setattr(phases, "_PHASES", dict.fromkeys(table3.PHASES, pytest.fail))
    for phase in table3.PHASES:
        phases.run(phase, _setting(measured))
    assert measured.read_bytes() == before


@pytest.mark.slow
def test_a_phase_whose_time_is_up_goes_on_where_it_was(measured: Path, tmp_path: Path) -> None:
    said = json.loads(measured.read_text())
    ways = [row for row in said["rows"] if row["phase"] == "exact" and "equal" in row]
    cut = {**said, "finished": {**said["finished"], "exact": False}}
    cut["rows"] = [row for row in said["rows"] if row["phase"] != "exact"] + ways[:1]
    out = tmp_path / "rows.json"
    out.write_text(json.dumps(cut))
    phases.run("exact", _setting(out, minutes=0))
    found = MeasuredRows.open(out, "small", "paper")
    assert not found.finished["exact"], "nothing begins when the time is up"
    assert ways[0] in found.rows
    with pytest.raises(UserError, match="give the same command again"):
        found.value("exact", phases._EXACT)


@pytest.mark.slow
def test_the_ways_of_computing_ours_agree_and_base_and_ours_do_not(measured: Path) -> None:
    rows = json.loads(measured.read_text())["rows"]
    ways = [row for row in rows if row["phase"] == "exact" and "equal" in row]
    assert any("compiled + tables" in row["name"] for row in ways)
    assert all(row["equal"] and row["cosine"] > 0.9999 for row in ways)
    (seen,) = (row["value"] for row in rows if row["unit"] == "cosine")
    assert seen < 0.99, "an identity that changes nothing would hide what is wrong"


def test_a_wrong_way_is_not_called_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Ways.step

    def wrong(self: Ways, way: Way) -> Callable[[int], torch.Tensor]:
        made = step(self, way)
        return made if not way.tables else lambda number: made(number) * 1.02 + 0.02

    monkeypatch.setattr(Ways, "step", wrong)
    monkeypatch.setattr(phases, "_asked", lambda *_: [Way(), Way(tables=True)])
    setting = _setting(tmp_path / "rows.json")
    phases.run("exact", setting)
    equal = {row["name"]: row["equal"] for row in setting.rows.rows if "equal" in row}
    assert {name for name, is_equal in equal.items() if not is_equal} == {
        name for name in equal if "tables" in name
    }
    assert "tables" not in next(r["way"] for r in setting.rows.rows if "way" in r)


@pytest.mark.slow
def test_half_of_the_steps_are_found_in_the_cache(measured: Path) -> None:
    (row,) = (r for r in json.loads(measured.read_text())["rows"] if r["phase"] == "cached")
    assert row["found"] == 0.5 and "speed only" in row["note"]


def test_the_full_size_has_the_paper_s_parameters(tmp_path: Path) -> None:
    setting = _setting(tmp_path / "rows.json")
    full = Setting(**{**setting.__dict__, "sizes": Dimensions.of("full", "paper")})
    phases.run("parameters", full)
    found = {f"parameters: {row['name']}": row["value"] for row in full.rows.rows}
    assert found == FULL


def test_sides_take_turns_and_a_ratio_has_an_interval() -> None:
    order: list[str] = []
    sides = {name: lambda _, name=name: order.append(name) for name in "ab"}
    ends = time.monotonic() + 60
    found = timing.taken_in_turns(sides, torch.device("cpu"), warm=1, turns=4, ends=ends)
    assert "".join(order[2:]) == "abbaabba"
    assert found is not None and len(found.milliseconds["a"]) == 4
    made = timing.Turns({"a": [2.0, 4.0, 2.0, 4.0], "b": [2.0, 2.0, 2.0, 2.0]}, {})
    value, low, high = made.ratio("a", "b")
    assert low <= value <= high and (low, high) == (1.0, 2.0)
    late = timing.taken_in_turns(sides, torch.device("cpu"), warm=1, turns=4, ends=0.0)
    assert late is None


@pytest.mark.slow
def test_what_is_all_there_is_judged_by_its_worst_goal(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    said = json.loads(measured.read_text())
    kept = {"time, ours over base": 1.004, phases._EXACT: 1.5}
    kept["peak, ours with tables over base"] = 1.089
    for row in said["rows"]:
        row["value"] = kept.get(row["name"], row["value"])
    out = tmp_path / "rows.json"
    out.write_text(json.dumps(said))
    result = table3._result(MeasuredRows.open(out, "small", "paper"), "full")
    assert result is not None and not result.holds
    assert result.ratio == pytest.approx(1.089 / 0.99)
    assert "memory: 1.0890, goal 0.99, missed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "is no sheet of table3"), ('{"about": {}, "rows": [], "finished": {}}', "with another")],
)
def test_a_file_of_something_else_is_one_sentence(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "rows.json"
    out.write_text(content)
    assert command.main(["table3", "--size=small", "--phase=machine", f"--out={out}"]) == 1
    assert said in capsys.readouterr().err
    assert out.read_text() == content


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_full_size_without_a_gpu_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "rows.json"
    assert command.main(["table3", "--phase=eager", f"--out={out}"]) == 1
    assert "give --size small for a dry run" in capsys.readouterr().err
