"""Stage sources: the inventory of a folder and of a recipe, consent, captions, resumption."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from mm_model.embedded.people.split import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from mm_model.errors import UserError
from mm_model.records import SOURCES_COLUMNS
from mm_model.sources.recipe import PeopleRecipe, calls_of, load_recipe
from mm_model.store import sealed, tables
from mm_model.store.consents import stated

RECIPE = {
    "train_people": 4,
    "held_out_people": 2,
    "photos_per_person": 1,
    "clips_per_person": 1,
    "size": 64,
    "num_frames": 9,
    "fps": 8,
    "fault_rate": 0.0,
    "seed": 7,
}


def picture(path: Path, shade: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((80, 80, 3), shade, np.uint8)).save(path)


@pytest.fixture
def folder(small_root: Path, use_sources: Callable, edit_profile: Callable) -> Path:
    """An empty folder of media that the root's params.yaml names, with consent by profile."""
    place = small_root / "raw"
    place.mkdir()
    use_sources(small_root, "raw")
    edit_profile(small_root, **{"sources.consent": "licence:test-pictures"})
    return place


def inventory(root: Path) -> list[dict]:
    return tables.records(root / "data" / "tiny" / "sources" / "inventory.parquet")


def test_a_folder_is_listed_with_subject_digest_and_consent(
    small_root: Path, folder: Path, run_stage: Callable
) -> None:
    picture(folder / "ada" / "1.png")
    picture(folder / "2.png", 30)
    (folder / "2.txt").write_text("a man waves\n")
    (folder / "ada" / "1.txt").write_bytes(b"\xff\xfe\0")
    report = run_stage(small_root, "sources")
    rows = {row["name"]: row for row in inventory(small_root)}
    assert set(rows) == {"2.png", "ada/1.png"}
    assert tuple(rows["2.png"]) == SOURCES_COLUMNS
    assert rows["ada/1.png"]["subject"] == "ada" and rows["2.png"]["subject"] is None
    assert rows["2.png"]["path"] == "raw/2.png"
    assert rows["2.png"]["bytes"] == (folder / "2.png").stat().st_size
    assert rows["2.png"]["consent"] == "licence:test-pictures" and not rows["2.png"]["synthetic"]
    assert report.metrics["age_gate"] == "unavailable"
    captions = json.loads((small_root / "data/tiny/sources/captions.json").read_text())
    assert captions[rows["2.png"]["source_id"]] == {"text": "a man waves"}
    assert "problem" in captions[rows["ada/1.png"]["source_id"]]


def test_of_two_caption_files_the_one_that_the_report_names_is_used(
    small_root: Path, folder: Path, run_stage: Callable
) -> None:
    for shade, name in ((90, "1.png"), (30, "2.png")):
        picture(folder / name, shade)
    (folder / "1.txt").write_text("a man waves")
    (folder / "1.png.txt").write_text("a woman smiles")
    (folder / "2.TXT").write_text("a man nods")
    (folder / "2.txt").write_text("a woman turns")
    report = run_stage(small_root, "sources")
    said = json.loads((small_root / "data/tiny/sources/captions.json").read_text())
    told = {row["name"]: said[row["source_id"]]["text"] for row in inventory(small_root)}
    assert told == {"1.png": "a woman smiles", "2.png": "a woman turns"}
    assert report.metrics["caption_files_unused"] == 2
    assert any("1.png.txt is used, 1.txt is not" in note for note in report.notes)


@pytest.mark.capability("consent", scale="T")
def test_without_consent_nothing_is_read(
    small_root: Path, folder: Path, run_stage: Callable, edit_profile: Callable
) -> None:
    picture(folder / "1.png")
    edit_profile(small_root, **{"sources.consent": None})
    with pytest.raises(UserError, match=r"consent\.yaml"):
        run_stage(small_root, "sources")


def test_consent_may_cover_some_files_only(
    small_root: Path, folder: Path, run_stage: Callable
) -> None:
    picture(folder / "ada" / "1.png")
    picture(folder / "bob" / "1.png")
    record = {"basis": "signed form", "adults": True, "files": ["ada/*"]}
    (folder / "consent.yaml").write_text(yaml.safe_dump(record))
    report = run_stage(small_root, "sources")
    assert {r["name"]: r["consent"] for r in inventory(small_root)} == {
        "ada/1.png": stated("signed form").id,
        "bob/1.png": None,
    }
    assert any("leaves out 1 of 2" in note for note in report.notes)


def test_files_that_must_not_be_opened_are_rejected_and_counted(
    small_root: Path, folder: Path, tmp_path: Path, run_stage: Callable
) -> None:
    picture(folder / "1.png")
    picture(tmp_path / "secret.png")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    report = run_stage(small_root, "sources")
    assert report.counts.line() == "2 in = 1 kept + 1 rejected (IO_SYMLINK_ESCAPE 1) + 0 failed"
    refused = next(r for r in inventory(small_root) if r["name"] == "out.png")
    assert refused["sha256"] is None and "out of the folder" in refused["message"]


def test_a_recipe_draws_people_of_both_splits(small_root: Path, run_stage: Callable) -> None:
    (small_root / "profiles/people.yaml").write_text(yaml.safe_dump(RECIPE))
    report = run_stage(small_root, "sources")
    rows = inventory(small_root)
    assert report.counts.kept == len(rows) == 12
    assert {r["split"] for r in rows if str(TRAIN_PEOPLE[0]) in r["subject"]} == {"train"}
    assert {r["split"] for r in rows if str(HELD_OUT_PEOPLE[0]) in r["subject"]} == {"held_out"}
    assert all(row["synthetic"] and (small_root / row["path"]).is_file() for row in rows)
    assert report.metrics["age_gate"] == "synthetic"
    captions = json.loads((small_root / "data/tiny/sources/captions.json").read_text())
    assert len(captions) == 12 and all(c["text"].startswith("a") for c in captions.values())


def _flip_a_photograph(call: Path) -> None:
    photo = next(call.rglob("photo_000.*g"))
    content = bytearray(photo.read_bytes())
    content[len(content) // 2] ^= 4
    photo.write_bytes(content)


def _swap_two_captions(call: Path) -> None:
    one, two = sorted(call.rglob("photo_000.txt"))[:2]
    said = one.read_bytes(), two.read_bytes() + b"x"
    two.write_bytes(said[0])
    one.write_bytes(said[1])


@pytest.mark.parametrize("damage", [None, _flip_a_photograph, _swap_two_captions])
def test_a_recipe_gives_the_same_bytes_and_continues_after_a_kill(
    small_root: Path, run_stage: Callable, make_job: Callable, damage: Callable | None, capsys: Any
) -> None:
    (small_root / "profiles/people.yaml").write_text(yaml.safe_dump(RECIPE))
    run_stage(small_root, "sources")
    output, job = small_root / "data" / "tiny" / "sources", make_job(small_root, "sources")
    first = json.loads((output / "manifest.json").read_text())["files"]
    kept = job.work / "drawn" / "call-0"
    kept.mkdir(parents=True)
    drawn = [p for p in (output / "files").iterdir() if p.is_dir() and p.name < "person_5"]
    for person in drawn:  # as if the first call had ended before the kill
        person.rename(kept / person.name)
    mark = json.loads((output / "files" / "synthetic.json").read_text())["calls"][0]
    (kept / "synthetic.json").write_text(json.dumps(mark, indent=1))
    sealed.seal(kept, job.fingerprint)
    if damage:
        damage(kept)
    inode = (kept / drawn[0].name / "photo_000.txt").stat().st_ino
    capsys.readouterr()
    run_stage(small_root, "sources")
    assert json.loads((output / "manifest.json").read_text())["files"] == first
    again = (output / "files" / drawn[0].name / "photo_000.txt").stat().st_ino != inode
    assert again == bool(damage)
    assert ("call-0 of the drawn people is damaged" in capsys.readouterr().out) == bool(damage)


@pytest.mark.parametrize(("train", "held_out"), [(56, 14), (2, 0), (3, 2), (4, 2), (5, 40)])
def test_drawing_calls_never_mix_splits_and_lose_nobody(train: int, held_out: int) -> None:
    recipe = PeopleRecipe(**RECIPE | {"train_people": train, "held_out_people": held_out})
    calls = calls_of(recipe)
    assert all(len(call) >= 2 for call in calls)
    people = [person for call in calls for person in call]
    assert people == [*TRAIN_PEOPLE[:train], *HELD_OUT_PEOPLE[:held_out]]
    assert all(
        set(call) <= set(TRAIN_PEOPLE) or set(call) <= set(HELD_OUT_PEOPLE) for call in calls
    )


@pytest.mark.parametrize(
    "change",
    [
        {"train_people": 1},
        {"held_out_people": 1},
        {"size": 65},
        {"fault_rate": 2},
        {"colour": 1},
        {"photos_per_person": 0, "clips_per_person": 0},
        {"seed": "7"},
    ],
)
def test_a_recipe_that_cannot_be_met_is_refused_by_field(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE | change))
    with pytest.raises(UserError, match=r"recipe\.yaml"):
        load_recipe(path)


def test_something_else_than_a_recipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UserError, match="names a folder of media"):
        load_recipe(path)
