"""Settings without sense are refused when read: file, field and way out in one sentence."""

import math
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from mm_model.errors import UserError
from mm_model.media.consent import consent_for
from mm_model.settings import Profile, load_params, load_profile
from mm_model.settings.section import Section, fields
from mm_model.sources.recipe import load_recipe
from tests.profiles import whole


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """A root with the shipped profiles."""
    shutil.copytree(root / "profiles", tmp_path / "profiles", ignore=lambda *_: ["local.yaml"])
    shutil.copy(root / "params.yaml", tmp_path)
    return tmp_path


def refusal(tree: Path, text: str, name: str = "mine") -> str:
    """What is said of a profile that holds this text."""
    (tree / "profiles" / f"{name}.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        load_profile(tree, name)
    said = str(refused.value)
    assert "\n" not in said and f"profiles/{name}.yaml" in said
    return said


WITHOUT_SENSE = {
    "pretrain: {learning_rate: .inf}": "pretrain.learning_rate",
    "finetune: {learning_rate: .nan}": "finetune.learning_rate",
    "finetune: {learning_rate: 1000}": "finetune.learning_rate",
    "pretrain: {betas: [0.9, 1.0]}": "pretrain.betas",
    "pretrain: {betas: [0.9]}": "pretrain.betas",
    "pretrain: {identity_loss_weight: -.inf}": "pretrain.identity_loss_weight",
    "pretrain: {steps: true}": "pretrain.steps",
    "pretrain: {steps: 2.5}": "pretrain.steps",
    "pretrain: {warmup_steps: -1}": "pretrain.warmup_steps",
    "pretrain: {sample_frames: 8}": "pretrain.sample_frames",
    "finetune: {drop_text: 0.9, drop_face: 0.9}": "finetune",
    "finetune: {milestones: [0.5, 0.5]}": "finetune.milestones",
    "finetune: {gradient_checkpointing: 7}": "finetune.gradient_checkpointing",
    "serve: {sizes: []}": "serve.sizes",
    "serve: {sizes: [[64]]}": "serve.sizes",
    "serve: {sizes: [[64, 0]]}": "serve.sizes",
    "serve: {sizes: [[true, 64]]}": "serve.sizes",
    "serve: {default_steps: 101}": "serve",
    "serve: {waiting: 100000}": "serve.waiting",
    "serve: {body_seconds: .inf}": "serve.body_seconds",
    "run: {threads: 100000}": "run.threads",
    "run: {threads: 0}": "run.threads",
    "run: {seed: -1}": "run.seed",
    "run: {device: tpu}": "run.device",
    "register: {model_name: ../../x}": "register.model_name",
    "register: {model_name: ''}": "register.model_name",
    "register: {model_name: 'models:/a'}": "register.model_name",
    "register: {model_name: .hidden}": "register.model_name",
    "register: {confidence: 1}": "register.confidence",
    "title: ''": "title",
    "title: ' '": "title",
    "title: [a]": "title",
    "ingest: {caption_template: ''}": "ingest.caption_template",
    "ingest: {min_frames: 99, max_frames: 98}": "ingest",
    "ingest: {min_side: 16000}": "ingest",
    "ingest: {caption_min_words: 9, caption_max_words: 8}": "ingest",
    "ingest: {captioner: ../model}": "ingest.captioner",
    "ingest: {caption_frames: 0}": "ingest.caption_frames",
    "ingest: {watermark_model: detector}": "ingest",
    "ingest: {watermark_model: a/b}": "ingest.watermark_model",
    "ingest: {cut_above: 2}": "ingest.cut_above",
    "ingest: {static_below: -0.1}": "ingest.static_below",
    "faces: {min_face: .nan}": "faces.min_face",
    "faces: {pads: [0.1, 0.1]}": "faces.pads",
    "faces: {pads: [.inf]}": "faces.pads",
    "pairs: {kinds: []}": "pairs.kinds",
    "pairs: {kinds: [cross, cross]}": "pairs.kinds",
    "pairs: {synthetic_per_identity: -2}": "pairs.synthetic_per_identity",
    "model: {num_frames: 12}": "model.num_frames",
    "model: {crop_margin: .inf}": "model.crop_margin",
    "evaluate: {people: 0}": "evaluate.people",
    "faces:": "faces",
    "faces: []": "faces",
    "faces: tiny": "faces",
    "run: {1: 2}": "run.1",
}


@pytest.mark.parametrize(("text", "field"), WITHOUT_SENSE.items())
def test_a_value_without_sense_is_refused_by_name(tree: Path, text: str, field: str) -> None:
    said = refusal(tree, f"base: tiny\n{text}\n")
    assert f"mine.yaml: {field}" in said and "line 2" in said
    assert not [word for word in ("Input", "Tuple", "Value error", "validation") if word in said]


TINY = whole(Path(__file__).resolve().parents[2])
NUMBERS = [place for place in fields(Profile) if len(place) == 2]


def _annotation(place: tuple[str, ...]) -> Any:
    kind: Any = Profile
    for name in place:
        found = {field.alias or key: field for key, field in kind.model_fields.items()}
        kind = found[name].annotation
    return kind


def _takes(annotation: Any, *kinds: type) -> bool:
    return annotation in kinds or any(_takes(one, *kinds) for one in get_args(annotation))


@pytest.mark.parametrize("place", [p for p in NUMBERS if _takes(_annotation(p), int, float)])
def test_no_number_is_without_bounds(place: tuple[str, str]) -> None:
    section, name = place
    several = isinstance(TINY[section].get(name), list)
    for wrong in (math.inf, -math.inf, math.nan, 1e300, -1_000_000_000, True, "many", {}):
        values = {**TINY[section], name: [wrong] if several else wrong}
        with pytest.raises(ValidationError) as refused:
            Profile.model_validate({**TINY, section: values})
        assert refused.value.errors()[0]["loc"][:2] == place


def test_every_section_refuses_what_it_does_not_know(tree: Path) -> None:
    for name, field in Profile.model_fields.items():
        section = field.alias or name
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            said = refusal(tree, f"base: tiny\n{section}:\n  no_such_thing: 1\n")
            assert f"{section}.no_such_thing is no setting: remove it (line 3)" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("faces: {min_fase: 3}", "did you mean faces.min_face?"),
        ("pretrain: {learnig_rate: 1.0e-3}", "did you mean pretrain.learning_rate?"),
        ("serve: {size: [[64, 64]]}", "did you mean serve.sizes?"),
        ("regster: {confidence: 0.9}", "did you mean register?"),
        ("threads: 2", "did you mean run.threads? Move it there"),
        (
            "evaluate: {learning_rate: 1}",
            "finetune.learning_rate or subject.learning_rate or subject.on_backbone.learning_rate?",
        ),
        ("bases: tiny", "bases is no setting"),
    ],
)
def test_an_unknown_key_is_answered_with_what_was_meant(tree: Path, text: str, said: str) -> None:
    assert said in refusal(tree, f"base: tiny\n{text}\n")


def test_a_misspelt_value_of_a_whole_file_is_told_as_such(tree: Path) -> None:
    values = whole(tree)
    values["pairs"]["cosin_above"] = values["pairs"].pop("cosine_above")
    assert "did you mean pairs.cosine_above?" in refusal(tree, yaml.safe_dump(values))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "base: tiny\nfaces: {min_face: 1, min_face: 2}\n",
            "min_face stands twice (lines 2 and 2)",
        ),
        ("base: tiny\nbase: paper\n", "base stands twice (lines 1 and 2)"),
        ("base: tiny\nrun: {seed: 1}\nfaces: {}\nrun: {}\n", "run stands twice (lines 2 and 4)"),
        ("- a\n- b\n", "holds no settings"),
        ("", "holds no settings"),
        ("just words\n", "holds no settings"),
        ("a: [\n", "not valid YAML at line 2"),
        ("a: 2025-13-45\n", "not valid YAML"),
        ("a: &a {b: *a}\n", "a is no setting"),
        ("base: tiny\nfaces: &f {pads: *f}\n", "faces.pads"),
        ("a: " + "[" * 2000, "not valid YAML"),
    ],
)
def test_a_text_that_is_no_profile_is_told_why(tree: Path, text: str, said: str) -> None:
    assert said in refusal(tree, text)


@pytest.mark.parametrize(
    "base",
    [
        "huge",
        "../params",
        "../../etc/passwd",
        "/etc/passwd",
        "tiny.yaml",
        "Tiny",
        "''",
        "null",
        "[tiny]",
        "5",
        "yes",
        "profiles/tiny",
        "people-",
    ],
)
def test_a_base_that_is_no_profile_is_refused_with_those_that_are(tree: Path, base: str) -> None:
    said = refusal(tree, f"title: x\nbase: {base}\n")
    assert "mine.yaml: base (line 2) is " in said
    assert said.endswith("name one of common, paper, real-small, tiny, tiny-long, workstation.")


def test_bases_that_lead_in_a_circle_are_named(tree: Path) -> None:
    (tree / "profiles" / "one.yaml").write_text("base: two\n")
    (tree / "profiles" / "two.yaml").write_text("base: one\n")
    assert "base: one -> two -> one leads in a circle" in _told(tree, "one")
    (tree / "profiles" / "three.yaml").write_text("base: one\n")
    assert "base: one -> two -> one leads in a circle" in _told(tree, "three")
    assert "base: self -> self leads in a circle" in refusal(tree, "base: self\n", "self")
    (tree / "profiles" / "common.yaml").write_text("base: tiny\n")
    assert "leads in a circle" in _told(tree, "tiny-long")


def _told(tree: Path, name: str) -> str:
    with pytest.raises(UserError) as refused:
        load_profile(tree, name)
    return str(refused.value)


def test_what_a_base_says_wrongly_is_told_of_the_base(tree: Path) -> None:
    path = tree / "profiles" / "common.yaml"
    path.write_text(path.read_text().replace("max_faces: 1", "max_faces: 0"))
    assert "profiles/common.yaml: faces.max_faces" in _told(tree, "tiny-long")


@pytest.mark.parametrize("name", ["common", "people", "../params", "", "no such", "UPPER", "a/b"])
def test_what_is_no_profile_names_those_that_are(tree: Path, name: str) -> None:
    said = _told(tree, name)
    assert "may name one of paper, real-small, tiny, tiny-long" in said or "people.yaml: " in said


PARAMS_WITHOUT_SENSE = {
    "profile: ../x": "profile",
    "profile: ''": "profile",
    "profile: Tiny": "profile",
    "profile: true": "profile",
    "profile: [tiny]": "profile",
    "sources: ''": "sources",
    "sources: ' '": "sources",
    "sources: .": "sources",
    "sources: media/..": "sources",
    "facepack: ../..": "facepack",
    "judge: /": "judge",
    "backbone: null": "backbone",
    "backbone: 5": "backbone",
    'backbone: "a\\0b"': "backbone",
    "source: media": "source",
    "base: tiny": "base",
}


@pytest.mark.parametrize(("text", "field"), PARAMS_WITHOUT_SENSE.items())
def test_params_without_sense_are_refused_by_name(tree: Path, text: str, field: str) -> None:
    key = text.partition(":")[0]
    lines = (tree / "params.yaml").read_text().splitlines()
    others = [line for line in lines if not line.startswith(f"{key}:")]
    (tree / "params.yaml").write_text("\n".join([*others, text]))
    with pytest.raises(UserError, match=rf"params\.yaml: {field}\b.*line {len(others) + 1}\b"):
        load_params(tree)


@pytest.mark.parametrize("text", ["profile: tiny\nprofile: paper\n", "[]", "", "tiny"])
def test_params_that_are_no_mapping_or_say_something_twice(tree: Path, text: str) -> None:
    (tree / "params.yaml").write_text(text)
    with pytest.raises(
        UserError, match=r"params\.yaml(: profile stands twice|.*group of settings)"
    ):
        load_params(tree)


def test_other_files_that_people_write_take_no_key_twice(tree: Path) -> None:
    """A list of files that is overwritten would be a consent for others."""
    recipe = tree / "profiles" / "people.yaml"
    recipe.write_text(recipe.read_text() + "seed: 8\n")
    with pytest.raises(UserError, match=r"people\.yaml.*seed stands twice"):
        load_recipe(recipe)
    (tree / "consent.yaml").write_text(
        "basis: of all\nadults: true\nfiles: ['1.png']\nfiles: ['*']\n"
    )
    with pytest.raises(UserError, match=r"consent\.yaml.*lines 3 and 4"):
        consent_for(tree, None)
