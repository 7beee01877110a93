"""The benchmarks' form: one line of JSON, a goal that holds or not, names that are listed."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from benchmarks import __main__ as command
from benchmarks import peer, varied
from benchmarks.decode_economy import Counts, counting, decoded_for
from benchmarks.result import Result
from benchmarks.tree import Tree, draw, draw_clips
from mm_model.media.decode import read_frames
from mm_model.media.images import load_image
from mm_model.store import tables


def test_the_list_names_modules_that_can_run(capsys: pytest.CaptureFixture) -> None:
    assert command.main(["list"]) == 0
    said = capsys.readouterr().out
    for name in command.NAMES:
        assert name in said
        module = importlib.import_module(f"benchmarks.{name}")
        assert callable(module.run) and module.GOAL > 0


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (Result(1.04, 1.05, 30), True),
        (Result(1.06, 1.05, 30), False),
        (Result(0.95, 0.9, 5, at_most=False), True),
        (Result(0.8, 0.9, 5, at_most=False), False),
    ],
)
def test_one_line_says_whether_the_goal_holds(
    result: Result, holds: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    module = SimpleNamespace(options=lambda _: None, run=lambda _: result)
    monkeypatch.setattr(command.importlib, "import_module", lambda _: module)
    assert command.main(["serving_overhead"]) == (0 if holds else 1)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert list(said) == ["name", "ratio", "goal", "holds", "repeats", "hardware"]
    assert (said["name"], said["holds"]) == ("serving_overhead", holds)


def test_a_benchmark_s_tree_takes_drawn_files_through_the_data_stages(tmp_path: Path) -> None:
    draw(tmp_path / "files", 0, 4, size=96)
    (tmp_path / "tree").mkdir()
    tree = Tree(tmp_path / "tree" / "root")
    tree.use(tmp_path / "files")
    tree.set("ingest", min_side=64)
    assert tree.run() > 0
    assert tables.number_of_rows(tree.output("faces") / "samples.parquet") == 4
    tree.forget()
    assert not tree.output("faces").exists()


def test_varied_photographs_differ_and_are_the_same_every_time(tmp_path: Path) -> None:
    draw(tmp_path / "media", 0, 2, size=96)
    varied.photographs(tmp_path / "media", tmp_path / "few", 0, 6)
    varied.photographs(tmp_path / "media", tmp_path / "rest", 2, 4)
    few = {path.name: path for path in (tmp_path / "few").rglob("*.jpg")}
    pictures = {load_image(path).tobytes() for path in few.values()}
    assert len(few) == len(pictures) == 6
    assert all(min(load_image(path).shape[:2]) >= 96 * 0.9 * 0.75 - 1 for path in few.values())
    for path in (tmp_path / "rest").rglob("*.jpg"):
        assert path.read_bytes() == few[path.name].read_bytes()


def test_varied_clips_are_forty_nine_frames_of_the_originals(tmp_path: Path) -> None:
    draw_clips(tmp_path / "media", 1, size=96, num_frames=60)
    varied.clips(tmp_path / "media", tmp_path / "made", 2)
    clips = [read_frames(path) for path in sorted((tmp_path / "made").rglob("*.mp4"))]
    assert [len(frames) for frames in clips] == [49, 49]
    assert clips[0].tobytes() != clips[1].tobytes()


@pytest.mark.parametrize("kind", ["photographs", "clips"])
def test_a_folder_without_media_to_vary_is_one_sentence(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    asked = ["efficiency", "--of", kind, "--media", str(tmp_path / "empty")]
    assert command.main(asked) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("Stopped: The folder") and "--media" in said and "\n" not in said


def test_the_peer_is_not_run_without_its_environment(capsys: pytest.CaptureFixture) -> None:
    assert command.main(["peer"]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("Stopped:") and "--peer-python" in said and "\n" not in said


def test_the_peer_is_given_every_file_and_the_operators(tmp_path: Path) -> None:
    draw(tmp_path / "files", 0, 3, size=64)
    _, operators = peer.KINDS["faces"]
    recipe = yaml.safe_load(
        peer.written(tmp_path / "peer", tmp_path / "files", operators).read_text()
    )
    lines = Path(recipe["dataset_path"]).read_text().splitlines()
    given = [Path(path) for line in lines for path in json.loads(line)["images"]]
    assert given == sorted((tmp_path / "files").rglob("*.jpg"))
    assert [next(iter(one)) for one in recipe["process"]] == [next(iter(one)) for one in operators]


def test_each_frame_of_a_clip_is_decoded_once_a_stage_and_one_for_the_sheet(
    tmp_path: Path,
) -> None:
    draw_clips(tmp_path / "files", 1, size=128, num_frames=9)
    draw(tmp_path / "files", 0, 1, size=128)
    (tmp_path / "tree").mkdir()
    tree = Tree(tmp_path / "tree" / "root")
    tree.use(tmp_path / "files")
    tree.set("run", threads=1)
    tree.set("ingest", min_side=64)
    counts = Counts()
    with counting(counts):
        for stage in ("sources", "ingest", "faces"):
            with counts.within(stage):
                tree.run(stage)
    assert {step for stage, step in counts.frames if stage == "sources"} == set()
    assert counts.frames["ingest", "look"] == counts.frames["faces", "look"] == 9 + 1
    assert counts.frames["faces", "sheet"] == 2, "one of the clip, one of the photograph"
    assert counts.frames["ingest", "damage"] == 1
    assert counts.frames["faces", "damage"] == 0, "ingest has found the photograph whole"


@pytest.mark.parametrize(
    ("indices", "keys", "number"),
    [
        (range(9), [0], 9),
        ([4], [0], 5),
        ([0, 8], [0, 6], 4),  # from 6 on, as 6 lies behind another key frame
        ([5, 8], [0, 6], 9),  # it stands at 6
        ([3, 1], [0], 6),
    ],
)
def test_what_a_reader_decodes_to_get_to_frames(
    indices: Sequence[int], keys: list[int], number: int
) -> None:
    assert decoded_for(indices, keys) == number
