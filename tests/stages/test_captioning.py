"""Stage ingest with a captioner: whose words count, what a kill costs, what the lint does."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mm_model.captioners.vision_language import VisionLanguage
from mm_model.errors import UserError
from mm_model.ingest import captioning
from mm_model.media.encode import mp4_bytes
from mm_model.quality import audit
from mm_model.rows import Row
from mm_model.settings import load_profile
from mm_model.store import digests, tables
from tests.captioners.made import NOBODY, idefics3, llava
from tests.stages.conftest import use_input
from tests.stages.test_ingest import footage, photograph, saved

pytestmark = pytest.mark.capability("captioner", scale="L")

QUICK = {
    "sources.consent": "licence:test-pictures",
    "ingest.caption_tokens": 8,
    "ingest.caption_frames": 2,
    "ingest.caption_batch": 1,
    # Words in no order repeat themselves; the lint has tests of its own below.
    "ingest.caption_repeats": None,
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    llava(folder / "llava")
    idefics3(folder / "idefics")
    llava(folder / "hills", NOBODY)
    return folder


@pytest.fixture
def place(small_root: Path, shelf: Path, use_sources: Callable, edit_profile: Callable) -> Path:
    """A root whose folder holds photographs, clips, a caption of use and one without a subject."""
    folder = small_root / "raw"
    folder.mkdir()
    use_sources(small_root, "raw")
    use_input(small_root, "captioners", shelf)
    edit_profile(small_root, **QUICK)
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(saved(photograph(number), "JPEG"))
    for number in (7, 8):
        (folder / f"{number}.mp4").write_bytes(mp4_bytes(footage(number), 8))
    (folder / "0.txt").write_text("a woman nods")
    (folder / "1.txt").write_text("sunset over hills")
    return small_root


@pytest.fixture
def ingested(place: Path, run_stage: Callable, edit_profile: Callable) -> Callable[..., Any]:
    """`ingested(**values of the profile)`: (rows by name, report)."""

    def run(**values: object) -> tuple[dict[str, Row], Any]:
        edit_profile(place, **{f"ingest.{name}": value for name, value in values.items()})
        if not (place / "data" / "tiny" / "sources").is_dir():
            run_stage(place, "sources")
        report = run_stage(place, "ingest")
        table = place / "data" / "tiny" / "ingest" / "samples.parquet"
        return {row["name"]: row for row in tables.records(table)}, report

    return run


def origins(rows: dict[str, Row]) -> dict[str, str]:
    return {name: row["caption_origin"] for name, row in rows.items()}


def test_a_model_captions_what_has_no_caption_of_its_own(
    ingested: Callable, place: Path, shelf: Path
) -> None:
    rows, report = ingested(captioner="llava", clip_captioner="idefics")
    assert origins(rows).pop("0.jpg") == "sidecar" and rows["0.jpg"]["caption"] == "a woman nods"
    template = load_profile(place, "tiny").ingest.caption_template
    by_model = 0
    for name, row in rows.items():
        if name == "0.jpg":
            continue
        if row["caption_origin"] == "model":
            by_model += 1
            assert row["caption"] != template and row["caption_words"] <= 8
        else:
            assert row["caption"] == template and row["caption_problem"] == "CAPTION_NO_SUBJECT"
    assert by_model >= 4 and report.metrics["captions_from_model"] == by_model
    assert {rows[name]["media"] for name in rows if origins(rows)[name] == "model"} == {
        "image",
        "clip",
    }
    if rows["1.jpg"]["caption_origin"] == "model":
        assert rows["1.jpg"]["caption_problem"] == "CAPTION_NO_SUBJECT", "of its own caption"
    output = place / "data" / "tiny" / "ingest"
    said = json.loads((output / "captioners.json").read_text())
    assert {media: one["name"] for media, one in said.items()} == {
        "image": "llava",
        "clip": "idefics",
    }
    assert said["image"]["digest"] == digests.of_folder(shelf / "llava")
    assert any(note.startswith("llava (llava, ") for note in report.notes)
    profile = load_profile(place, "tiny")
    audit.audit("ingest", output, profile, [])
    audit.require_passed("ingest", output, profile, [])


def test_words_without_a_subject_fall_to_the_template(ingested: Callable) -> None:
    rows, report = ingested(captioner="hills")
    own = {name: row for name, row in rows.items() if row["media"] == "image"}
    assert {row["caption_origin"] for row in own.values()} == {"sidecar", "template"}
    assert own["2.jpg"]["caption_problem"] == "CAPTION_NO_SUBJECT"
    assert "names no subject" in own["2.jpg"]["caption_message"]
    assert rows["7.mp4"]["caption_problem"] is None, "clips are left to their own captions"
    assert report.metrics["captions_replaced"] == 5


def test_a_profile_may_prefer_the_model_or_the_template(ingested: Callable) -> None:
    usual, _ = ingested()
    assert set(origins(usual).values()) == {"sidecar", "template"}
    assert usual["2.jpg"]["caption_lint"] == "CAPTION_ABSENT"
    anew, _ = ingested(captioner="llava", caption_anew=True)
    assert anew["0.jpg"]["caption_origin"] != "sidecar"
    plain, report = ingested(captioner="template", clip_captioner="template", caption_anew=False)
    assert set(origins(plain).values()) == {"template"}
    assert {row["caption_problem"] for row in plain.values()} == {None}
    assert {row["caption_lint"] for row in plain.values()} == {None}
    assert "captions_from_model" not in report.metrics


def test_a_run_that_was_killed_asks_the_model_only_for_the_rest(
    ingested: Callable, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    plain = VisionLanguage._answers
    kill_at = [6]

    def counted(self: VisionLanguage, prompt: str, shown: list[list[np.ndarray]]) -> list[str]:
        if len(asked) >= kill_at[0]:
            raise KeyboardInterrupt
        asked.extend(len(one) for one in shown)
        return plain(self, prompt, shown)

    monkeypatch.setattr(VisionLanguage, "_answers", counted)
    words = {"captioner": "llava", "clip_captioner": "llava", "caption_anew": True}
    with pytest.raises(KeyboardInterrupt):
        ingested(**words)
    assert asked == [1] * 6, "killed before the clips"
    done = len(list((place / "work").rglob("captions/*/shard-*.json")))
    assert done == 2, "four batches a shard: the second is that of the last two photographs"
    kill_at[0] = 99
    rows, _ = ingested(**words)
    assert asked == [1] * 6 + [2] * 2, "no photograph is captioned twice"
    before = len(asked)
    again, _ = ingested(**words)
    assert len(asked) == before and again == rows
    ingested(**words, static_below=0.01)
    assert len(asked) == before, "another bound asks the model nothing"
    monkeypatch.undo()


def test_words_of_another_kind_of_device_are_not_taken(
    ingested: Callable, edit_profile: Callable, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` is not the same device everywhere."""
    asked: list[int] = []
    plain = VisionLanguage._answers

    def counted(self: VisionLanguage, prompt: str, shown: list[list[np.ndarray]]) -> list[str]:
        asked.append(len(shown))
        return plain(self, prompt, shown)

    monkeypatch.setattr(VisionLanguage, "_answers", counted)
    edit_profile(place, **{"run.device": "auto"})
    on = ["cuda"]
    monkeypatch.setattr(captioning, "device_of", lambda run: torch.device(on[0]))
    ingested(captioner="llava")
    first = sum(asked)
    ingested(captioner="llava", static_below=0.01)
    assert first > 0 and sum(asked) == first
    on[0] = "cpu"
    ingested(captioner="llava", static_below=0.02)
    assert sum(asked) == 2 * first


def test_words_of_another_model_are_not_taken(ingested: Callable, place: Path) -> None:
    ingested(captioner="llava")
    found, _ = ingested(captioner="hills")
    shutil.rmtree(place / "work")
    anew, _ = ingested()
    assert found == anew


def test_a_captioner_that_is_not_there_stops_the_stage_before_any_file_is_checked(
    ingested: Callable, place: Path
) -> None:
    with pytest.raises(UserError, match=r"ingest\.clip_captioner is cogvlm, and no folder"):
        ingested(clip_captioner="cogvlm")
    assert not list((place / "work").rglob("shard-*.json"))


def test_another_model_or_prompt_is_other_work(
    place: Path, run_stage: Callable, make_job: Callable, edit_profile: Callable, tmp_path: Path
) -> None:
    run_stage(place, "sources")
    names = [make_job(place, "ingest").fingerprint]
    edit_profile(place, **{"ingest.caption_prompt": "Who is that?"})
    names.append(make_job(place, "ingest").fingerprint)
    llava(tmp_path / "other" / "llava", NOBODY)
    use_input(place, "captioners", tmp_path / "other")
    names.append(make_job(place, "ingest").fingerprint)
    assert len(set(names)) == 3


POOR = {
    "0": ("a woman nods", None),
    "1": ("sunset over hills", None),
    "2": ("a man waves waves waves waves waves waves", "CAPTION_LOOP"),
    "3": ("a man, as an AI sees him", "CAPTION_REFUSAL"),
    "4": ("a man", "CAPTION_SHORT"),
}


@pytest.fixture
def poor(place: Path, edit_profile: Callable) -> Path:
    edit_profile(place, **{"ingest.caption_repeats": 0.3})
    for name, (text, _) in POOR.items():
        (place / "raw" / f"{name}.txt").write_text(text)
    return place


@pytest.mark.capability("caption lint", scale="T")
def test_the_lint_reports_replaces_or_rejects(poor: Path, ingested: Callable) -> None:
    codes = {f"{name}.jpg": code for name, (_, code) in POOR.items()}
    rows, report = ingested()
    assert {name: rows[name]["caption_lint"] for name in codes} == codes
    assert {name: rows[name]["caption"] for name in codes if codes[name]} == {
        f"{name}.jpg": text for name, (text, code) in POOR.items() if code
    }, "only told"
    assert rows["2.jpg"]["caption_repeats"] > 0.3 and rows["4.jpg"]["caption_words"] == 2
    (note,) = [note for note in report.notes if "lint" in note]
    assert note.endswith("1 that repeat themselves, 1 that refuse, 1 too short")

    rows, report = ingested(caption_lint="replace")
    problems = {name: rows[name]["caption_problem"] for name in codes}
    assert problems == codes | {"1.jpg": "CAPTION_NO_SUBJECT"}
    assert report.metrics["captions_replaced"] == 4

    rows, report = ingested(caption_lint="reject")
    kept = {name for name, row in rows.items() if row["status"] == "kept"}
    assert kept == {"0.jpg"}
    assert {row["reason"] for row in rows.values()} == {None, "CONTENT_CAPTION"}
    loop = rows["2.jpg"]
    assert loop["reason_value"] == loop["caption_repeats"] > loop["reason_threshold"] == 0.3
    assert rows["5.jpg"]["message"] == "nobody captioned it"
    assert "names no subject" in rows["1.jpg"]["message"]
    output = poor / "data" / "tiny" / "ingest"
    assert [path.stem for path in (output / "files").iterdir()] == [rows["0.jpg"]["sample_id"]]
    profile = load_profile(poor, "tiny")
    audit.audit("ingest", output, profile, [])
    audit.require_passed("ingest", output, profile, [])


@pytest.mark.capability("caption lint", scale="T")
def test_a_model_stands_in_for_what_the_lint_refuses(poor: Path, ingested: Callable) -> None:
    rows, _ = ingested(captioner="llava", caption_lint="replace", caption_repeats=1.0)
    spoken = [rows[f"{name}.jpg"] for name in ("3", "4")]
    assert {row["caption_origin"] for row in spoken} <= {"model", "template"}
    for row, (_, code) in zip(spoken, (POOR["3"], POOR["4"]), strict=True):
        expected = code if row["caption_origin"] == "model" else "CAPTION_NO_SUBJECT"
        assert row["caption_problem"] == expected
    assert "model" in {row["caption_origin"] for row in spoken}
