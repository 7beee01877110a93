"""Profiles build on others: what is said nearest counts, and what was said before still holds."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.decisions.table import DECISIONS, thresholds
from mm_model.errors import UserError
from mm_model.inputs import use_folder
from mm_model.run import stages
from mm_model.settings import Profile, load_profile
from mm_model.settings.section import Section, fields
from mm_model.store import digests
from tests.profiles import whole

BEFORE = json.loads((Path(__file__).parent / "before_bases.json").read_text())
"""Values and digests of the shipped profiles as they were when each file held every value."""
BASES = {
    "tiny": "common",
    "tiny-long": "tiny",
    "real-small": "common",
    "paper": "common",
    "workstation": "paper",
}
STATED = {
    "pairs": {"cosine_above"},
    "model": {"height", "width", "num_frames"},
    "pretrain": {"steps", "batch_size", "learning_rate", "face_loss_probability"},
    "finetune": {"steps", "batch_size", "learning_rate", "face_loss_probability"},
    "evaluate": {"people", "clips_per_person", "inference_steps", "guidance_scale"},
}
"""What the paper states."""


def _written(root: Path, name: str) -> dict[str, Any]:
    return yaml.safe_load((root / "profiles" / f"{name}.yaml").read_text())


def _known(values: Any, then: Any) -> Any:
    """`values` without what did not exist then."""
    if not isinstance(then, dict):
        return values
    return {name: _known(values[name], one) for name, one in then.items()}


@pytest.mark.parametrize("name", BEFORE)
def test_what_was_said_before_profiles_built_on_others_is_said_still(root: Path, name: str) -> None:
    """A value that is changed on purpose is changed in the stored figures too."""
    then = BEFORE[name]
    now = _known(whole(root, name), then["values"])
    assert now == then["values"]
    assert digests.of_value(now) == then["digest"]
    for stage in then["stages"]:
        part = {section: now[section] for section in stages.load(stage).sections}
        assert digests.of_value(part) == then["stages"][stage]
        work = {"stage": stage, "settings": part, "inputs": {}, "models": {}}
        assert digests.of_value(work) == then["fingerprints"][stage]
    if now == whole(root, name):
        assert load_profile(root, name).digest == then["digest"]


@pytest.mark.parametrize(("name", "base"), BASES.items())
def test_a_shipped_file_says_only_what_differs_from_its_base(
    root: Path, name: str, base: str
) -> None:
    own, below = _written(root, name), _written(root, base)
    assert own.pop("base") == base
    for section, values in own.items():
        if isinstance(values, dict):
            same = {
                key for key, one in values.items() if below.get(section, {}).get(key, ...) == one
            }
            assert not same, f"{section}: {same} stand in {base}.yaml already"


def test_what_the_paper_states_stands_in_its_own_file_and_in_no_base(root: Path) -> None:
    paper, common = _written(root, "paper"), _written(root, "common")
    for section, names in STATED.items():
        assert names <= paper[section].keys()
        assert not names & common.get(section, {}).keys()


ADDED = {one.field for section in DECISIONS for one in thresholds(section) if one.within}
"""Settings that a filter adds to its section by itself."""


def test_no_setting_has_a_default_in_code() -> None:
    def defaults(kind: type[Section]) -> list[str]:
        found = [
            f"{kind.__name__}.{n}" for n, f in kind.model_fields.items() if not f.is_required()
        ]
        # a filter that a profile does not name is off
        found = [one for one in found if one.partition(".")[2] not in ADDED]
        inner = (field.annotation for field in kind.model_fields.values())
        sections = [one for one in inner if isinstance(one, type) and issubclass(one, Section)]
        return found + [name for one in sections for name in defaults(one)]

    assert defaults(Profile) == []


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """A root with the shipped profiles."""
    shutil.copytree(root / "profiles", tmp_path / "profiles", ignore=lambda *_: ["local.yaml"])
    shutil.copy(root / "params.yaml", tmp_path)
    return tmp_path


def _write(tree: Path, name: str, text: str) -> None:
    (tree / "profiles" / f"{name}.yaml").write_text(text)


MINE = """
base: tiny-long
title: Mine
pretrain: {steps: 7}
faces: {pads: [0.3]}
"""


def test_the_nearest_word_counts_and_lists_are_replaced_whole(tree: Path) -> None:
    _write(tree, "mine", MINE)
    mine, long = load_profile(tree, "mine"), load_profile(tree, "tiny-long")
    assert (mine.title, mine.pretrain.steps, mine.faces.pads) == ("Mine", 7, (0.3,))
    assert mine.pretrain.milestones == long.pretrain.milestones
    changed = {"title": "Mine"}
    assert mine.model_copy(update=changed).finetune == long.finetune
    assert mine.part("run", "ingest", "evaluate") == long.part("run", "ingest", "evaluate")


def test_a_new_setting_needs_one_line_in_one_file(tree: Path) -> None:
    """Every profile, also a user's own, old and new, takes a setting from the common file."""
    for name in BASES:
        _write(
            tree, f"old-{name}", yaml.safe_dump(_without(whole(tree, name), "ingest", "cut_above"))
        )
    _write(tree, "local", yaml.safe_dump(_without(whole(tree, "real-small"), "serve", "waiting")))
    for name in BASES:
        assert load_profile(tree, f"old-{name}").ingest.cut_above == 0.45
    assert load_profile(tree, "local") == load_profile(tree, "real-small")


def _without(values: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    del values[section][name]
    return values


@pytest.mark.parametrize("section", sorted({place[0] for place in fields(Profile) if place[1:]}))
def test_an_old_local_file_lives_whatever_comes_later(tree: Path, section: str) -> None:
    """It was written from `real-small` and builds on it, though no line says so."""
    shipped = whole(tree, "real-small")
    old = {**shipped, "title": "Mine"}
    later = sorted(old[section])[-1]
    part = {key: one for key, one in old[section].items() if key != later}
    _write(tree, "local", yaml.safe_dump({**old, section: part}))
    assert whole(tree, "local") == {**shipped, "title": "Mine"}
    _write(tree, "local", yaml.safe_dump({key: one for key, one in old.items() if key != section}))
    assert whole(tree, "local") == {**shipped, "title": "Mine"}


def test_an_old_file_of_another_name_is_told_the_line_that_mends_it(tree: Path) -> None:
    text = yaml.safe_dump(_without(whole(tree, "tiny"), "pairs", "cosine_above"))
    _write(tree, "mine", text)
    with pytest.raises(UserError, match=r"mine\.yaml: pairs\.cosine_above is missing") as refused:
        load_profile(tree, "mine")
    line = str(refused.value).partition("add the line '")[2].partition("'")[0]
    assert line == "base: real-small"
    _write(tree, "mine", f"{line}\n{text}")
    assert load_profile(tree, "mine").pairs.cosine_above == 0.5
    assert load_profile(tree, "mine").pretrain == load_profile(tree, "tiny").pretrain


@pytest.fixture
def media(tmp_path: Path) -> tuple[str, str]:
    folder, pack = tmp_path / "media", tmp_path / "packs" / "models" / "mine"
    for place in (folder, pack):
        place.mkdir(parents=True)
    for number in range(12):
        (folder / f"{number}.jpg").write_bytes(b"x")
    (pack / "det.onnx").write_bytes(b"x")
    return str(folder), str(pack)


def _own(tree: Path) -> dict[str, Any]:
    return _written(tree, "local")


def test_choosing_a_folder_writes_only_what_differs(tree: Path, media: tuple[str, str]) -> None:
    use_folder(tree, *media, "licence:mit")
    own = _own(tree)
    assert own.pop("base") == "real-small"
    assert set(own) <= {
        "title",
        "sources",
        "ingest",
        "faces",
        "pairs",
        "precompute",
        "pretrain",
        "finetune",
        "evaluate",
    }
    assert own["sources"] == {"consent": "licence:mit"}
    assert all(set(own[part]) == {"row_floor"} for part in own.keys() - {"title", "sources"})
    (tree / "profiles" / "real-small.yaml").write_text(
        (tree / "profiles" / "real-small.yaml").read_text().replace("  steps: 60", "  steps: 70")
    )
    assert load_profile(tree, "local").pretrain.steps == 70


def test_a_folder_may_start_from_what_local_says_now(tree: Path, media: tuple[str, str]) -> None:
    use_folder(tree, *media, "licence:mit", base="tiny-long")
    assert _own(tree)["base"] == "tiny-long"
    _write(tree, "local", yaml.safe_dump(_own(tree) | {"pairs": {"per_target": 9}}))
    use_folder(tree, *media, "licence:cc0", base="local")
    assert _own(tree)["base"] == "tiny-long"
    local = load_profile(tree, "local")
    assert (local.pairs.per_target, local.sources.consent) == (9, "licence:cc0")
    old = whole(tree, "local")
    _write(tree, "local", yaml.safe_dump(old))
    use_folder(tree, *media, "licence:mit", base="local")
    assert _own(tree)["base"] == "real-small", "what a file without a base builds on"
    assert whole(tree, "local")["pretrain"] == old["pretrain"]
