"""What `dvc exp run -S` writes lies over whatever profile runs, and is refused like a profile."""

import shutil
from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.settings import load_profile, show
from mm_model.settings.bases import overridden_fields


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    repository = Path(__file__).resolve().parents[2]
    shutil.copytree(repository / "profiles", tmp_path / "profiles")
    return tmp_path


def _override(tree: Path, text: str) -> None:
    (tree / "profiles" / "overrides.yaml").write_text(text)


def test_the_shipped_file_changes_nothing(tree: Path) -> None:
    before = load_profile(tree, "tiny")
    (tree / "profiles" / "overrides.yaml").unlink()
    assert load_profile(tree, "tiny") == before and overridden_fields(tree) == []


@pytest.mark.parametrize("name", ["tiny", "tiny-long", "paper"])
def test_a_value_counts_over_the_profile_and_its_base(tree: Path, name: str) -> None:
    before = load_profile(tree, name)
    _override(tree, "pretrain:\n  steps: 7\nregister:\n  confidence: 0.5\n")
    after = load_profile(tree, name)
    assert (after.pretrain.steps, after.register_.confidence) == (7, 0.5)
    assert after.finetune == before.finetune
    assert after.pretrain.batch_size == before.pretrain.batch_size
    assert overridden_fields(tree) == ["pretrain.steps", "register.confidence"]
    assert "profiles/overrides.yaml:2" in show.text(tree, name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pretrain:\n  stepz: 7\n", "overrides.yaml: pretrain.stepz is no setting"),
        ("pretrain:\n  steps: many\n", "overrides.yaml: pretrain.steps"),
        ("- steps\n", "overrides.yaml holds no settings"),
    ],
)
def test_what_does_not_belong_is_refused_by_its_line(tree: Path, text: str, said: str) -> None:
    _override(tree, text)
    with pytest.raises(UserError, match=said):
        load_profile(tree, "tiny")
