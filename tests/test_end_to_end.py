"""All stages on a small world with the shipped weights: the accounts, the promises, the views."""

import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from mm_model.errors import UserError
from mm_model.media.decode import read_frames
from mm_model.report import catalogue, figures, page, timelapse
from mm_model.run import runner
from mm_model.run.stages import NAMES
from mm_model.settings import load_profile
from mm_model.store import manifest
from mm_model.store.layout import Layout
from tests.small_chain import HEIGHT, WIDTH, built

pytestmark = [pytest.mark.slow, pytest.mark.capability("whole pipeline", scale="T")]


@pytest.fixture(scope="module")
def house(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the root in which every stage has run, for tests that make its views again."""
    return Path(
        shutil.copytree(built(root, tmp_path_factory), tmp_path_factory.mktemp("e2e") / "r")
    )


@pytest.fixture(scope="module")
def layout(house: Path) -> Layout:
    return Layout(house, "tiny")


def _report(layout: Layout, stage: str) -> dict:
    return json.loads((layout.output(stage) / "report.json").read_text())


@pytest.mark.parametrize("stage", NAMES)
def test_every_account_adds_up_and_every_output_is_sealed(layout: Layout, stage: str) -> None:
    said = _report(layout, stage)
    gone = sum(said["rejected"].values()) + sum(said["failed"].values())
    assert said["total"] == said["kept"] + gone and said["kept"] > 0
    assert manifest.verified(layout.output(stage)).stage == stage


def test_every_stage_hands_on_what_it_kept(layout: Layout) -> None:
    chain = [_report(layout, stage) for stage in ("sources", "ingest", "faces")]
    for before, after in itertools.pairwise(chain):
        assert after["total"] == before["kept"]


@pytest.mark.capability("held-out people", scale="T")
def test_held_out_people_never_enter_training(layout: Layout) -> None:
    pairs = pd.read_parquet(layout.output("pairs") / "pairs.parquet").query("status == 'kept'")
    by_split = {name: set(group["identity"]) for name, group in pairs.groupby("split")}
    assert by_split["train"] and by_split["held_out"]
    assert not by_split["train"] & by_split["held_out"]
    tested = set(pd.read_parquet(layout.output("evaluate") / "cells.parquet")["identity"])
    assert tested <= by_split["held_out"]


@pytest.mark.capability("synthetic pairs", scale="T")
def test_pairs_are_above_the_threshold_of_the_profile(layout: Layout, house: Path) -> None:
    above = load_profile(house, "tiny").pairs.cosine_above
    kept = pd.read_parquet(layout.output("pairs") / "pairs.parquet").query("status == 'kept'")
    assert (kept["cosine"] > above).all()


def test_evaluation_leaves_videos_that_play(layout: Layout) -> None:
    cells = pd.read_parquet(layout.output("evaluate") / "cells.parquet")
    assert {"base", "pretrain", "finetune", "true_clip", "static_reference", "shuffled"} <= set(
        cells["variant"]
    )
    frames = read_frames(layout.output("evaluate") / cells["video"].iloc[0])
    assert frames.shape == (9, HEIGHT, WIDTH, 3)


def test_the_ladder_has_a_rung_for_every_link(layout: Layout) -> None:
    found = figures.collect(layout)["evaluation"]
    assert [rung["variant"] for rung in found["ladder"]] == [
        "true_clip",
        "vae_round_trip",
        "training_people",
        found["candidate"],
    ]
    assert all(rung["passed"] is None for rung in found["ladder"]), "four people prove nothing"
    assert {goal["name"] for goal in found["goals"]} >= {"translation_floor", "copy_paste_gap"}
    trained = layout.output("evaluate").glob("videos/*_training_people_*.mp4")
    pairs = pd.read_parquet(layout.output("pairs") / "pairs.parquet")
    known = set(pairs[pairs["split"] == "train"]["identity"])
    assert {path.name.split("_")[0] for path in trained} <= known


def test_the_curve_runs_from_the_base_over_the_milestones_to_the_end(layout: Layout) -> None:
    found = figures.collect(layout)["evaluation"]["curve"]
    assert [(point["step"], point["variant"]) for point in found] == [
        (0, "base"),
        (3, "pretrain_step_3"),
        (6, "pretrain"),
        (8, "finetune_step_2"),
        (10, "finetune"),
    ]


def test_the_timelapse_shows_the_references_and_every_sampled_step(
    layout: Layout, tmp_path: Path
) -> None:
    references, steps = timelapse.moments(layout)
    assert [moment.words for moment in steps] == [
        *(f"pretrain, step {step}" for step in (0, 3, 6)),
        *(f"finetune, step {step}" for step in (0, 2, 4)),
    ]
    assert len(references) == len(steps[0].clips) == 4
    assert all(clip.shape == (9, HEIGHT, WIDTH, 3) for moment in steps for clip in moment.clips)
    with Image.open(timelapse.build(layout, tmp_path / "t.webp", people=(0, 2))) as film:
        assert film.n_frames >= 6 * 9 - 8, "equal neighbours may be merged"
        assert film.width > 4 * timelapse.SIDE
    with pytest.raises(UserError, match="numbers from 0 to 3"):
        timelapse.build(layout, tmp_path / "t.webp", people=(4,))
    with pytest.raises(UserError, match=r"\.webp or a \.gif"):
        timelapse.build(layout, tmp_path / "t.mp4")


def test_a_second_run_says_up_to_date_and_changes_nothing(
    house: Path, layout: Layout, capsys: pytest.CaptureFixture
) -> None:
    before = (layout.output("pairs") / manifest.NAME).stat().st_mtime_ns
    runner.run("pairs", house)
    assert "up to date" in capsys.readouterr().out
    assert (layout.output("pairs") / manifest.NAME).stat().st_mtime_ns == before


def test_the_page_is_one_self_contained_file(layout: Layout) -> None:
    text = page.build(layout).read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    words_alone = re.sub(r"data:image/\w+;base64,[\w+/=]+", "", text)  # which may spell anything
    assert "http" not in words_alone.replace("http-equiv", "").replace("http://127.0.0.1", "")
    for words in (
        "Held-out people",
        "The ladder",
        "identity over motion",
        "Identity while it learns",
        "Numbers",
        "Pretraining on pictures",
        "step 6",
        "mlflow models",
    ):
        assert words in text, words


def test_no_file_names_the_address_of_its_tree(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    house = built(root, tmp_path_factory)
    address = str(house).encode()
    files = [path for path in house.rglob("*") if path.is_file()]
    assert {"mlflow.db", "catalogue.db", "index.html"} <= {path.name for path in files}
    assert [path for path in files if address in path.read_bytes()] == []


def test_figures_hold_what_the_page_shows(layout: Layout) -> None:
    found = figures.collect(layout)
    assert set(found["stages"]) == set(NAMES)
    assert found["evaluation"]["gain"]["finetune_over_base"]["value"] is not None
    assert json.loads(json.dumps(found)) == found


@pytest.mark.capability("catalogue and page", scale="T")
def test_the_catalogue_is_rebuilt_equal_after_it_was_deleted(layout: Layout) -> None:
    def content() -> dict[str, list]:
        with sqlite3.connect(layout.catalogue) as connection:
            return {
                name: sorted(connection.execute(f"select * from {name}"), key=repr)
                for name in ("sources", "samples", "measures", "decisions", "runs")
            }

    catalogue.rebuild(layout)
    before = content()
    layout.catalogue.unlink()
    catalogue.rebuild(layout)
    assert content() == before
    assert len(before["runs"]) == len(NAMES)
    total = sum(_report(layout, s)["total"] for s in ("sources", "ingest", "faces", "pairs"))
    assert len(before["decisions"]) == total
    assert len(before["measures"]) == _report(layout, "ingest")["total"]


@pytest.mark.capability("resume", scale="T")
def test_a_killed_training_resumes_to_the_same_bytes(
    house: Path, layout: Layout, root: Path, tmp_path: Path
) -> None:
    place = tmp_path / "root"
    shutil.copytree(house, place, ignore=shutil.ignore_patterns("work", "mlruns", "mlflow.db*"))
    shutil.rmtree(place / "data" / "tiny" / "pretrain")
    command = [sys.executable, "-m", "mm_model", "run", "pretrain"]
    environment = {**os.environ, "MM_ROOT": str(place), "PYTHONPATH": str(root)}
    first = subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(place.glob("work/tiny/pretrain/*/checkpoints/step_*.safetensors")):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (place / "data" / "tiny" / "pretrain").exists()
    second = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert "resuming after step" in second.stdout
    ours, theirs = (
        manifest.read(Layout(p, "tiny").output("pretrain")).files for p in (place, house)
    )
    assert ours == theirs, "weights, curve and the samples of before the cut"


def test_a_stage_refuses_an_input_that_was_changed(house: Path, tmp_path: Path) -> None:
    place = tmp_path / "root"
    shutil.copytree(house, place, ignore=shutil.ignore_patterns("work", "mlruns", "mlflow.db*"))
    table = place / "data" / "tiny" / "pairs" / "pairs.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    shutil.rmtree(place / "data" / "tiny" / "pretrain")
    with pytest.raises(UserError, match=r"pairs\.parquet is missing or differs"):
        runner.run("pretrain", place)
