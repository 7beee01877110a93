"""The shelf: who judges, who is passed over, whose figures are the headlines, what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import yaml

from mm_model.errors import UserError
from mm_model.facepack.port import FacePack, open_judge, open_pack
from mm_model.judges import install
from mm_model.judges.port import Judge, Lineage, headline_of
from mm_model.judges.shelf import open_judges
from mm_model.run import feasible, runner
from tests.profiles import whole


@pytest.fixture(scope="module")
def house(root: Path) -> FacePack:
    return open_judge(root / "weights" / "tiny" / "judge" / "models" / "judge", 128)


@pytest.fixture(scope="module")
def pipeline(tiny_facepack: Path) -> FacePack:
    return open_pack(tiny_facepack, 128)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "judges").mkdir()
    (tmp_path / "judges" / "README.md").write_text("what it is")
    return tmp_path / "judges"


def outsider(shelf: Path, root: Path, name: str) -> Path:
    """The house's judge with its weights shaken: a recogniser that says something else."""
    folder = Path(shutil.copytree(root / "weights/tiny/judge/models/judge", shelf / name))
    model = onnx.load(str(folder / "recognizer.onnx"))
    rng = np.random.default_rng(5)
    for weights in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.ndim > 1 and values.dtype.kind == "f":
            shaken = values * rng.normal(1, 0.5, values.shape).astype(values.dtype)
            weights.CopyFrom(onnx.numpy_helper.from_array(shaken, weights.name))
    onnx.save(model, str(folder / "recognizer.onnx"))
    return folder


def _saved_anew(folder: Path) -> None:
    for path in folder.glob("*.onnx"):
        model = onnx.load(str(path))
        model.doc_string = "another"
        onnx.save(model, str(path))


def _renamed(folder: Path) -> None:
    for number, path in enumerate(sorted(folder.glob("*.onnx"))):
        path.rename(path.with_name(f"{number}-{path.name}"))


def _other_detector(folder: Path) -> None:
    model = onnx.load(str(folder / "detector.onnx"))
    model.producer_name = "another"
    onnx.save(model, str(folder / "detector.onnx"))


def test_an_empty_shelf_leaves_the_house_alone_and_says_how_to_fill_it(
    shelf: Path, house: FacePack, pipeline: FacePack
) -> None:
    for place in (shelf, shelf / "nowhere"):
        bench = open_judges(place, house=house, used=[pipeline])
        assert bench.headline.name == "tiny" and bench.headline.pack is house
        assert [one.name for one in bench.judges if one.kind is Lineage.OUTSIDER] == []
        assert "make judges" in bench.notes[0]


def test_an_outsider_gives_the_headlines(
    shelf: Path, root: Path, house: FacePack, pipeline: FacePack
) -> None:
    outsider(shelf, root, "dlib")
    bench = open_judges(shelf, house=house, used=[pipeline])
    assert bench.headline.name == "dlib" and bench.notes == ()
    assert bench.headline.told()["kind"] == "outsider"
    assert bench.headline.pack.digest not in (house.digest, pipeline.digest)


@pytest.mark.parametrize("disguise", [None, _saved_anew, _renamed, _other_detector])
@pytest.mark.parametrize("place", ["judge/models/judge", "facepack/models/tiny"])
def test_a_pack_that_the_run_uses_is_no_outsider_in_any_disguise(
    shelf: Path,
    root: Path,
    house: FacePack,
    pipeline: FacePack,
    place: str,
    disguise: Callable[[Path], None] | None,
) -> None:
    folder = Path(shutil.copytree(root / "weights" / "tiny" / place, shelf / "real"))
    if disguise is not None:
        disguise(folder)
    bench = open_judges(shelf, house=house, used=[pipeline])
    assert bench.headline.name == "tiny"
    assert bench.notes[0].startswith("real is no judge here")


def test_one_pack_under_two_names_judges_once(
    shelf: Path, root: Path, house: FacePack, pipeline: FacePack
) -> None:
    shutil.copytree(outsider(shelf, root, "dlib"), shelf / "real")
    bench = open_judges(shelf, house=house, used=[pipeline])
    assert [one.name for one in bench.judges if one.kind is Lineage.OUTSIDER] == ["real"]
    assert "dlib is no judge here: it is the judge real once more" in bench.notes[0]


def test_the_real_one_comes_before_dlib_and_a_control_never(house: FacePack) -> None:
    def judges(*names: tuple[str, Lineage]) -> list[Judge]:
        return [Judge(name=name, kind=kind, title="", pack=house) for name, kind in names]

    ours, control = ("tiny", Lineage.HOUSE), ("colour", Lineage.CONTROL)
    others = [(name, Lineage.OUTSIDER) for name in ("another", "dlib", "real")]
    assert headline_of(judges(control, ours, *others)).name == "real"
    assert headline_of(judges(control, ours, *others[:2])).name == "dlib"
    assert headline_of(judges(control, ours, *others[:1])).name == "another"
    assert headline_of(judges(control, ours)).name == "tiny"
    with pytest.raises(ValueError, match="neither an outsider nor the house's own"):
        headline_of(judges(control))


def damaged(folder: Path) -> None:
    path = folder / "recognizer.onnx"
    path.write_bytes(path.read_bytes()[:1000])


def changed(folder: Path) -> None:
    install._put(folder.parent / "real", folder, ("detector.onnx", "recognizer.onnx"))
    shutil.rmtree(folder)
    path = folder.parent / "real" / "recognizer.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def misnamed(folder: Path) -> None:
    folder.rename(folder.parent / "tiny")


def a_file(folder: Path) -> None:
    (folder.parent / "pack.zip").write_bytes(b"PK")


@pytest.mark.parametrize("harm", [damaged, changed, emptied, misnamed, a_file])
def test_a_damaged_shelf_is_one_sentence_with_the_way_out(
    shelf: Path, root: Path, house: FacePack, pipeline: FacePack, harm: object
) -> None:
    assert callable(harm)
    harm(outsider(shelf, root, "other"))
    with pytest.raises(UserError) as refused:
        open_judges(shelf, house=house, used=[pipeline])
    said = str(refused.value)
    assert "remove" in said and str(shelf) in said and "\n" not in said


def test_only_what_judges_is_put_on_the_shelf(shelf: Path, tiny_facepack: Path) -> None:
    source = Path(shutil.copytree(tiny_facepack, shelf.parent / "models" / "mine"))
    (source / "readme.txt").write_text("a page")
    place = install.put_pack(shelf, shelf.parent / "mine")
    files = {"detector.onnx", "recognizer.onnx"}
    assert {path.name for path in place.iterdir()} == {*files, "manifest.json"}
    assert set(json.loads((place / "manifest.json").read_text())["files"]) == files
    assert [path.name for path in shelf.iterdir() if path.is_dir()] == ["real"]


def test_what_is_no_pack_leaves_the_shelf_as_it_was(shelf: Path, root: Path) -> None:
    before = outsider(shelf, root, "real")
    (shelf.parent / "nothing").mkdir()
    with pytest.raises(UserError, match="holds no face pack"):
        install.put_pack(shelf, shelf.parent / "nothing")
    assert (before / "recognizer.onnx").is_file()


@pytest.mark.parametrize("stage", feasible.COSTLY)
def test_a_damaged_judge_is_told_before_anything_is_computed(
    root: Path, tmp_path: Path, stage: str
) -> None:
    house = tmp_path / "house"
    (house / "profiles").mkdir(parents=True)
    (house / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(whole(root, "tiny")))
    (house / "params.yaml").write_text((root / "params.yaml").read_text())
    (house / "weights" / "judges").mkdir(parents=True)
    judge = outsider(house / "weights" / "judges", root, "dlib") / "recognizer.onnx"
    judge.write_bytes(judge.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"judge dlib cannot be opened.*make judges"):
        runner.run(stage, house)
    assert not (house / "data").exists() and not [*(house / "work").rglob(stage)]
