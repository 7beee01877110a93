"""A plan follows the profile's values, and says what it rests on."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands.cli import main
from mm_model.errors import UserError
from mm_model.planning import plan, text
from mm_model.planning.rates import RATES
from mm_model.planning.shapes import shape_of
from mm_model.planning.work import Machine, PlannedRun, StageCost, costs
from mm_model.run import stages
from mm_model.settings import Profile, load_profile

pytestmark = pytest.mark.capability("plan", scale="T")

MACHINE = Machine("h100", 8, 64)


@pytest.fixture(scope="module")
def profile(root: Path) -> Profile:
    return load_profile(root, "paper")


def cost_of(
    root: Path, profile: Profile, values: Mapping[str, float] | None = None, **amounts: Any
) -> dict[str, StageCost]:
    said = {"pictures": 5e6, "clips": 150e3, "gpu": "h100", **amounts}
    asked = PlannedRun(profile, shape_of(profile.model, root / "weights/tiny/backbone"), **said)
    return {one.stage: one for one in costs(asked, values or plan.likely())}


def changed(profile: Profile, section: str, **values: Any) -> Profile:
    part = profile.section(section).model_copy(update=values)
    return profile.model_copy(update={section: part})


def test_every_stage_stands_in_the_plan(root: Path, profile: Profile) -> None:
    assert list(cost_of(root, profile)) == list(stages.NAMES)


def test_the_model_s_size_is_the_published_one(root: Path, profile: Profile) -> None:
    shape = shape_of(profile.model, root)
    assert shape.tokens(49) == 17_776
    assert shape.forward(49) == pytest.approx(332, rel=0.01)
    assert shape.trained_sample(49, checkpointing=True) == pytest.approx(1241, rel=0.01)
    whole = (shape.parts.total + shape.adapter) / 1e9
    assert f"{whole:.2f}" == "12.80"
    base = shape.parts.transformer + shape.parts.text + shape.parts.vae
    assert f"{base / 1e9:.2f}" == "10.55"


def test_the_small_model_s_size_is_read_from_its_folder(root: Path) -> None:
    small = load_profile(root, "tiny").model
    assert shape_of(small, root / "weights/tiny/backbone").layers == 6
    with pytest.raises(UserError, match="correct backbone in params"):
        shape_of(small, root / "nowhere")


@pytest.mark.parametrize("name", ["pretrain", "finetune"])
def test_half_the_steps_take_half_the_gpu_hours(root: Path, profile: Profile, name: str) -> None:
    rules = profile.trainings[name]
    bare = {"identity_loss_weight": 0.0, "identity_loss_from_step": 10**6, "sample_every": 10**6}
    whole = changed(profile, name, **bare)
    half = changed(whole, name, steps=rules.steps // 2)
    twice = changed(half, name, batch_size=2 * rules.batch_size)
    hours = [cost_of(root, one)[name].gpu_hours for one in (whole, half, twice)]
    assert hours[1] == pytest.approx(hours[0] / 2, rel=0.02)
    assert hours[2] == pytest.approx(hours[0], rel=0.02)


@pytest.mark.parametrize(
    ("section", "values", "stage", "column", "cheaper"),
    [
        ("pretrain", {"gradient_checkpointing": False}, "pretrain", "gpu_hours", True),
        ("pretrain", {"gradient_checkpointing": False}, "pretrain", "gpu_memory", False),
        ("pretrain", {"sample_every": 100}, "pretrain", "gpu_hours", False),
        ("pretrain", {"milestones": (0.5,)}, "pretrain", "disk", False),
        ("pretrain", {"milestones": (0.5,)}, "evaluate", "gpu_hours", False),
        ("finetune", {"identity_loss_from_step": 5000}, "finetune", "gpu_memory", True),
        ("pretrain", {"identity_loss_from_step": 30_000}, "pretrain", "gpu_hours", True),
        ("pretrain", {"identity_loss_samples": 1}, "pretrain", "gpu_memory", True),
        ("pretrain", {"optimizer": "adamw8bit"}, "pretrain", "gpu_memory", True),
        ("model", {"crop_margin": 1.5}, "finetune", "gpu_memory", False),
        ("model", {"num_frames": 25}, "finetune", "gpu_hours", True),
        ("model", {"num_frames": 25}, "precompute", "disk", True),
        ("model", {"preset": "lite"}, "pretrain", "gpu_memory", True),
        ("run", {"dtype": "float32"}, "pretrain", "gpu_memory", False),
        ("pairs", {"synthetic_per_clip": 1}, "pairs", "gpu_hours", True),
        ("pairs", {"synthetic_steps": 25}, "pairs", "gpu_hours", True),
        ("pairs", {"synthetic_size": 512}, "pairs", "gpu_hours", True),
        ("pairs", {"per_target": 1}, "pairs", "rows_out", True),
        ("faces", {"prescreen_size": None}, "faces", "cpu_hours", False),
        ("faces", {"frames_examined": 16}, "faces", "cpu_hours", True),
        ("faces", {"detection_size": 320}, "faces", "cpu_hours", True),
        ("ingest", {"text_second_look": None}, "ingest", "cpu_hours", True),
        ("ingest", {"quality_above": None}, "ingest", "cpu_hours", True),
        ("ingest", {"nsfw_above": None}, "ingest", "cpu_hours", True),
        ("ingest", {"captioner": "a-model"}, "ingest", "gpu_hours", False),
        ("evaluate", {"inference_steps": 25}, "evaluate", "gpu_hours", True),
        ("evaluate", {"guidance_scale": 1.0}, "evaluate", "gpu_hours", True),
        ("evaluate", {"people": 25}, "evaluate", "cpu_hours", True),
    ],
)
def test_a_value_of_the_profile_changes_the_plan(
    root: Path,
    profile: Profile,
    section: str,
    values: dict[str, Any],
    stage: str,
    column: str,
    cheaper: bool,
) -> None:
    before = getattr(cost_of(root, profile)[stage], column)
    after = getattr(cost_of(root, changed(profile, section, **values))[stage], column)
    assert after < 0.99 * before if cheaper else after > 1.001 * before


def test_twice_the_files_take_twice_the_looks(root: Path, profile: Profile) -> None:
    one, two = (cost_of(root, profile, pictures=p, clips=p / 10) for p in (1e5, 2e5))
    for stage in ("sources", "ingest", "faces", "pairs", "precompute"):
        assert two[stage].cpu_hours == pytest.approx(2 * one[stage].cpu_hours), stage
    assert two["pretrain"].gpu_hours == one["pretrain"].gpu_hours


def test_a_slower_gpu_takes_longer(root: Path, profile: Profile) -> None:
    fast, slow = (cost_of(root, profile, gpu=gpu) for gpu in ("h100", "a100"))
    for stage in ("pairs", "precompute", "pretrain", "finetune", "evaluate"):
        assert slow[stage].gpu_hours == pytest.approx(fast[stage].gpu_hours * 989 / 312), stage


@pytest.mark.parametrize("name", RATES)
def test_a_rate_says_what_it_is_and_is_used(root: Path, profile: Profile, name: str) -> None:
    rate = RATES[name]
    assert rate.low <= rate.value <= rate.high
    assert rate.low < rate.high
    assert all((rate.unit, rate.source, rate.says, rate.hardware))
    if rate.kind != "published":
        assert (rate.kind == "measured here") == (rate.hardware != "none")
    if rate.kind == "measured here":
        assert rate.source.startswith(("python -m ", "make run"))
    asked = changed(profile, "ingest", captioner="a-model")
    values = plan.likely()
    dearer = {**values, name: values[name] * 1.5}
    if name.endswith("_share"):  # read by the hours alone
        said = [_hours(root, asked, one) for one in (values, dearer)]
    else:
        said = [cost_of(root, asked, one) for one in (values, dearer)]
    if name == "ingest_memory":  # a worker may take more than the table
        assert cost_of(root, asked, dearer, pictures=1e9) != cost_of(
            root, asked, values, pictures=1e9
        )
    else:
        assert said[0] != said[1]


def _hours(root: Path, profile: Profile, values: Mapping[str, float]) -> list[float]:
    return [one.hours(MACHINE, values) for one in cost_of(root, profile, values).values()]


def test_a_benchmark_that_a_rate_names_exists(root: Path) -> None:
    named = {rate.source.split()[3] for rate in RATES.values() if "-m benchmarks" in rate.source}
    assert len(named) > 3
    assert all((root / "benchmarks" / f"{name}.py").is_file() for name in named)


def test_totals_lie_between_their_ends_and_the_first_assumption_moves_most(root: Path) -> None:
    asked = plan.asked_of(root, "paper", pictures=5e6, clips=150e3, gpu="h100")
    made = plan.plan("paper", asked, MACHINE)
    for name, span in made.totals.items():
        assert span.low <= span.likely <= span.high, name
    moves = [one.moves for one in made.assumptions]
    assert moves == sorted(moves, reverse=True)
    assert {one.name for one in made.assumptions} == set(RATES)
    assert all(one.name in text.deciding(made) for one in made.assumptions[:3])
    assert made.totals["gpu_hours"].likely == pytest.approx(
        sum(one.gpu_hours for one in made.stages)
    )


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "-"),
        (0.001, "<0.01"),
        (0.0567, "0.057"),
        (3.14, "3.1"),
        (99.6, "100"),
        (123, "120"),
        (996, "1.0K"),
        (1234, "1.2K"),
        (5_150_000, "5.2M"),
        (9.99e9, "10G"),
    ],
)
def test_nothing_is_said_to_more_than_two_digits(number: float, said: str) -> None:
    assert text.two(number) == said


def test_the_command_prints_a_table_or_json(capsys: Any, root: Path) -> None:
    assert main(["plan", "--profile", "tiny", "--pictures", "756", "--clips", "189"]) == 0
    said = capsys.readouterr().out
    assert "| finetune |" in said
    assert "What moves the hours most" in said
    assert main(["plan", "--gpus", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["machine"] == {"gpu": "h100", "gpus": 1, "cores": 64}
    assert {"cpu_hours", "gpu_hours", "disk", "traffic", "memory"} <= set(found["stages"][0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpu", "abacus"], "give one of"),
        (["--gpus", "0"], "at least 1"),
        (["--pictures", "-1"], "below 0"),
        (["--pictures", "0", "--clips", "0"], "both 0"),
        (["--profile", "nobody"], "no profile"),
    ],
)
def test_what_makes_no_plan_is_one_sentence(arguments: list[str], said: str, capsys: Any) -> None:
    assert main(["plan", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_plan_needs_no_torch(root: Path) -> None:
    code = (
        "import sys; from mm_model.commands.cli import main; main(['plan']);"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_training_takes_the_gpus_that_share_its_streams(root: Path, profile: Profile) -> None:
    def hours(gpus: int, streams: int) -> dict[str, float]:
        asked = changed(profile, "pretrain", streams=streams)
        machine, values = Machine("h100", gpus, 64), plan.likely()
        return {
            name: one.hours(machine.used_by(asked, name), values)
            for name, one in cost_of(root, asked).items()
        }

    one, six, eight = hours(1, 8), hours(6, 8), hours(8, 8)
    share = plan.likely()["gpu_share"]
    assert six["pretrain"] == pytest.approx(one["pretrain"] / (4 * share)), "six do not share eight"
    assert eight["finetune"] == pytest.approx(one["finetune"] / (8 * share))
    assert eight["evaluate"] == one["evaluate"] and eight["pairs"] == one["pairs"]
    assert hours(8, 3)["pretrain"] == pytest.approx(one["pretrain"] / (3 * share))


def test_a_run_that_its_floors_would_stop_is_told(capsys: Any) -> None:
    assert main(["plan"]) == 0
    assert "too few rows" not in capsys.readouterr().out
    assert main(["plan", "--clips", "0"]) == 0
    assert "would stop for too few rows: finetune (0 of 1,000)." in capsys.readouterr().out
    assert main(["plan", "--pictures", "10000", "--clips", "300", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["too_few_rows"]
    assert [one.split()[0] for one in told] == [
        "ingest",
        "faces",
        "pairs",
        "precompute",
        "pretrain",
        "finetune",
    ]


@pytest.mark.parametrize("more", [["--json"], ["--pictures", "5"], ["--profile", "tiny"]])
def test_what_a_check_does_not_heed_is_refused(more: list[str], capsys: Any) -> None:
    assert main(["plan", "--check", *more]) == 1
    assert f"{more[0]} says nothing of a check" in capsys.readouterr().err
