"""The shapes that the paper's data come in, drawn, from stage sources to stage faces."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_model.embedded.people import shapes
from mm_model.embedded.people.sources import MARK
from mm_model.embedded.people.split import TRAIN_PEOPLE
from mm_model.errors import UserError
from mm_model.quality.audit import audit
from mm_model.store import tables
from tests.stages.tarred import picture, say

pytestmark = pytest.mark.capability("shapes of data sets", scale="T")

PEOPLE = TRAIN_PEOPLE[:10]
EACH = 2


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The collection, and the truth of every item by name."""
    folder = tmp_path_factory.mktemp("shapes") / "media"
    return folder, shapes.write_shapes(folder, people=PEOPLE, each=EACH, size=96)


def rows_of(root: Path, stage: str, table: str) -> dict[str, dict[str, Any]]:
    rows = tables.records(root / "data" / "tiny" / stage / f"{table}.parquet")
    return {row["name"]: row for row in rows}


def through(root: Path, run_stage: Callable, *stages: str) -> list:
    return [run_stage(root, stage) for stage in stages]


def test_all_shapes_together_go_from_sources_to_faces(
    small_root: Path,
    use_sources: Callable,
    run_stage: Callable,
    make_job: Callable,
    drawn: tuple[Path, dict],
) -> None:
    folder, truth = drawn
    use_sources(small_root, folder)
    sources, ingest, faces = through(small_root, run_stage, "sources", "ingest", "faces")
    listed = rows_of(small_root, "sources", "inventory")
    assert set(listed) == set(truth)
    missing = [name for name, said in truth.items() if said["expected"] == "missing"]
    assert {n for n, row in listed.items() if row["reason"] == "IO_MISSING"} == set(missing)
    assert all(row["source"] == name.split("/")[0] for name, row in listed.items())
    assert {row["licence"] for row in listed.values()} == {shapes.LICENCE}
    assert {row["consent"] for row in listed.values()} == {"synthetic:procedural"}
    for stage in ("sources", "ingest", "faces"):
        job = make_job(small_root, stage)
        audit(stage, job.layout.output(stage), job.profile, job.stage.bounds())
    for name in shapes.SHAPES:
        files = 4 + (name == "web")
        line = f"source {name}: {files} files, 4 kept, licence {shapes.LICENCE}"
        assert line in sources.notes
    assert sources.metrics["sources"] == len(shapes.SHAPES)
    kept = {n for n, row in rows_of(small_root, "ingest", "samples").items() if not row["reason"]}
    assert kept == set(truth) - set(missing)
    assert ingest.metrics["clips"] == 4
    found = rows_of(small_root, "faces", "samples")
    assert Counter(row["status"] for row in found.values())["kept"] >= 0.9 * len(kept)
    assert faces.counts.total == len(kept)


def test_captions_become_what_each_source_says(
    small_root: Path, use_sources: Callable, run_stage: Callable, drawn: tuple[Path, dict]
) -> None:
    folder, _ = drawn
    use_sources(small_root, folder)
    _, ingest = through(small_root, run_stage, "sources", "ingest")
    rows = rows_of(small_root, "ingest", "samples")
    said: dict[str, list[tuple[str, str]]] = {}
    for name, row in sorted(rows.items()):
        if not row["reason"]:
            entry = row["caption"], row["caption_origin"]
            said.setdefault(name.split("/")[0], []).append(entry)
    assert {origin for _, origin in said["laion"]} == {"sidecar"} == {o for _, o in said["web"]}
    assert set(said["sfhq"]) == {("a squared ID photo of a person", "pool")}
    pool = {line.replace("{who}", "a person") for line in shapes.PORTRAITS}
    assert {text for text, _ in said["ffhq"]} <= pool
    assert [origin for _, origin in said["pexels"]] == ["keyframe", "sidecar"] * 2
    assert all("looks at the camera" in t for t, o in said["pexels"] if o == "keyframe")
    assert ingest.metrics["captions_from_source"] == 4 + 4 + 2
    assert ingest.metrics["captions_replaced"] == 0


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_each_shape_stands_alone_too(
    shape: str,
    small_root: Path,
    use_sources: Callable,
    run_stage: Callable,
    drawn: tuple[Path, dict],
) -> None:
    folder, _ = drawn
    use_sources(small_root, folder / shape)
    through(small_root, run_stage, "sources", "ingest")
    truth = json.loads((folder / shape / MARK).read_text())["files"]
    rows = rows_of(small_root, "ingest", "samples")
    assert set(rows) == set(truth)
    assert all(
        (rows[n]["reason"] is None) == (said["expected"] == "kept") for n, said in truth.items()
    )


def test_a_line_of_the_pool_depends_on_the_name_alone(
    small_root: Path, use_sources: Callable, run_stage: Callable
) -> None:
    """And says who is shown where the file's own caption does."""
    raw = small_root / "raw"
    lines = [f"{kind} of {{who}}" for kind in ("a photo", "a portrait", "a picture", "a still")]
    say(raw, licence="MIT", adults=True, captions={"own": False, "pool": lines})
    for number in range(24):
        (raw / f"{number}.png").write_bytes(picture(number))
    (raw / "0.txt").write_text("An elderly Woman smiles")
    use_sources(small_root, "raw")

    def captions() -> dict[str, str]:
        run_stage(small_root, "sources")
        said = json.loads((small_root / "data/tiny/sources/captions.json").read_text())
        rows = rows_of(small_root, "sources", "inventory")
        return {name: said[row["source_id"]]["text"] for name, row in rows.items()}

    first = captions()
    assert first["0.png"].endswith("of a woman") and first["1.png"].endswith("of a person")
    assert len({text.split(" of ")[0] for text in first.values()}) == len(lines)
    (raw / "1.png").unlink()
    assert captions() == {name: text for name, text in first.items() if name != "1.png"}


def test_names_and_people_of_two_sources_are_kept_apart(
    small_root: Path, use_sources: Callable, run_stage: Callable
) -> None:
    raw = small_root / "raw"
    for name, shade in (("a", 10), ("b", 20)):
        (raw / name / "ada").mkdir(parents=True)
        (raw / name / "ada" / "1.png").write_bytes(picture(shade))
    said = {"licence": "MIT", "adults": True}
    say(raw, kind="collection", sources={"a": said, "b": {**said, "people": "unknown"}})
    (raw / "loose.png").write_bytes(picture(30))
    use_sources(small_root, "raw")
    report = run_stage(small_root, "sources")
    rows = rows_of(small_root, "sources", "inventory")
    assert {n: row["subject"] for n, row in rows.items()} == {
        "a/ada/1.png": "a/ada",
        "b/ada/1.png": None,
    }
    assert len({row["source_id"] for row in rows.values()}) == 2
    assert any(
        "belongs to no source, and is not read: 1, e.g. loose.png" in n for n in report.notes
    )


def test_of_a_collection_nothing_is_read_without_consent(
    small_root: Path, use_sources: Callable, run_stage: Callable
) -> None:
    raw = small_root / "raw"
    for name in ("a", "b"):
        (raw / name).mkdir(parents=True)
    said = {"a": {"licence": "MIT", "adults": True}, "b": {"licence": "MIT"}}
    say(raw, kind="collection", sources=said)
    use_sources(small_root, "raw")
    with pytest.raises(UserError, match=r"/b has no consent record"):
        run_stage(small_root, "sources")


def test_the_same_people_give_the_same_bytes(drawn: tuple[Path, dict], tmp_path: Path) -> None:
    folder, truth = drawn
    again = tmp_path / "again"
    assert shapes.write_shapes(again, people=PEOPLE, each=EACH, size=96) == truth
    files = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert files == {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}


def test_the_command_writes_them_and_refuses_a_full_folder(tmp_path: Path, capsys: Any) -> None:
    few = ["--people", "5", "--each", "1", "--size", "64"]
    assert shapes.main([str(tmp_path / "new"), *few]) == 0
    assert "6 files of 5 drawn people" in capsys.readouterr().out
    assert shapes.main([str(tmp_path / "new"), *few]) == 1
    assert "already holds something" in capsys.readouterr().err
    assert shapes.main([str(tmp_path / "newer"), "--people", "4"]) == 1
