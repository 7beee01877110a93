"""Stage `pairs` with PhotoMaker-V2 on SDXL, on small random weights of the published layout.

What such weights paint shows nobody, so nearly all is rejected; how often they paint is counted.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from drawn_ingest import people, write_ingest

from mm_model.errors import UserError
from mm_model.facepack.port import open_pack
from mm_model.pairs import sdxl
from mm_model.quality import audit
from mm_model.quality.suites import suite_of
from mm_model.records import MADE_COLUMNS
from mm_model.run import feasible
from mm_model.run.stage import Report
from mm_model.settings import load_profile
from mm_model.store import digests, tables
from tests.pairs import tiny_sdxl

pytestmark = pytest.mark.capability("PhotoMaker-V2 as synthesiser", scale="L")

Run = Callable[[Path, str], Report]
PAINTED = {
    "faces.identity": "folders",
    "pairs.synthesizer": "photomaker",
    "pairs.cosine_above": 0.2,
    "pairs.synthetic_per_still": 1,
    "pairs.synthetic_per_clip": 2,
    "pairs.synthetic_size": 64,
    "pairs.synthetic_steps": 3,
    "pairs.synthetic_merge_after": 0,
    "pairs.prompts": "small.txt",
}
PROMPTS = """# a pool for tests
a photo of a man img in the garden
a woman img at the window
a person img in soft light

a person img in a coat
"""
STILLS, CLIPS = 2 * 2, 2 * 1  # of train people


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test leaves data and weights for the others."""
    return tmp_path_factory.mktemp("painted")


@pytest.fixture
def ready(
    small_root: Path, run_stage: Run, edit_profile: Callable, finished: Path, tiny_facepack: Path
) -> Path:
    """A root with `ingest` and `faces` done and a synthesiser on the shelf."""
    edit_profile(small_root, **PAINTED)
    (small_root / "profiles" / "small.txt").write_text(PROMPTS)
    if not (finished / "data").is_dir():
        write_ingest(
            small_root / "data" / "tiny" / "ingest", people([10_001, 10_002, 50_005], 2, 1)
        )
        run_stage(small_root, "faces")
        shutil.copytree(small_root / "data", finished / "data")
        tiny_sdxl.shelf(finished / "weights", open_pack(tiny_facepack, 128).width)
    else:
        shutil.copytree(finished / "data", small_root / "data")
    shutil.copytree(
        finished / "weights", small_root / "weights" / "synthesizer", dirs_exist_ok=True
    )
    return small_root


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(prompt, seed) of every picture that was painted."""
    asked, paint = [], sdxl.Painter.paint

    def counted(self, prompt, shown, seed, recipe):
        asked.append((prompt, seed))
        return paint(self, prompt, shown, seed, recipe)

    monkeypatch.setattr(sdxl.Painter, "paint", counted)
    return asked


def _made(place: Path) -> list[dict]:
    return tables.records(place / "data" / "tiny" / "pairs" / "made.parquet")


def test_every_painted_picture_is_a_row_with_its_prompt(
    ready: Path, run_stage: Run, painted: list
) -> None:
    report = run_stage(ready, "pairs")
    rows = _made(ready)
    assert list(rows[0]) == list(MADE_COLUMNS)
    assert len(rows) == STILLS + 2 * CLIPS == len(painted) == report.metrics["made_pictures"]
    assert {(row["prompt"], row["seed"]) for row in rows} == set(painted)
    faces = tables.records(ready / "data" / "tiny" / "faces" / "samples.parquet")
    train = {row["sample_id"] for row in faces if row["split"] == "train"}
    assert {row["origin"] for row in rows} == train
    lines = {line for line in PROMPTS.splitlines() if " img" in line}
    assert {row["prompt"] for row in rows} <= lines
    for row in rows:
        assert (row["steps"], row["guidance"], row["size"]) == (3, 5.0, 64)
        assert (row["status"] == "kept") == (row["reason"] is None)
        assert row["status"] == "kept" or row["reason"] in (
            "PAIR_NO_FACE",
            "PAIR_LOW_COSINE",
            "PAIR_MANY_FACES",
        )
        assert (ready / "data" / "tiny" / "pairs" / row["picture_file"].split(":")[1]).is_file()
    assert report.metrics["made_from_clip"] == 2 * CLIPS
    assert any("the paper's counts suggest 94%" in note for note in report.notes)
    pairs = tables.records(ready / "data" / "tiny" / "pairs" / "pairs.parquet")
    assert all(row["split"] == "train" for row in pairs if row["kind"] == "synthetic")


def test_a_threshold_paints_nothing_again_and_a_seed_does(
    ready: Path, run_stage: Run, edit_profile: Callable, painted: list
) -> None:
    run_stage(ready, "pairs")
    first, once = {row["picture"] for row in _made(ready)}, len(painted)
    edit_profile(ready, **{"pairs.cosine_above": 0.9})
    run_stage(ready, "pairs")
    assert len(painted) == once
    assert {row["picture"] for row in _made(ready)} == first
    low = [row for row in _made(ready) if row["reason"] == "PAIR_LOW_COSINE"]
    assert {row["reason_threshold"] for row in low} <= {0.9}
    pool = ready / "profiles" / "small.txt"
    pool.write_text(PROMPTS.replace("coat", "shirt"))
    run_stage(ready, "pairs")
    again = [prompt for prompt, _ in painted[once:]]
    drawn = [row["prompt"] for row in _made(ready)]
    assert sorted(again) == sorted(one for one in drawn if "shirt" in one)
    edit_profile(ready, **{"pairs.synthetic_steps": 4})
    run_stage(ready, "pairs")
    assert len(painted) == 2 * once + len(again)


KILLED = """
import os, signal, sys
from pathlib import Path
from mm_model.pairs import sdxl
from mm_model.quality import audit
from mm_model.quality.suites import suite_of
from mm_model.pairs import stage as pairs
from tests.stages.conftest import make_job

asked, paint = [], sdxl.Painter.paint
def dying(self, *arguments):
    asked.append(arguments)
    if len(asked) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return paint(self, *arguments)
sdxl.Painter.paint = dying
job = make_job(Path(sys.argv[1]), "pairs")
job.out.mkdir(parents=True)
pairs.run(job)
"""


@pytest.mark.slow
def test_a_kill_costs_the_picture_that_was_begun(
    ready: Path, tmp_path: Path, run_stage: Run, root: Path, painted: list
) -> None:
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(ready, undisturbed)
    run_stage(undisturbed, "pairs")
    whole = len(painted)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(ready)],
        cwd=root,
        check=False,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    painted.clear()
    run_stage(ready, "pairs")
    assert len(painted) == whole - 3
    first, second = (
        digests.of_folder(place / "data" / "tiny" / "pairs") for place in (ready, undisturbed)
    )
    assert first == second


def test_a_damaged_picture_is_painted_again(ready: Path, run_stage: Run, painted: list) -> None:
    run_stage(ready, "pairs")
    before = digests.of_folder(ready / "data" / "tiny" / "pairs")
    once = len(painted)
    next(ready.glob("work/painted/*/*.jpg")).write_bytes(b"half")
    shutil.rmtree(ready / "work" / "tiny")
    run_stage(ready, "pairs")
    assert len(painted) == once + 1
    assert digests.of_folder(ready / "data" / "tiny" / "pairs") == before


def test_one_picture_that_fails_is_a_row_and_the_others_stay(
    ready: Path, run_stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint, asked = sdxl.Painter.paint, []

    def sometimes(self, *arguments):
        asked.append(arguments)
        if len(asked) == 2:
            raise RuntimeError("out of memory")
        return paint(self, *arguments)

    monkeypatch.setattr(sdxl.Painter, "paint", sometimes)
    report = run_stage(ready, "pairs")
    failed = [row for row in _made(ready) if row["status"] == "failed"]
    assert [(row["reason"], row["picture_file"]) for row in failed] == [("SYS_WORKER_CRASH", None)]
    assert "out of memory" in failed[0]["message"] and failed[0]["prompt"]
    assert report.metrics["made_failed"] == 1


def test_a_pack_of_another_width_is_refused(ready: Path, run_stage: Run) -> None:
    tiny_sdxl.photomaker(ready / "weights" / "synthesizer", 512)
    with pytest.raises(UserError, match=r"vectors have \d+ numbers, but .* trained on 512"):
        run_stage(ready, "pairs")


def test_wrong_prompts_stop_the_stage_before_anything_is_painted(
    ready: Path, run_stage: Run, painted: list
) -> None:
    pool = ready / "profiles" / "small.txt"
    pool.write_text(PROMPTS + "a man img " + "zyx" * 30 + "\n")
    with pytest.raises(UserError, match=r"small.txt, line 7: \d+ tokens with 4 photographs"):
        run_stage(ready, "pairs")
    pool.unlink()
    with pytest.raises(UserError, match=r"pairs.prompts: .*small.txt cannot be read"):
        run_stage(ready, "pairs")
    assert painted == []


def test_missing_weights_are_told_before_any_stage(ready: Path) -> None:
    profile, shelf = load_profile(ready, "tiny"), ready / "weights" / "synthesizer"
    feasible.refuse_missing_synthesizer(profile, shelf)
    shutil.rmtree(shelf / "sdxl" / "unet")
    with pytest.raises(UserError, match="unet is missing"):
        feasible.refuse_missing_synthesizer(profile, shelf)
    (shelf / "photomaker-v2.bin").unlink()
    with pytest.raises(UserError, match="PhotoMaker-V2's file"):
        feasible.refuse_missing_synthesizer(profile, shelf)
    plain = profile.model_copy(
        update={"pairs": profile.pairs.model_copy(update={"synthesizer": "augment"})}
    )
    feasible.refuse_missing_synthesizer(plain, shelf)


def test_an_edited_pool_counts_only_where_somebody_paints(
    ready: Path, edit_profile: Callable
) -> None:
    def digest() -> str | None:
        return load_profile(ready, "tiny").pairs.prompts_digest

    first = digest()
    (ready / "profiles" / "small.txt").write_text(PROMPTS + "a man img smiling\n")
    assert first and digest() and digest() != first
    edit_profile(ready, **{"pairs.synthesizer": "augment"})
    assert digest() is None
    assert yaml.safe_load((ready / "profiles" / "paper.yaml").read_text())["pairs"][
        "synthesizer"
    ] == ("photomaker")


def test_the_audit_knows_a_painted_picture_of_nobody(ready: Path, run_stage: Run) -> None:
    """The table passes as it is written, and no row without an origin or kept unlike it."""
    run_stage(ready, "pairs")
    folder, profile = ready / "data" / "tiny" / "pairs", load_profile(ready, "tiny")
    checks = [one for one in suite_of("pairs", profile) if one.table == "made.parquet"]
    assert all(one.success for one in audit._audit_table(folder, "made.parquet", checks))
    frame = tables.read(folder / "made.parquet")
    for column, value in (("origin", None), ("status", "kept"), ("picture", frame.picture[1])):
        spoilt = frame.copy()
        spoilt.loc[0, [column, "cosine"]] = [value, 0.01]
        spoilt.to_parquet(ready / "made.parquet")
        found = audit._audit_table(ready, "made.parquet", checks)
        assert not all(one.success for one in found), column
