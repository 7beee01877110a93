"""On what terms weights may be used, as a card reads it off their folders."""

import shutil
from pathlib import Path

import pytest

from mm_model.card import outputs, terms
from mm_model.card.terms import Use
from mm_model.settings import load_params
from mm_model.store.layout import Layout
from tests.card.small import layout_at


def _folder(place: Path, *names: str, **texts: str) -> Path:
    place.mkdir(parents=True)
    for name in names:
        (place / name).write_bytes(name.encode())
    for name, text in texts.items():
        (place / name).write_text(text)
    return place


@pytest.mark.parametrize("name", ["facepack/models/tiny", "judge/models/judge", "backbone"])
def test_shipped_weights_are_ours(root: Path, name: str) -> None:
    found = terms.of_folder(root / "weights" / "tiny" / name)
    assert found.use is Use.COMMERCIAL and "ours" in found.because


def test_shipped_weights_with_another_file_are_not_ours(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    shutil.copytree(root / "weights" / "tiny" / "facepack", place / "facepack")
    pack = place / "facepack" / "models" / "tiny"
    assert terms.of_folder(pack).use is Use.COMMERCIAL
    (pack / "recognizer.onnx").write_bytes(b"somebody else's")
    assert terms.of_folder(pack).use is Use.UNKNOWN


@pytest.mark.parametrize(
    ("names", "use", "because"),
    [
        (("det_10g.onnx", "w600k_r50.onnx"), Use.RESEARCH, "non-commercial research"),
        (("det_2.5g.onnx", "mine.onnx"), Use.RESEARCH, "non-commercial research"),
        (
            ("face_detection_yunet_2023mar.onnx", "face_recognition_sface_2021dec.onnx"),
            Use.COMMERCIAL,
            "SFace: Apache-2.0",
        ),
        (
            ("dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat"),
            Use.COMMERCIAL,
            "CC0",
        ),
        (("face_detection_yunet_2023mar.onnx", "mine.onnx"), Use.UNKNOWN, "mine.onnx"),
        (("mine.onnx",), Use.UNKNOWN, "mine.onnx"),
        ((), Use.UNKNOWN, "no weights"),
    ],
)
def test_names_tell_whose_a_pack_is(
    tmp_path: Path, names: tuple[str, ...], use: Use, because: str
) -> None:
    found = terms.of_folder(_folder(tmp_path / "pack", *names))
    assert found.use is use and because in found.because


def test_a_line_in_the_folder_decides(tmp_path: Path) -> None:
    said = "terms: commercial-ok, bought in May"
    found = terms.of_folder(_folder(tmp_path / "a", "det_10g.onnx", terms=said))
    assert found.use is Use.COMMERCIAL and "bought in May" in found.because
    found = terms.of_folder(_folder(tmp_path / "b", "mine.onnx", LICENSE="Apache License\n 2.0"))
    assert found.use is Use.COMMERCIAL and "Apache-2.0" in found.because
    text = "For non-commercial use. MIT License"
    assert terms.of_folder(_folder(tmp_path / "c", "m.onnx", LICENSE=text)).use is Use.RESEARCH
    text = "All rights reserved."
    assert terms.of_folder(_folder(tmp_path / "d", "m.onnx", LICENSE=text)).use is Use.UNKNOWN


def test_adapters_have_the_strictest_terms_of_what_shapes_them(root: Path, tmp_path: Path) -> None:
    layout: Layout = layout_at(root, tmp_path / "tree")
    params = load_params(layout.root)
    found = outputs.published(layout)
    assert terms.of_run(layout, params, found)[-1].terms.use is Use.COMMERCIAL
    pack = str(_folder(tmp_path / "pack", "mine.onnx"))
    of_judge = params.model_copy(update={"judge": pack})
    assert terms.of_run(layout, of_judge, found)[-1].terms.use is Use.COMMERCIAL
    unknown = params.model_copy(update={"facepack": pack})
    assert terms.of_run(layout, unknown, found)[-1].terms.use is Use.UNKNOWN
    (tmp_path / "pack" / "terms").write_text("research-only")
    made = terms.of_run(layout, unknown, found)
    assert made[-1].terms.use is Use.RESEARCH
    assert str(tmp_path) not in "".join(one.where for one in made), "no place of this machine"


def test_weights_that_painted_references_count_and_those_that_lie_unused_do_not(
    root: Path, tmp_path: Path
) -> None:
    layout: Layout = layout_at(root, tmp_path / "tree")
    shelf = _folder(tmp_path / "shelf", "photomaker-v2.safetensors")
    params = load_params(layout.root).model_copy(update={"synthesizer": str(shelf)})
    found = outputs.published(layout)
    assert terms.of_run(layout, params, found)[-1].terms.use is Use.COMMERCIAL
    found["pairs"].folder.mkdir(parents=True, exist_ok=True)
    (found["pairs"].folder / "made.parquet").write_bytes(b"")
    painted = terms.of_run(layout, params, found)
    assert painted[-1].terms.use is Use.RESEARCH
    (own,) = [one for one in painted if one.part == "synthesiser"]
    assert "InsightFace" in own.terms.because
