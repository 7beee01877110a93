"""`export` writes an adapter's folder that a model hub takes, and its card's own lines run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mm_model.commands import cli
from mm_model.commands import export as exporting
from mm_model.nn.injection import files
from mm_model.register import model_card
from mm_model.register.model_card import AdapterFacts, HubLicence
from mm_model.store.layout import Layout
from mm_model.terms.weights import Use, UseTerms
from tests.serving.house import House
from tests.serving.test_generate import photographs

__all__ = ["photographs"]  # a fixture

pytestmark = pytest.mark.capability("model card", scale="T")

hub: Any = pytest.importorskip("huggingface_hub")  # diffusers brings it
Export = Callable[..., tuple[int, str, str]]


@pytest.fixture
def export(served_house: House, monkeypatch: Any, capsys: Any) -> Export:
    monkeypatch.setenv("MM_ROOT", str(served_house.root))

    def run(*arguments: Any) -> tuple[int, str, str]:
        status = cli.main(["export", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def test_a_release_becomes_a_folder_whose_card_a_hub_reads(
    export: Export, served_house: House, tmp_path: Path
) -> None:
    status, out, err = export(tmp_path / "repo")
    assert status == 0, err
    assert "nothing was sent" in out
    found = {path.name for path in (tmp_path / "repo").iterdir()}
    assert found == {
        "README.md",
        "LICENSE.md",
        "evaluation.json",
        "magic_mirror_config.json",
        "magic_mirror_adapter.safetensors",
    }
    card = hub.ModelCard.load(tmp_path / "repo" / "README.md")
    data = card.data  # the library refuses results in another form
    assert data.pipeline_tag == "text-to-video" and data.library_name == "magic-mirror"
    assert "arxiv:2501.03931" in data.tags and data.base_model is None
    (row,) = [one for one in data.eval_results if one.metric_type == "identity"]
    assert row.metric_value == 0.4 and row.dataset_name == "4 held-out people"
    adapter = served_house.layout.output("finetune") / "adapter"
    _, digest = files.read_description(adapter)
    assert files.sha256_file(tmp_path / "repo" / files.WEIGHTS_NAME) == digest
    assert digest in card.text


def test_nobody_is_named_in_it(export: Export, tmp_path: Path) -> None:
    """The evaluation knows people and their pictures by name; what is pushed does not."""
    assert export(tmp_path / "repo")[0] == 0
    for path in (tmp_path / "repo").iterdir():
        if path.name in ("README.md", "LICENSE.md", "evaluation.json"):
            text = path.read_text("utf-8")
            assert not re.search(r"\bp[0-3]\b(?!-)|per_person|identities", text), path.name


def test_the_lines_of_the_card_make_a_clip(
    export: Export, served_house: House, photographs: list[Path], tmp_path: Path, monkeypatch: Any
) -> None:
    assert export(tmp_path / "repo")[0] == 0
    text = (tmp_path / "repo" / "README.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    places = {"backbone": served_house.root / "weights/backbone", "adapter": tmp_path / "repo"}
    places["facepack"] = served_house.root / "weights/pack"
    said = '"backbone", ".", "facepack"'
    assert code.count(said) == 1
    code = code.replace(said, ", ".join(repr(str(path)) for path in places.values()))
    code = code.replace('["photograph.jpg"]', repr([str(path) for path in photographs]))
    code = re.sub(r"num_inference_steps=\d+", "num_inference_steps=1", code)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "clip.mp4").stat().st_size > 1000


def test_an_adapter_s_folder_is_exported_too_and_nothing_is_replaced(
    export: Export, served_house: House, tmp_path: Path
) -> None:
    adapter = served_house.layout.output("finetune")
    assert export(tmp_path / "repo", "--adapter", adapter)[0] == 0
    status, _, err = export(tmp_path / "repo", "--adapter", adapter)
    assert status == 1 and "holds something already" in err
    for given, word in (
        (["--licence", "Apache 2"], "as in apache-2.0"),
        (["--base-model", "one"], "give OWNER/NAME"),
        (["--adapter", "nowhere"], "There is no"),
    ):
        status, _, err = export(tmp_path / "other", *given)
        assert status == 1 and (word in err or "No version" in err), err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repo"]


def test_weights_that_were_exchanged_are_not_exported(
    export: Export, served_house: House, tmp_path: Path
) -> None:
    import shutil

    copy = shutil.copytree(served_house.layout.output("finetune") / "adapter", tmp_path / "copy")
    with (copy / files.WEIGHTS_NAME).open("ab") as file:
        file.write(b"0")
    status, _, err = export(tmp_path / "repo", "--adapter", copy)
    assert status == 1 and "restore it" in err
    assert not (tmp_path / "repo").exists()


def facts(use: Use, because: str, **changed: Any) -> AdapterFacts:
    terms = UseTerms(use, because)
    said: dict[str, Any] = {
        "config": {
            "preset": "paper",
            "family": "cogvideox-42x48x64-c16-p2-text4096-time512-rope",
            "trigger": "img",
        },
        "parameters": 1_733_442_432,
        "sha256": "a" * 64,
        "terms": terms,
        "licence": model_card.licence_of(terms),
        "base_model": model_card.base_of("cogvideox-42x48x64-c16-p2-text4096-time512-rope"),
        "metrics": None,
        "release": None,
        "sampling": {"steps": 50, "guidance": 6.0, "fps": 8},
        "face_guidance": "null",
        "face_size": 640,
    }
    return AdapterFacts(**said | changed)


@pytest.mark.parametrize(
    ("use", "because", "licence"),
    [
        (
            Use.COMMERCIAL,
            "the backbone: trained here on drawn people: ours, Apache-2.0",
            "apache-2.0",
        ),
        (Use.COMMERCIAL, "the dataset: cc-by-4.0 (9 files)", "other"),
        (Use.RESEARCH, "the face pack: named as InsightFace names its own", "other"),
        (Use.UNKNOWN, "nobody says whose it is", "unknown"),
    ],
)
def test_the_licence_is_no_wider_than_the_terms(use: Use, because: str, licence: str) -> None:
    text = model_card.card(facts(use, because))
    data = hub.ModelCard(text).data.to_dict()
    assert data["license"] == licence
    assert ("license_link" in data) == (licence == "other")
    assert because in text and use in text
    assert (data["base_model"], data["base_model_relation"]) == ("zai-org/CogVideoX-5b", "adapter")
    assert "None is recorded" in text and "named right" not in text and "model-index" not in data


def test_what_is_for_research_cannot_be_given_away(
    export: Export, monkeypatch: Any, tmp_path: Path
) -> None:
    from mm_model.commands import export as command

    terms = UseTerms(Use.RESEARCH, "the face pack: for research")
    monkeypatch.setattr(command, "_terms", lambda *_: terms)
    status, _, err = export(tmp_path / "repo", "--licence", "apache-2.0")
    assert status == 1 and "for research only" in err and "cc-by-nc-4.0" in err
    assert export(tmp_path / "repo", "--licence", "cc-by-nc-4.0")[0] == 0
    header = (tmp_path / "repo" / "README.md").read_text("utf-8").split("---")[1]
    assert yaml.safe_load(header)["license"] == "cc-by-nc-4.0"


def test_means_are_told_with_intervals_and_conventions(export: Export, tmp_path: Path) -> None:
    assert export(tmp_path / "repo")[0] == 0
    said = json.loads((tmp_path / "repo" / "evaluation.json").read_text())
    assert said["adapter"]["identity"] == {"value": 0.4, "low": 0.4, "high": 0.4}
    assert said["base"]["identity"]["value"] == 0.0 and said["people"] == 4
    assert HubLicence("other").own is None


def test_each_judge_says_how_many_it_names_right() -> None:
    """Beside a cosine that nobody can read: the control that knows colours alone, too."""
    value = {"value": 0.2, "low": 0.1, "high": 0.3}
    said = {
        "people": 21,
        "candidate": "pretrain",
        "variants": {"pretrain": {"identity": value}, "base": {}},
        "gain": {"candidate_over_base": value},
        "judges": {"colour": {"title": "colours of skin and hair alone"}},
        "named": {"colour": {"pretrain": {"hits": 10.0, "people": 21}}, "other": {}},
    }
    text = model_card.card(facts(Use.UNKNOWN, "nobody says", metrics=said))
    assert "| named right (chance is 1) by colours of skin and hair alone ↑ | 10 of 21 |  |" in text
    assert "0.200 (0.100 to 0.300)" in text


def test_figures_of_another_adapter_are_not_put_on_the_card(tmp_path: Path) -> None:
    """An output that was trained anew after the last evaluation has none of its own."""
    layout = Layout(tmp_path, "tiny")
    path = layout.output("evaluate") / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"measured": {"adapter": "one"}}))
    for digest, told in (("one", True), ("another", False)):
        config = SimpleNamespace(digests={"adapter": digest})
        choice: Any = SimpleNamespace(release=None, folders={}, config=config)
        assert (exporting._metrics(layout, choice) is not None) == told
