"""On what terms weights and files may be used: read off folders and names, and what follows."""

import shutil
from pathlib import Path

import pytest

from mm_model.card import outputs
from mm_model.card.terms import of_run
from mm_model.settings import load_params
from mm_model.store import atomic, manifest, tables
from mm_model.store.layout import Layout
from mm_model.terms import licences, model
from mm_model.terms import weights as terms
from mm_model.terms.weights import Use
from tests.card.small import layout_at, publish


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


@pytest.mark.parametrize(
    ("weights", "texts"),
    [
        ("m.onnx", {"LICENSE": "Apache License\n 2.0", "terms": "research-only"}),
        ("m.onnx", {"terms": "commercial-ok: detector\nresearch-only: recogniser"}),
        ("m.onnx", {"LICENSE": "Code: MIT License. For non\ncommercial use."}),
        ("m.onnx", {"LICENSE": "Apache License; weights for academic research purposes only"}),
        ("m.onnx", {"LICENSE": "MIT License", "LICENSE-WEIGHTS": "CC BY-NC 4.0"}),
        ("w600k_r50.onnx", {"LICENSE": "MIT License"}),
        ("photomaker-v2.bin", {"LICENSE": "Apache License\n 2.0"}),
        ("w600k_r50.onnx", {"terms.md": "MIT License"}),
        ("m.onnx", {"LICENSE": "Apache License", "MODEL_LICENSE": "Non-commercial use alone."}),
        ("m.onnx", {"LICENSE": "Apache License", "README.md": "---\nlicense: cc-by-nc-4.0\n---"}),
        ("m.onnx", {"LICENSE": "MIT License. The models may not be used commercially."}),
        ("m.onnx", {"LICENSE": "MIT License (code). No commercial use of the models."}),
        ("m.onnx", {"LICENSE": "MIT License (code). Commercial use is strictly prohibited."}),
        ("m.onnx", {"LICENSE": "MIT License (code); models non\u2011commercial"}),
        ("m.onnx", {"LICENSE": "MIT License (code), models CC BY NC 4.0"}),
        ("m.onnx", {"LICENSE": "MIT License; models are solely for research"}),
    ],
)
def test_what_is_for_research_is_not_freed_by_another_licence_beside_it(
    tmp_path: Path, weights: str, texts: dict[str, str]
) -> None:
    assert terms.of_folder(_folder(tmp_path / "a", weights, **texts)).use is Use.RESEARCH


def test_adapters_have_the_strictest_terms_of_what_shapes_them(root: Path, tmp_path: Path) -> None:
    layout: Layout = layout_at(root, tmp_path / "tree")
    params = load_params(layout.root)
    found = outputs.published(layout)
    assert of_run(layout, params, found)[-1].terms.use is Use.COMMERCIAL
    pack = str(_folder(tmp_path / "pack", "mine.onnx"))
    of_judge = params.model_copy(update={"judge": pack})
    assert of_run(layout, of_judge, found)[-1].terms.use is Use.COMMERCIAL
    unknown = params.model_copy(update={"facepack": pack})
    assert of_run(layout, unknown, found)[-1].terms.use is Use.UNKNOWN
    (tmp_path / "pack" / "terms").write_text("research-only")
    made = of_run(layout, unknown, found)
    assert made[-1].terms.use is Use.RESEARCH
    assert str(tmp_path) not in "".join(one.where for one in made), "no place of this machine"


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("Apache-2.0", Use.COMMERCIAL),
        ("Apache License, Version 2.0", Use.COMMERCIAL),
        ("MIT", Use.COMMERCIAL),
        ("CC0-1.0", Use.COMMERCIAL),
        ("CC BY 4.0", Use.COMMERCIAL),
        ("cc-by-sa-3.0", Use.COMMERCIAL),
        ("https://creativecommons.org/licenses/by/4.0/", Use.COMMERCIAL),
        ("https://creativecommons.org/publicdomain/zero/1.0/", Use.COMMERCIAL),
        ("Public Domain Mark", Use.COMMERCIAL),
        ("MIT License", Use.COMMERCIAL),
        ("Apache 2.0 License", Use.COMMERCIAL),
        ("BSD 3-Clause", Use.COMMERCIAL),
        ("CC0 1.0 Universal", Use.COMMERCIAL),
        ("CC BY 3.0 US", Use.COMMERCIAL),
        ("CC BY 4.0 ND", Use.UNKNOWN),
        ("Pexels License", Use.COMMERCIAL),
        ("CC BY-NC-SA 4.0", Use.RESEARCH),
        ("cc-by-nc-4.0", Use.RESEARCH),
        ("https://creativecommons.org/licenses/by-nc/2.0/", Use.RESEARCH),
        ("for non-commercial research only", Use.RESEARCH),
        ("noncommercial", Use.RESEARCH),
        ("CC BY-ND 4.0", Use.UNKNOWN),
        ("http://creativecommons.org/licenses/by/2.0/ but personal use alone", Use.UNKNOWN),
        ("MIT, or ask me", Use.UNKNOWN),
        ("all rights reserved", Use.UNKNOWN),
        ("", Use.UNKNOWN),
        (None, Use.UNKNOWN),
    ],
)
def test_licences_by_their_names(name: str | None, use: Use) -> None:
    assert licences.of_licence(name) is use


def test_the_strictest_file_decides_for_a_dataset_and_is_named() -> None:
    found = licences.of_licences({"MIT": 90, "CC BY-NC 4.0": 2, None: 5}, drawn=3)
    assert found.use is Use.RESEARCH and found.because == "CC BY-NC 4.0 (2 files)"
    found = licences.of_licences({"MIT": 90, None: 5})
    assert found.use is Use.UNKNOWN and "no licence recorded (5 files)" in found.because
    assert licences.of_licences({}, drawn=3).use is Use.COMMERCIAL
    assert licences.of_licences({}).use is Use.UNKNOWN
    many = licences.of_licences({f"mine {number}": 1 for number in range(9)})
    assert many.because.endswith("and 6 more")


def test_one_file_for_research_makes_the_adapter_so(root: Path, tmp_path: Path) -> None:
    """Where the sources are no longer those that the dataset was made of, nothing is claimed."""
    layout: Layout = layout_at(root, tmp_path / "tree")
    publish(layout, "sources", [{"source_id": "a", "name": "a", "synthetic": True}] * 3)
    _ingested(layout)
    params = load_params(layout.root)
    assert model.of_adapter(layout, params).use is Use.COMMERCIAL
    mine = {"source_id": "b", "name": "b", "synthetic": False, "licence": "CC BY-NC 4.0"}
    drawn = {"source_id": "a", "name": "a", "synthetic": True}
    publish(layout, "sources", [drawn, mine])
    assert model.of_adapter(layout, params).use is Use.UNKNOWN, "made of other sources"
    _ingested(layout)
    found = model.of_adapter(layout, params)
    assert found.use is Use.RESEARCH and found.because == "the dataset: CC BY-NC 4.0 (1 files)"
    of_dataset = of_run(layout, params, outputs.published(layout))[-1]
    assert of_dataset.terms.use is Use.RESEARCH
    publish(layout, "sources", [drawn, mine | {"status": "rejected", "reason": "IO_UNREADABLE"}])
    _ingested(layout)
    assert model.of_adapter(layout, params).use is Use.COMMERCIAL, "it was refused"
    for name in ("inventory.parquet", manifest.NAME):
        (layout.output("sources") / name).write_bytes(b"no table")
        found = model.of_adapter(layout, params)
        assert found.use is Use.UNKNOWN and "cannot be read" in found.because


@pytest.mark.parametrize("harm", ["absent", "damaged", "of other columns"])
def test_a_release_is_not_stopped_by_a_table_that_cannot_be_read(
    root: Path, tmp_path: Path, harm: str
) -> None:
    layout: Layout = layout_at(root, tmp_path / "tree")
    publish(layout, "sources", [{"source_id": "a", "name": "a", "synthetic": True}])
    _ingested(layout)
    path = layout.output("sources") / "inventory.parquet"
    if harm == "absent":
        path.unlink()
    elif harm == "damaged":
        path.write_bytes(b"PAR1")
    else:
        tables.write(path, [{"source_id": "a"}], ("source_id",), {})
    found = model.of_adapter(layout, load_params(layout.root))
    assert found.use is Use.UNKNOWN and "the dataset: its sources cannot be read" in found.because
    assert str(tmp_path) not in found.because, "no place of this machine"


def _ingested(layout: Layout) -> None:
    """The output of `ingest`, made of the sources that lie there."""
    folder = layout.output("ingest")
    folder.mkdir(parents=True, exist_ok=True)
    sources = manifest.read(layout.output("sources")).digest
    made = manifest.Manifest("ingest", 1, "print", {"sources": sources}, "settings", {})
    manifest.seal(folder, made)


def test_a_captioner_shapes_what_learns_from_its_words(root: Path, tmp_path: Path) -> None:
    layout: Layout = layout_at(root, tmp_path / "tree")
    _folder(tmp_path / "shelf" / "some-vlm", "model.safetensors")
    params = load_params(layout.root).model_copy(update={"captioners": str(tmp_path / "shelf")})
    found = outputs.published(layout)
    assert not [w for w in of_run(layout, params, found) if "captioner" in w.part]
    record = {"image": {"name": "some-vlm"}, "clip": {"name": "some-vlm"}}
    atomic.write_json(layout.output("ingest") / "captioners.json", record)
    made = of_run(layout, params, found)
    (one,) = [w for w in made if "captioner" in w.part]
    assert (one.part, one.where, one.terms.use) == (
        "captioner some-vlm",
        "some-vlm",
        Use.UNKNOWN,
    )
    assert made[-1].terms.use is Use.UNKNOWN
    (tmp_path / "shelf" / "some-vlm" / "LICENSE").write_text("Apache License\n 2.0")
    assert of_run(layout, params, found)[-1].terms.use is Use.COMMERCIAL


def test_a_classifier_that_kept_files_out_counts_and_one_that_lies_unused_does_not(
    root: Path, tmp_path: Path
) -> None:
    layout: Layout = layout_at(root, tmp_path / "tree")
    shelf = _folder(tmp_path / "shelf" / "detector", "model.safetensors").parent
    params = load_params(layout.root).model_copy(update={"classifiers": str(shelf)})
    found = outputs.published(layout)
    assert of_run(layout, params, found)[-1].terms.use is Use.COMMERCIAL
    record = {"watermark": {"name": "detector", "label": "watermark"}}
    atomic.write_json(layout.output("ingest") / "classifiers.json", record)
    made = of_run(layout, params, found)
    (one,) = [w for w in made if w.part == "classifier detector"]
    assert (one.where, one.shapes, one.terms.use) == ("detector", True, Use.UNKNOWN)
    assert made[-1].terms.use is Use.UNKNOWN
    (shelf / "detector" / "terms").write_text("research-only: trained on scraped pictures")
    assert of_run(layout, params, found)[-1].terms.use is Use.RESEARCH
    said = model.of_adapter(layout, params)
    assert said.use is Use.RESEARCH
    assert "classifier detector: terms in its folder says so: trained on" in said.because


def test_weights_that_painted_references_count_and_those_that_lie_unused_do_not(
    root: Path, tmp_path: Path
) -> None:
    layout: Layout = layout_at(root, tmp_path / "tree")
    shelf = _folder(tmp_path / "shelf", "photomaker-v2.safetensors")
    params = load_params(layout.root).model_copy(update={"synthesizer": str(shelf)})
    found = outputs.published(layout)
    assert of_run(layout, params, found)[-1].terms.use is Use.COMMERCIAL
    found["pairs"].folder.mkdir(parents=True)
    (found["pairs"].folder / "made.parquet").write_bytes(b"")
    painted = of_run(layout, params, found)
    assert painted[-1].terms.use is Use.RESEARCH
    (own,) = [one for one in painted if one.part == "synthesiser"]
    assert "InsightFace" in own.terms.because


def test_a_licence_names_itself_at_its_head(tmp_path: Path) -> None:
    """What it says of others further down, and weights of other endings, free nothing."""
    gnu = "GNU General Public License\n" + "words " * 200 + "compatible with the Apache License"
    assert terms.of_folder(_folder(tmp_path / "a", "m.onnx", LICENSE=gnu)).use is Use.UNKNOWN
    ours = "All rights reserved. " + "words " * 200 + "parts are under the MIT License"
    assert terms.of_folder(_folder(tmp_path / "b", "m.onnx", LICENSE=ours)).use is Use.UNKNOWN
    for name in ("other.ckpt", "other.ONNX"):
        pack = _folder(tmp_path / name, "face_detection_yunet_2023mar.onnx", name)
        assert terms.of_folder(pack).use is Use.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "All rights reserved. Derived from code under the Apache License, Version 2.0.",
        "The code is under the MIT License. Ask us about the rest.",
        "Apache License 2.0 for code; weights by agreement.",
        'Apache License, Version 2.0, with the "Commons Clause" condition',
        "MIT License. Commercial use: write to us.",
        "GNU Affero General Public License, or the MIT License for some files",
        "GNU GENERAL PUBLIC LICENSE\nVersion 3\n only occasionally and noncommercially",
    ],
)
def test_who_merely_mentions_a_free_licence_frees_nothing(tmp_path: Path, text: str) -> None:
    assert terms.of_folder(_folder(tmp_path / "a", "m.onnx", LICENSE=text)).use is Use.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "                   Apache License\n      Version 2.0, January 2004\n\n any and all other\n"
        "   commercial damages or losses",
        "Copyright 2023 Somebody, Inc.  All rights reserved.\n\n  Apache License\n  Version 2.0",
        "# The MIT License (MIT)\n\nCopyright (c) 2020 Somebody\n",
        "Creative Commons Legal Code\n\nCC0 1.0 Universal\n for any purpose whatsoever, including"
        " without limitation commercial, advertising or promotional purposes",
        "BSD 3-Clause License\n\nCopyright (c) 2020, Somebody",
    ],
)
def test_the_texts_of_free_licences_themselves(tmp_path: Path, text: str) -> None:
    assert terms.of_folder(_folder(tmp_path / "a", "m.onnx", LICENSE=text)).use is Use.COMMERCIAL


@pytest.mark.parametrize(
    "name", ["a.ckpt", "a.npz", "a.npy", "a.bin", "a.pth", "a.onnx", "a.tflite", "a.gguf", "a.pb"]
)
def test_a_strange_file_beside_known_weights_is_not_freed_by_them(
    tmp_path: Path, name: str
) -> None:
    pack = _folder(tmp_path / "pack", "face_detection_yunet_2023mar.onnx", name)
    found = terms.of_folder(pack)
    assert found.use is Use.UNKNOWN and name in found.because


def test_a_licence_further_below_keeps_what_it_is_for(tmp_path: Path) -> None:
    pack = _folder(tmp_path / "pack", "face_detection_yunet_2023mar.onnx")
    _folder(pack / "transformer", LICENSE="For non-commercial use.")
    assert terms.of_folder(pack).use is Use.RESEARCH
