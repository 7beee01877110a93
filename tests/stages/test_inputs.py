"""Choosing inputs: params.yaml keeps its comments, a wrong path changes nothing."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.inputs import params_text, use_folder, use_profile
from mm_model.settings import load_params, load_profile
from mm_model.sources.recipe import load_recipe
from mm_model.store.consents import stated
from tests.stages.tarred import sample, tar


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.jpg").write_bytes(b"x")
    return folder


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    place = tmp_path / "packs" / "models" / "mine"
    place.mkdir(parents=True)
    (place / "det.onnx").write_bytes(b"x")
    return place


def test_every_shipped_profile_is_complete(root: Path) -> None:
    for path in (root / "profiles").glob("*.yaml"):
        if path.stem not in ("people", "people-long", "common", "local", "overrides"):
            assert load_profile(root, path.stem).title


def test_shipped_text_comes_back_byte_for_byte(
    small_root: Path, root: Path, media: Path, pack: Path
) -> None:
    use_profile(small_root, "tiny")
    tiny = (small_root / "params.yaml").read_bytes()
    shipped = root / "params.yaml"
    if load_params(root).profile == "tiny":
        assert tiny == shipped.read_bytes()
    use_folder(small_root, str(media), str(pack), "own pictures")
    assert (small_root / "params.yaml").read_bytes() != tiny
    use_profile(small_root, "tiny")
    assert (small_root / "params.yaml").read_bytes() == tiny


def test_the_long_run_brings_its_own_people(small_root: Path, root: Path) -> None:
    shutil.copy(root / "profiles" / "tiny-long.yaml", small_root / "profiles")
    use_profile(small_root, "tiny-long")
    params = load_params(small_root)
    assert (params.profile, params.sources) == ("tiny-long", "profiles/people-long.yaml")
    assert params.backbone == "weights/tiny/backbone"
    more = load_recipe(root / params.sources)
    assert more.train_people > load_recipe(root / "profiles" / "people.yaml").train_people


def test_a_folder_becomes_profile_local(
    small_root: Path, media: Path, pack: Path, capsys: pytest.CaptureFixture
) -> None:
    use_folder(small_root, str(media), str(pack.parent.parent / "mine"), " own pictures ")
    params = load_params(small_root)
    assert (params.profile, params.sources, params.facepack) == ("local", str(media), str(pack))
    assert params.backbone == "weights/tiny/backbone"
    local, base = load_profile(small_root, "local"), load_profile(small_root, "real-small")
    assert local.sources.consent == stated("own pictures").id
    assert local.ingest.row_floor == 6 and local.evaluate.row_floor == 1
    assert local.model == base.model and local.faces.detection_size == base.faces.detection_size
    said = capsys.readouterr().out
    assert "12 files" in said and "is an adult" in said
    assert "floor of one row" in said and "evaluate" in said


def test_paths_below_the_root_are_relative(small_root: Path, media: Path, pack: Path) -> None:
    inside = small_root / "raw"
    media.rename(inside)
    use_folder(small_root, str(inside), str(pack), "own pictures", base="tiny")
    assert load_params(small_root).sources == "raw"


@pytest.mark.parametrize("name", ["a.tar", "b.tar.gz"])
def test_a_single_tar_is_as_good_as_a_folder(
    small_root: Path,
    tmp_path: Path,
    pack: Path,
    name: str,
    run_stage: Callable,
    capsys: pytest.CaptureFixture,
) -> None:
    place = tar(tmp_path / "a.tar", sample("1", 10, "a man waves"))
    if name != place.name:
        place = tmp_path / name
        place.write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    use_folder(small_root, str(place), str(pack), "licence:test-pictures", base="tiny")
    assert load_params(small_root).sources == str(place)
    assert "1 files in" in capsys.readouterr().out
    report = run_stage(small_root, "sources")
    assert report.counts.line() == "1 in = 1 kept + 0 rejected + 0 failed"


def test_another_single_file_is_refused(small_root: Path, tmp_path: Path, pack: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"a\.zip is no folder: .* or a single tar"):
        use_folder(small_root, str(tmp_path / "a.zip"), str(pack), "own", base="tiny")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sources": None}, "--profile"),
        ({"sources": "/no/such/folder"}, "SOURCES=/no/such/folder is no folder"),
        ({"sources": "."}, "holds this tree itself"),
        ({"sources": ".."}, "holds this tree itself"),
        ({"sources": "/"}, "holds this tree itself"),
        ({"facepack": None}, "FACEPACK is missing"),
        ({"facepack": "/no/pack"}, "FACEPACK=/no/pack holds no .onnx"),
        ({"consent": None}, "CONSENT='<basis>'"),
        ({"base": "huge"}, "no profile 'huge'"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_changes(
    small_root: Path,
    media: Path,
    pack: Path,
    change: dict,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(small_root)
    before = (small_root / "params.yaml").read_bytes()
    given = {"sources": str(media), "facepack": str(pack), "consent": "own", "base": "real-small"}
    with pytest.raises(UserError) as refused:
        use_folder(small_root, **given | change)
    assert said in str(refused.value) and "\n" not in str(refused.value)
    assert (small_root / "params.yaml").read_bytes() == before
    assert not (small_root / "profiles" / "local.yaml").exists()


def test_a_folder_without_media_is_refused(small_root: Path, tmp_path: Path, pack: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("nothing else")
    with pytest.raises(UserError, match="holds no photographs"):
        use_folder(small_root, str(empty), str(pack), "own pictures")


def test_a_folder_that_holds_only_the_unreadable_says_so(
    small_root: Path, tmp_path: Path, pack: Path
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "1.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(UserError, match=r"that can be read \(1\.jpg: the link leads nowhere\)"):
        use_folder(small_root, str(folder), str(pack), "own pictures")


@pytest.mark.parametrize("path", ["a b/c", "weird: name", "#comment", "日本語", "x" * 200])
def test_any_path_survives_params_yaml(small_root: Path, path: str) -> None:
    values = load_params(small_root).model_dump() | {"sources": path}
    (small_root / "params.yaml").write_text(params_text(values))
    assert load_params(small_root).sources == path


def test_a_folder_that_names_its_licence_needs_no_other_consent(
    small_root: Path, media: Path, pack: Path, capsys: pytest.CaptureFixture
) -> None:
    (media / "source.yaml").write_text("licence: CC-BY-4.0\nadults: true\n")
    use_folder(small_root, str(media), str(pack), None)
    assert load_params(small_root).sources == str(media)
    assert load_profile(small_root, "local").sources.consent is None
    said = f"Consent: licence:CC-BY-4.0 from what {media / 'source.yaml'} says"
    assert f"{said}.\n" in capsys.readouterr().out
    use_folder(small_root, str(media), str(pack), "written:form-1")
    assert f"{said}, which wins over CONSENT.\n" in capsys.readouterr().out


def test_a_collection_needs_a_consent_for_each_of_its_sources(
    small_root: Path, media: Path, pack: Path, capsys: pytest.CaptureFixture
) -> None:
    for name in ("a", "b"):
        (media / name).mkdir()
    said = "kind: collection\nsources:\n  a: {licence: MIT, adults: true}\n  b: {licence: MIT}\n"
    (media / "source.yaml").write_text(said)
    before = (small_root / "params.yaml").read_bytes()
    with pytest.raises(UserError, match=r"/b has no consent record"):
        use_folder(small_root, str(media), str(pack), None)
    assert (small_root / "params.yaml").read_bytes() == before
    use_folder(small_root, str(media), str(pack), "written:form-1")
    said = f"from what {media / 'source.yaml'} says and CONSENT."
    assert f"Consent: licence:MIT, written:form-1 {said}" in capsys.readouterr().out
