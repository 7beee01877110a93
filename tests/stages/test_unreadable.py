"""What this user has no right to read is one sentence with the way out, or a row; no traceback."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mm_model.commands import cli
from mm_model.errors import UserError
from mm_model.report import catalogue
from mm_model.run import runner, stages
from mm_model.settings import load_params, load_profile
from mm_model.sources.recipe import load_recipe
from mm_model.store import tables
from mm_model.store.layout import Layout
from tests.forbidden import Forbidden
from tests.stages.test_ingest import photograph, saved


@pytest.fixture
def folder(small_root: Path, use_sources: Callable, edit_profile: Callable) -> Path:
    """Pictures in three folders that the root's params.yaml names, with consent."""
    place = small_root / "raw"
    for number, name in enumerate(("ada/1.jpg", "bob/1.jpg", "cleo/1.jpg")):
        (place / name).parent.mkdir(parents=True)
        (place / name).write_bytes(saved(photograph(number), "JPEG"))
    use_sources(small_root, "raw")
    edit_profile(small_root, **{"sources.consent": "licence:test-pictures"})
    return place


def test_every_entry_ends_as_a_row_of_both_stages(
    small_root: Path, folder: Path, forbidden: Forbidden, run_stage: Callable
) -> None:
    os.mkfifo(folder / "bob" / "pipe.mp4")
    (folder / "bob" / "broken.jpg").symlink_to("nowhere.jpg")
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(saved(photograph(7), "JPEG"))
    (folder / "cleo" / "2.jpg").write_bytes(saved(photograph(8), "JPEG"))
    (folder / "cleo" / "3.jpg").write_bytes(saved(photograph(9), "JPEG"))
    forbidden.listing = {"ada": errno.EACCES}
    forbidden.looking = {"2.jpg": errno.EACCES}
    forbidden.opening = {"3.jpg": errno.EACCES}
    report = run_stage(small_root, "sources")
    assert report.counts.line() == "8 in = 3 kept + 5 rejected (IO_UNREADABLE 5) + 0 failed"
    (note,) = [note for note in report.notes if "could not be listed" in note]
    assert ": 1, e.g. ada: " in note
    rows = {
        r["name"]: r for r in tables.records(small_root / "data/tiny/sources/inventory.parquet")
    }
    refused = {name for name, row in rows.items() if row["status"] == "rejected"}
    assert refused == {"ada", "bob/pipe.mp4", "bob/broken.jpg", "cleo/2.jpg", "cleo/3.jpg"}
    for row in rows.values():
        assert row["path"] and row["consent"] == "licence:test-pictures", row["name"]
        assert (row["sha256"] is None) == (row["name"] in refused)
    assert rows["cleo/3.jpg"]["bytes"] == (folder / "cleo/3.jpg").lstat().st_size
    assert run_stage(small_root, "ingest").counts.line() == (
        "8 in = 3 kept + 5 rejected (IO_UNREADABLE 5) + 0 failed"
    )


def test_what_becomes_readable_runs_the_stage_again(
    small_root: Path, folder: Path, forbidden: Forbidden
) -> None:
    stage, layout = stages.load("sources"), Layout(small_root, "tiny")
    forbidden.listing = {"ada": errno.EACCES}
    before = runner.model_digests(stage, load_params(small_root), layout)
    forbidden.listing = {}
    assert runner.model_digests(stage, load_params(small_root), layout) != before


@pytest.mark.parametrize(
    ("stage", "edge", "name"),
    [
        ("sources", "listing", "raw"),
        ("sources", "looking", "raw"),
        ("ingest", "listing", "tokenizer"),
        ("faces", "listing", "tiny"),
        ("evaluate", "opening", "model.safetensors"),
        ("evaluate", "looking", "judge"),
        ("register", "listing", "judge"),
    ],
)
def test_an_input_without_permission_is_named(
    small_root: Path, folder: Path, forbidden: Forbidden, stage: str, edge: str, name: str
) -> None:
    params, layout = load_params(small_root), Layout(small_root, "tiny")
    setattr(forbidden, edge, {name: errno.EACCES})
    with pytest.raises(UserError, match=r"^params\.yaml: .*\(permission denied\)") as refused:
        runner.model_digests(stages.load(stage), params, layout)
    assert name in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["params.yaml", "tiny.yaml"])
@pytest.mark.parametrize("edge", ["looking", "opening"])
def test_unreadable_settings_are_one_sentence_on_the_command_line(
    small_root: Path,
    forbidden: Forbidden,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    name: str,
    edge: str,
) -> None:
    monkeypatch.setenv("MM_ROOT", str(small_root))
    setattr(forbidden, edge, {name: errno.EACCES})
    assert cli.main(["run", "sources"]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("Stopped: ") and "\n" not in said
    assert name in said and "permission" in said


def test_settings_in_another_encoding_are_named(small_root: Path) -> None:
    (small_root / "params.yaml").write_bytes("profile: tiny\nsources: caf\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"params\.yaml is not UTF-8 text"):
        load_params(small_root)
    (small_root / "profiles" / "tiny.yaml").write_bytes("title: \xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"tiny\.yaml is not UTF-8 text"):
        load_profile(small_root, "tiny")


def test_an_unreadable_recipe_is_named(small_root: Path, forbidden: Forbidden) -> None:
    forbidden.opening = {"people.yaml": errno.EACCES}
    with pytest.raises(UserError, match=r"people\.yaml cannot be read \(permission denied\)"):
        load_recipe(small_root / "profiles" / "people.yaml")


def test_rights_met_anywhere_are_a_sentence_of_the_command_line(
    small_root: Path,
    folder: Path,
    forbidden: Forbidden,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("MM_ROOT", str(small_root))
    forbidden.looking = {"pictures": errno.EACCES}
    assert cli.main(["use", "--sources", str(small_root / "pictures"), "--base", "tiny"]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("Stopped: ") and "\n" not in said and "pictures" in said


@pytest.mark.parametrize("url", ["no url", "nothing://x"])
def test_a_wrong_address_of_the_catalogue_is_one_sentence(small_root: Path, url: str) -> None:
    with pytest.raises(UserError, match="catalogue") as refused:
        catalogue.rebuild(Layout(small_root, "tiny"), url)
    assert "\n" not in str(refused.value)
