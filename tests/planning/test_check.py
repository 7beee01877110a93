"""The arithmetic held to finished runs: never to one that it was calibrated on."""

import json
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands.cli import main
from mm_model.errors import UserError
from mm_model.planning import check, page
from mm_model.settings import load_profile

STAGES = ("sources", "ingest", "faces", "pairs", "pretrain", "finetune", "evaluate", "register")


def made_up(rows: int, seconds: float, **more: Any) -> dict[str, Any]:
    return {
        "profile": "tiny",
        "seconds": dict.fromkeys(STAGES, seconds),
        "stages": {name: {"account": f"{rows} in = {rows} kept"} for name in STAGES},
        **more,
    }


def stored(folder: Path, name: str, run: dict[str, Any]) -> Path:
    path = folder / name
    path.write_text(json.dumps(run))
    return path


@pytest.mark.parametrize("path", check.CALIBRATED)
def test_a_run_that_was_calibrated_on_is_refused(root: Path, path: str) -> None:
    with pytest.raises(UserError, match="rests on"):
        check.against(root, root / path)


def test_a_straight_line_is_met(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = made_up(100, 20), made_up(300, 40)
    names = [str(stored(tmp_path, f"{k}.json", run)) for k, run in enumerate((few, many))]
    monkeypatch.setattr(check, "CALIBRATED", tuple(names))
    held = check.against(root, stored(tmp_path, "other.json", made_up(500, 60)))
    by_stage = {one.stage: one for one in held}
    for name in STAGES[:4]:
        assert by_stage[name].predicted == pytest.approx(60), name
        assert not by_stage[name].far
    assert by_stage["register"].predicted == pytest.approx(30), "no work of its own"
    slow = check.against(root, stored(tmp_path, "slow.json", made_up(500, 600)))
    assert all(one.far for one in slow)
    assert f"Off by more than a factor of 2: {', '.join(STAGES)}." in check.text(slow)


def test_the_work_of_a_training_follows_the_profile(root: Path) -> None:
    profile = load_profile(root, "tiny")
    rows = dict.fromkeys(STAGES, 100)
    whole = check.work_of(root, profile, rows)
    rules = {"steps": profile.pretrain.steps // 2, "sample_every": profile.pretrain.sample_every}
    less = profile.pretrain.model_copy(update=rules)
    half = check.work_of(root, profile.model_copy(update={"pretrain": less}), rows)
    assert 0.4 < half["pretrain"] / whole["pretrain"] < 0.7
    assert half["finetune"] == whole["finetune"]


def test_processor_time_is_taken_where_a_run_has_it(tmp_path: Path) -> None:
    both = stored(tmp_path, "both.json", made_up(1, 1, cpu_seconds={}))
    clock = stored(tmp_path, "clock.json", made_up(1, 1))
    assert [check.clock_of(path) for path in (both, clock)] == ["cpu_seconds", "seconds"]


@pytest.mark.parametrize("damage", [{"seconds": None}, {"stages": {"sources": {}}}, {"profile": 1}])
def test_what_is_no_run_is_one_sentence(damage: Any, tmp_path: Path, capsys: Any) -> None:
    path = stored(tmp_path, "run.json", {**made_up(1, 1), **damage})
    assert main(["plan", "--check", "--against", str(path)]) == 1
    assert "holds no finished run" in capsys.readouterr().err


def test_the_command_says_how_far_it_is_off(capsys: Any) -> None:
    assert main(["plan", "--check"]) == 0
    said = capsys.readouterr().out
    assert "| pretrain |" in said
    assert "Off by more than a factor of 2" in said


def test_the_page_is_what_the_rates_say(root: Path) -> None:
    written = (root / "docs" / "how-far.md").read_text("utf-8")
    assert page.written(root) == written, "python -m mm_model.planning.page docs/how-far.md"
